"""Groups and alerts to campaigns, as the world reads them. No I/O here.

A campaign is named after the indicator of its oldest alert, so that its id is a function of what
was seen: a replay in any order comes to the same ids, whatever was told on the way. When two are
joined the older one's id stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from math import exp, fsum, log
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from pipeline.campaign.confidence import Trust, Witness, confidence
from pipeline.campaign.evidence import Evidence, Marked
from pipeline.campaign.group import Grouping, Reason
from pipeline.campaign.label import Verdict
from pipeline.campaign.match import Match
from pipeline.indicator import Indicator
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.lane import Flag
from pipeline.share.mark import UNMARKED, Mark
from pipeline.share.terms import Terms
from pipeline.share.tlp import Pap, Tlp, strictest_pap, strictest_tlp

_NAMESPACE = UUID("2f0b6c55-6d0e-5b0c-8d4d-93c0f2a7e1b4")
_ORDER = {kind: number for number, kind in enumerate(INDICATOR_TYPES)}

GROWING_MS = 6 * 3_600_000
"""A campaign in which something new came so lately is growing."""
DORMANT_MS = 24 * 3_600_000
"""One of which nothing was seen for so long is dormant,"""
CLOSED_MS = 72 * 3_600_000
"""and for so long, closed."""
MOST_SEEN = 1_000
"""Sightings that a revision names: some 150 KB."""


class Status(StrEnum):
    """Where a campaign is in its life."""

    OPEN = "open"
    GROWING = "growing"
    DORMANT = "dormant"
    CLOSED = "closed"
    MERGED = "merged"


class Member(Struct, frozen=True):
    """An indicator as campaigns name it."""

    type: str
    value: str


class Why(Struct, frozen=True):
    """Why one member belongs; `p` is how likely that is by chance."""

    type: str
    value: str
    why: str
    p: float


class Seen(Struct, frozen=True):
    """One party's sightings of one member: in how many slices at the least, and from when to when.

    Times in ms. `tlp` and `pap` as the events themselves were labelled, if they were. In what is
    released to others the organisation, or the country as well, may be empty: not told.
    """

    type: str
    value: str
    organisation: str
    country: str
    first_seen: int
    last_seen: int
    slices: int
    tlp: Tlp | msgspec.UnsetType = msgspec.UNSET
    pap: Pap | msgspec.UnsetType = msgspec.UNSET


class Word(Struct, frozen=True):
    """What an analyst says of a campaign, and how sure of it, in percent."""

    verdict: Verdict
    by: str
    basis: str
    confidence: int
    at: int


class Campaign(Struct, frozen=True):
    """One revision of a campaign. Times in ms.

    `first_told` is the event time of the sighting with which the first two of it could be joined,
    judged by all that is known now; `grown_at` is when its latest member, country or organisation
    came. `p_value` is that of its alerts taken together, null where none has one. `confidence` is
    a number, `confidence_word` and `admiralty` say the same, and `corroboration` by whose word.
    `indicators_omitted` and `alerts_omitted`: how many more it has than one record holds, at the
    least. `exercise`: it is of this exercise, and not meant.
    `withdrawn`: what was told does not hold by what is known now. `label` is an analyst's.
    `sightings`: who saw what, the earliest first; at most `MOST_SEEN`, of which every party has one
    if there is room, and `sightings_omitted` is how many more there are. `unnamed`: in what is
    released to others (`pipeline.share.release`), how many organisations are in it unnamed.
    """

    id: str
    status: Status
    first_seen: int
    last_seen: int
    indicators: tuple[Member, ...]
    countries: tuple[str, ...]
    organisations: tuple[str, ...]
    alerts: tuple[str, ...]
    severity: int
    confidence: int
    p_value: float | None
    reasons: tuple[Why, ...]
    tlp: Tlp
    first_told: int
    grown_at: int
    confidence_word: str
    admiralty: str
    corroboration: tuple[Witness, ...]
    sightings: tuple[Seen, ...] = ()
    sightings_omitted: int | msgspec.UnsetType = msgspec.UNSET
    merged_into: str | msgspec.UnsetType = msgspec.UNSET
    split_from: str | msgspec.UnsetType = msgspec.UNSET
    withdrawn: bool | msgspec.UnsetType = msgspec.UNSET
    label: Word | msgspec.UnsetType = msgspec.UNSET
    exercise: Flag = msgspec.UNSET
    pap: Pap | msgspec.UnsetType = msgspec.UNSET
    unnamed: int | msgspec.UnsetType = msgspec.UNSET
    indicators_omitted: int | msgspec.UnsetType = msgspec.UNSET
    alerts_omitted: int | msgspec.UnsetType = msgspec.UNSET


def member_order(one: Member) -> tuple[int, str]:
    """By type, in the order that types have, then by value."""
    return _ORDER[one.type], one.value


def identity(one: Indicator) -> str:
    """The id of a campaign whose oldest alert is of this indicator."""
    return str(uuid5(_NAMESPACE, "\0".join(one)))


def campaigns(
    evidence: Evidence,
    found: Iterable[Grouping],
    matches: Iterable[Match],
    terms: Terms,
    trust: Trust,
) -> list[Campaign]:
    """The campaigns that groups and alerts come to, the oldest first.

    A group that no alert belongs to is no campaign. It is labelled as the strictest of what those
    say who saw it.
    """
    of: dict[Indicator, list[Match]] = defaultdict(list)
    for match in matches:
        of[match.indicator].append(match)
    made = [
        _campaign(evidence, group, alerts, terms, trust)
        for group in found
        if (alerts := [alert for member in group.members for alert in of.get(member, ())])
    ]
    return sorted(made, key=oldest_first)


def oldest_first(campaign: Campaign) -> tuple[int, str]:
    return campaign.first_seen, campaign.id


def _campaign(
    evidence: Evidence,
    group: Grouping,
    matches: list[Match],
    terms: Terms,
    trust: Trust,
) -> Campaign:
    members = sorted(group.members, key=lambda one: (_ORDER[one[0]], one[1]))
    ordered = sorted(matches, key=lambda match: (match.first_seen, match.indicator, match.id))
    seen: dict[str, int] = {}
    since: dict[str, int] = {}
    first, last, grown = min(match.first_seen for match in ordered), 0, 0
    for one in members:
        came = min(fact.first for fact in evidence.facts[one].values())
        first, grown = min(first, came), max(grown, came)
        for (party, _), fact in evidence.facts[one].items():
            last = max(last, fact.last)
            of = evidence.parties.all[party]
            seen[of.organisation] = max(seen.get(of.organisation, 0), fact.last)
            for who in (f"country {of.country}", of.organisation):
                since[who] = min(since.get(who, fact.first), fact.first)
    grown = max(grown, *since.values())
    sure = confidence(trust, seen)
    rows = list(_sightings(evidence, members))
    sightings, omitted = bounded(rows)
    return Campaign(
        id=identity(ordered[0].indicator),
        status=status(grown, last, evidence.latest),
        first_seen=first,
        last_seen=last,
        indicators=tuple(Member(*one) for one in members),
        countries=tuple(sorted({name for one in members for name in evidence.countries(one)})),
        organisations=tuple(sorted(seen)),
        alerts=tuple(match.id for match in ordered),
        severity=max(match.severity for match in ordered),
        confidence=sure.number,
        p_value=together([m.p_value for m in ordered if m.p_value is not None]),
        reasons=tuple(
            Why(*one, _sentence(one, group.members[one]), group.members[one].p) for one in members
        ),
        tlp=strictest_tlp(terms.of(row.organisation).label(row.tlp or None) for row in rows),
        pap=strictest_pap(terms.of(row.organisation).use(row.pap or None) for row in rows),
        first_told=min(reason.known_at for reason in group.members.values()),
        grown_at=grown,
        confidence_word=sure.word,
        admiralty=sure.grade,
        corroboration=sure.witnesses,
        sightings=sightings,
        sightings_omitted=omitted or msgspec.UNSET,
    )


def _sightings(evidence: Evidence, members: Iterable[Indicator]) -> Iterator[Seen]:
    """By member, party and label, when it was seen."""
    for one in members:
        of: dict[tuple[int, Mark], list[Marked]] = defaultdict(list)
        for (party, _), fact in evidence.facts[one].items():
            for marked in fact.marked or (Marked(UNMARKED, fact.first, fact.last),):
                of[party, marked.mark].append(marked)
        for (party, mark), seen in of.items():
            who = evidence.parties.all[party]
            first, last = min(each.first for each in seen), max(each.last for each in seen)
            tlp = Tlp(mark.tlp) if mark.tlp else msgspec.UNSET
            pap = Pap(mark.pap) if mark.pap else msgspec.UNSET
            yield Seen(*one, who.organisation, who.country, first, last, len(seen), tlp, pap)


def bounded(sightings: Iterable[Seen], most: int = MOST_SEEN) -> tuple[tuple[Seen, ...], int]:
    """The earliest first, and how many are left out. Each party's first is the last to go."""
    ordered = sorted(sightings, key=_earliest_first)
    if len(ordered) <= most:
        return tuple(ordered), 0
    firsts: dict[tuple[str, str], Seen] = {}
    for one in ordered:
        firsts.setdefault((one.organisation, one.country), one)
    kept = set(list(firsts.values())[:most])
    for one in ordered:
        if len(kept) == most:
            break
        kept.add(one)
    return tuple(one for one in ordered if one in kept), len(ordered) - most


