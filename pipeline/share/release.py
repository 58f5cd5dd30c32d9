"""What a recipient may see of a campaign: the one policy, of every egress. No I/O here.

    release(campaign, terms, recipient) -> a Campaign of the same type, or None: nothing of it

Each sighting is its organisation's: that one's terms decide whether the recipient may have it, and
how much of who saw it. All else in the view is worked out anew from the sightings that are left, so
that what a recipient may not see changes nothing that it gets. What is denied, or not said, is not
released.

         of one organisation   several       everybody who    the public
         (direct)              (shared)      takes part
RED      its own only          -             -                -
AMBER+S  if it may have it     -             -                -
AMBER    if it may have it     if they may   -                -
GREEN    if it may have it     if they may   if it may        -
CLEAR    if it may have it     if they may   if it may        if it may

What still comes from everything: that the members were put together at all, and that this does not
stand any more (merged, withdrawn, found to be false).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec import Struct

from pipeline.campaign.campaign import (
    Campaign,
    Member,
    Seen,
    Status,
    Why,
    Word,
    bounded,
    identity,
    member_order,
    status,
)
from pipeline.campaign.confidence import Trust, confidence
from pipeline.campaign.label import Verdict
from pipeline.share.credential import covered, kept
from pipeline.share.terms import (
    ALLIANCE,
    COMMUNITY,
    PUBLIC,
    Conditions,
    Granularity,
    Terms,
    coarsest,
)
from pipeline.share.tlp import Pap, Tlp, strictest_pap, strictest_tlp

MASKED = ""
"""In place of an organisation, or a country, that is not told."""
_INFORMATIONAL = 1
_SEVERITIES = (2, 3, 4)
"""Low, medium, high: of what one, two, or more organisations saw."""


class Kind(StrEnum):
    """What a recipient is."""

    ORGANISATION = "organisation"
    CSIRT = "csirt"
    ALLIANCE = "alliance"
    COMMUNITY = "community"
    """Everybody who takes part."""
    PUBLIC = "public"


class Egress(StrEnum):
    """Who reads what leaves this way."""

    DIRECT = "direct"
    """One organisation: its own topic, mail or collection."""
    SHARED = "shared"
    """Several: a topic, collection or feed of them all."""


class Reader(NamedTuple):
    """One who reads: an organisation or a CSIRT, or with no name all of a country."""

    name: str
    country: str


class Recipient(Struct, frozen=True):
    """Who is to have it, and on what way.

    `readers`: itself, or those members of an alliance who read it; `members`: those who may put
    something into it. `blocking`: what is released drives a block.
    What an alliance's policy adds: `granularity`, the most that is told of who saw it, and `types`,
    the indicator types that are told of; all if empty.
    """

    kind: Kind
    id: str = ""
    readers: tuple[Reader, ...] = ()
    egress: Egress = Egress.SHARED
    blocking: bool = False
    granularity: Granularity = Granularity.ORGANISATION
    types: frozenset[str] = frozenset()
    members: tuple[Reader, ...] = ()

    def has(self, organisation: str, country: str) -> bool:
        """Is it a member, by itself or with its country?"""
        return any(
            one.name == organisation if one.name else one.country == country for one in self.members
        )

    def is_one_of(self, organisation: str) -> bool:
        """Is it that organisation itself, on a way of its own?"""
        return (self.kind, self.egress, self.id) == (
            Kind.ORGANISATION, Egress.DIRECT, organisation,
        )  # fmt: skip

    @property
    def most(self) -> Tlp:
        """The strictest label that it may be given of others."""
        if self.kind is Kind.PUBLIC:
            return Tlp.CLEAR
        if self.kind is Kind.COMMUNITY:
            return Tlp.GREEN
        if self.kind is Kind.ALLIANCE or self.egress is Egress.SHARED:
            return Tlp.AMBER
        return Tlp.AMBER_STRICT


def organisation(identity: str, country: str, *, egress: Egress = Egress.DIRECT) -> Recipient:
    """An organisation that takes part, on a way of its own."""
    return Recipient(Kind.ORGANISATION, identity, (Reader(identity, country),), egress)


def csirt(identity: str, country: str, *, egress: Egress = Egress.DIRECT) -> Recipient:
    """A CSIRT, on a way of its own."""
    return Recipient(Kind.CSIRT, identity, (Reader(identity, country),), egress)


THE_COMMUNITY = Recipient(Kind.COMMUNITY)
THE_PUBLIC = Recipient(Kind.PUBLIC)


def granted(whose: str, conditions: Conditions, recipient: Recipient) -> Granularity | None:
    """What an organisation lets a recipient know of who saw it; None: it may not have it.

    Of several grants the finest; what several read, each of them must be granted. To an alliance
    as such only its members give.
    """
    grants: dict[str, Granularity] = {}
    for grant in conditions.releasable_to:
        known = grants.get(grant.to, Granularity.COUNT)
        grants[grant.to] = min(known, grant.granularity, key=lambda one: one.coarseness)
    to_all = [PUBLIC] if recipient.kind is Kind.PUBLIC else [PUBLIC, COMMUNITY]
    if recipient.kind is Kind.ALLIANCE and recipient.has(whose, conditions.country):
        to_all.append(ALLIANCE + recipient.id)
    at_once = _finest(grants, to_all)
    if recipient.kind in {Kind.PUBLIC, Kind.COMMUNITY} or not recipient.readers:
        return at_once
    # Whoever is no organisation by name has none that could be granted.
    of_each = [_finest(grants, [*filter(None, reader), *to_all]) for reader in recipient.readers]
    whole = None if None in of_each else coarsest(one for one in of_each if one is not None)
    offered = [one for one in (at_once, whole) if one is not None]
    return min(offered, key=lambda one: one.coarseness, default=None)


def _finest(grants: Mapping[str, Granularity], names: Iterable[str]) -> Granularity | None:
    found = [grants[name] for name in names if name in grants]
    return min(found, key=lambda one: one.coarseness, default=None)


class _Shown(NamedTuple):
    """A sighting that is released: as it is told, and whose it is."""

    told: Seen
    organisation: str
    tlp: Tlp
    pap: Pap


def _in_digests(seen: Seen) -> Seen:
    """The sighting as it may leave: of no credential in clear."""
    if kept(seen.type, seen.value):
        return seen
    return msgspec.structs.replace(seen, value=covered(seen.type, seen.value))


def _shown(campaign: Campaign, terms: Terms, recipient: Recipient) -> Iterator[_Shown]:
    """The sightings that the recipient may see, as it may."""
    allowed: dict[str, Granularity | None] = {}
    most = recipient.most.strictness
    for seen in map(_in_digests, campaign.sightings):
        if recipient.types and seen.type not in recipient.types:
            continue
        whose = seen.organisation
        conditions = terms.of(whose)
        tlp, pap = conditions.label(seen.tlp or None), conditions.use(seen.pap or None)
        if recipient.blocking and pap.strictness > Pap.GREEN.strictness:
            continue
        if recipient.is_one_of(whose):
            yield _Shown(seen, whose, tlp, pap)
            continue
        if whose not in allowed:
            allowed[whose] = granted(whose, conditions, recipient)
        granularity = allowed[whose]
        if granularity is None or tlp.strictness > most:
            continue
        granularity = coarsest((granularity, recipient.granularity))
        if granularity is Granularity.COUNT:
            told = msgspec.structs.replace(seen, organisation=MASKED, country=MASKED)
        elif granularity is Granularity.COUNTRY:
            told = msgspec.structs.replace(seen, organisation=MASKED)
        else:
            told = seen
        yield _Shown(told, whose, tlp, pap)


def release(
    campaign: Campaign, terms: Terms, recipient: Recipient, at: int | None = None
) -> Campaign | None:
    """The campaign as a recipient may see it; None if it may see nothing of it.

    `at`: how far time has come, ms; without it nothing is said of how lively the campaign is. A
    view has no alerts and no p-value, which were counted from everything; `unnamed` is how many
    organisations are in it that are not named; one that is merged does not say into what
    (`views` does).
    """
    shown = list(_shown(campaign, terms, recipient))
    if not shown:
        return None
    rows, _ = bounded(_joined(shown))
    since: dict[Member, int] = {}
    parties: dict[str, int] = {}
    for row in rows:
        member = Member(row.type, row.value)
        since[member] = min(since.get(member, row.first_seen), row.first_seen)
        for who in (f"country {row.country}", row.organisation):
            parties[who] = min(parties.get(who, row.first_seen), row.first_seen)
    members = sorted(since, key=member_order)
    oldest = min(rows, key=lambda row: (row.first_seen, row.type, row.value))
    seen = _last_seen(shown)
    sure = confidence(Trust(terms.trust), seen)
    grown = max(*since.values(), *parties.values())
    last = max(row.last_seen for row in rows)
    organisations = sorted({row.organisation for row in rows} - {MASKED})
    countries = sorted({row.country for row in rows} - {MASKED})
    retracted = _retracted(campaign)
    return Campaign(
        id=identity((oldest.type, oldest.value)),
        status=_status(campaign, retracted, grown, last, at),
        first_seen=oldest.first_seen,
        last_seen=last,
        indicators=tuple(members),
        countries=tuple(countries),
        organisations=tuple(organisations),
        alerts=(),
        severity=_INFORMATIONAL if retracted else _SEVERITIES[min(len(seen), 3) - 1],
        confidence=sure.number,
        p_value=None,
        reasons=_reasons(members, shown),
        tlp=strictest_tlp(one.tlp for one in shown),
        pap=strictest_pap(one.pap for one in shown),
        first_told=sorted(since.values())[:2][-1],
        grown_at=grown,
        confidence_word=sure.word,
        admiralty=sure.grade,
        corroboration=tuple(one for one in sure.witnesses if one.organisation in organisations),
        sightings=rows,
        withdrawn=campaign.withdrawn,
        exercise=campaign.exercise,
        label=_verdict(campaign),
        unnamed=len(seen) - len(organisations) or msgspec.UNSET,
    )


def aged(view: Campaign, campaign: Campaign, at: int) -> Campaign:
    """What `release` gives at a time, ms, from what it gave at another: time changes only how
    lively a campaign is.
    """
    retracted = _retracted(campaign)
    now = _status(campaign, retracted, view.grown_at, view.last_seen, at)
    return view if view.status is now else msgspec.structs.replace(view, status=now)


def _joined(shown: Iterable[_Shown]) -> list[Seen]:
    """One row for each member and party as it is told, with the strictest of its labels."""
    parts: dict[tuple[str, str, str, str], list[_Shown]] = defaultdict(list)
    for one in shown:
        told = one.told
        parts[told.type, told.value, told.organisation, told.country].append(one)
    return [
        Seen(
            *whose,
            first_seen=min(one.told.first_seen for one in part),
            last_seen=max(one.told.last_seen for one in part),
            slices=max(one.told.slices for one in part),
            tlp=strictest_tlp(one.tlp for one in part),
            pap=strictest_pap(one.pap for one in part),
        )
        for whose, part in parts.items()
    ]


def _last_seen(shown: Iterable[_Shown]) -> dict[str, int]:
    """When each organisation last saw it, those that are not named as nobody knows them."""
    named: dict[str, int] = {}
    unnamed: dict[str, int] = {}
    for one in shown:
        of = named if one.told.organisation else unnamed
        of[one.organisation] = max(of.get(one.organisation, 0), one.told.last_seen)
    # By when they saw it: not even their order tells who they are.
    numbered = {f"\0{n:06}": last for n, last in enumerate(sorted(unnamed.values()))}
    return named | numbered


def _reasons(members: Iterable[Member], shown: Iterable[_Shown]) -> tuple[Why, ...]:
    """By how many each member was seen: why it belongs was worked out from everything."""
    by: dict[Member, set[str]] = defaultdict(set)
    for one in shown:
        by[Member(one.told.type, one.told.value)].add(one.organisation)
    return tuple(
        Why(one.type, one.value, f"organisations that saw it: {len(by[one])}", 1.0)
        for one in members
    )


def _retracted(campaign: Campaign) -> bool:
    return bool(campaign.withdrawn or _verdict(campaign))


def _status(campaign: Campaign, retracted: bool, grown: int, last: int, at: int | None) -> Status:
    if campaign.status is Status.MERGED:
        return Status.MERGED
    if retracted:
        return Status.CLOSED
    return Status.OPEN if at is None else status(grown, last, at)


def _verdict(campaign: Campaign) -> Word | msgspec.UnsetType:
    """That it was found to be none; who says so, and on what ground, stays here."""
    label = campaign.label
    if not label or label.verdict is Verdict.CONFIRMED:
        return msgspec.UNSET
    return Word(label.verdict, MASKED, MASKED, label.confidence, label.at)