def _earliest_first(one: Seen) -> tuple[int, *tuple[str, ...]]:
    tlp, pap = one.tlp or "", one.pap or ""
    return one.first_seen, one.type, one.value, one.organisation, one.country, tlp, pap


def status(grown_at: int, last_seen: int, latest: int) -> Status:
    """Where a campaign is in its life when time has come to `latest`, ms."""
    if latest - last_seen > CLOSED_MS:
        return Status.CLOSED
    if latest - last_seen > DORMANT_MS:
        return Status.DORMANT
    return Status.GROWING if latest - grown_at <= GROWING_MS else Status.OPEN


def together(p_values: Sequence[float]) -> float | None:
    """One p-value of several that depend on each other in any way: e times their geometric mean.

    Source: V. Vovk, R. Wang, "Combining p-values via averaging", Biometrika 107 (2020). To three
    digits, as each of them is.
    """
    if not p_values:
        return None
    if min(p_values) <= 0.0:
        return 0.0
    mean = fsum(log(p) for p in sorted(p_values)) / len(p_values)
    return min(1.0, float(f"{exp(1.0 + mean):.3g}"))


def _sentence(one: Indicator, reason: Reason) -> str:
    other = reason.other if reason.one == one else reason.one
    whom = "the others" if other is None else f"{other[0]} {other[1]}"
    said: list[str] = []
    if kept := reason.company:
        said.append(f"{kept.hits} of {kept.drawn} sightings in the same events")
    if shared := reason.presence:
        said.append(f"{shared.hits} of {shared.visits} visits beside each other's")
    if reason.acquaintances and reason.acquaintances.hits:
        said.append(f"{reason.acquaintances.hits} acquaintances in common")
    if reason.part:
        said.append("the one is the other's host")
    if reason.kin is not None:
        said.append("of one network")
    if typed := reason.alike:
        said.append(f"near-equal commands, which came with {typed.having} of {typed.of}")
    return f"with {whom}: {', '.join(said)}"


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Campaign).decode


def by_id(campaigns: Iterable[Campaign]) -> Mapping[str, Campaign]:
    return {campaign.id: campaign for campaign in campaigns}
