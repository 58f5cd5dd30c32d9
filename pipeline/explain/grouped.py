"""Why a campaign is there, and why each of its members belongs. No I/O here.

The edges are those that joined it (`pipeline.campaign.group`), asked of the desk that holds the
evidence; in words, as the campaign itself says them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign, Member, Word
from pipeline.campaign.company import InCommon, Kept
from pipeline.campaign.confidence import Witness
from pipeline.campaign.group import Grouping, Reason
from pipeline.campaign.likeness import Alike
from pipeline.campaign.presence import Shared
from pipeline.explain.found import Country, sources_of
from pipeline.explain.inquiry import Inquiry, Source
from pipeline.indicator import Indicator

MOST_SOURCES = 100
"""Raw events that are named of one member."""


class Edge(Struct, frozen=True):
    """With what a member was joined (None: with the others as a whole), and by what evidence; each
    kind says how likely it is by chance. `kin` is that of lying in one network, `alike` is of
    near-equal commands.
    """

    other: Member | None
    p: float
    company: Kept | None
    presence: Shared | None
    acquaintances: InCommon | None
    part: bool
    kin: float | None
    alike: Alike | None


class MemberExplained(Struct, frozen=True):
    """One member. `edge` is None where its evidence is not among what was read."""

    type: str
    value: str
    why: str
    p: float
    edge: Edge | None
    seen: tuple[Country, ...]
    sources: tuple[Source, ...]
    sources_omitted: int


class AlertOfIt(Struct, frozen=True):
    """One of its alerts; what is not known of it is None."""

    id: str
    title: str | None
    value: str | None
    p_value: float | None


class CampaignExplained(Struct, frozen=True):
    """Why one campaign is there, or was. Times in ms. `countries` are in the order in which they
    saw it; the last four are as of `Campaign`, or None.
    """

    id: str
    status: str
    first_seen: int
    last_seen: int
    first_told: int
    severity: int
    confidence: int
    confidence_word: str
    admiralty: str
    p_value: float | None
    countries: tuple[Country, ...]
    organisations: tuple[str, ...]
    corroboration: tuple[Witness, ...]
    members: tuple[MemberExplained, ...]
    alerts: tuple[AlertOfIt, ...]
    merged_into: str | None
    split_from: str | None
    withdrawn: bool
    label: Word | None


def explained(
    campaign: Campaign,
    alerts: Mapping[str, Alert],
    groups: Iterable[Grouping],
    inquiry: Inquiry,
) -> CampaignExplained:
    """`alerts` by id; `groups`: what belongs together by what was read."""
    reasons = _reasons(campaign, groups)
    return CampaignExplained(
        id=campaign.id,
        status=campaign.status,
        first_seen=campaign.first_seen,
        last_seen=campaign.last_seen,
        first_told=campaign.first_told,
        severity=campaign.severity,
        confidence=campaign.confidence,
        confidence_word=campaign.confidence_word,
        admiralty=campaign.admiralty,
        p_value=campaign.p_value,
        countries=_countries(campaign),
        organisations=campaign.organisations,
        corroboration=campaign.corroboration,
        members=tuple(
            _member(why.type, why.value, why.why, why.p, reasons, campaign, inquiry)
            for why in campaign.reasons
        ),
        alerts=tuple(_alert(identity, alerts.get(identity)) for identity in campaign.alerts),
        merged_into=campaign.merged_into or None,
        split_from=campaign.split_from or None,
        withdrawn=bool(campaign.withdrawn),
        label=campaign.label or None,
    )


def _reasons(campaign: Campaign, groups: Iterable[Grouping]) -> Mapping[Indicator, Reason]:
    """Those of the group that shares most with it."""
    ours = {(one.type, one.value) for one in campaign.indicators}
    best: Mapping[Indicator, Reason] = {}
    for group in groups:
        if len(ours & group.members.keys()) > len(ours & best.keys()):
            best = group.members
    return best


def _member(
    kind: str,
    value: str,
    why: str,
    p: float,
    reasons: Mapping[Indicator, Reason],
    campaign: Campaign,
    inquiry: Inquiry,
) -> MemberExplained:
    one = (kind, value)
    within = sources_of(one, inquiry, campaign.first_seen, campaign.last_seen)
    return MemberExplained(
        kind,
        value,
        why,
        p,
        edge=_edge(one, reason) if (reason := reasons.get(one)) else None,
        seen=_countries(campaign, one),
        sources=tuple(within[:MOST_SOURCES]),
        sources_omitted=max(len(within) - MOST_SOURCES, 0),
    )


def _edge(one: Indicator, reason: Reason) -> Edge:
    other = reason.other if reason.one == one else reason.one
    return Edge(
        None if other is None else Member(*other),
        reason.p,
        reason.company,
        reason.presence,
        reason.acquaintances,
        reason.part,
        reason.kin,
        reason.alike,
    )


def _countries(campaign: Campaign, one: Indicator | None = None) -> tuple[Country, ...]:
    """Who saw it, or one member of it, as the campaign says."""
    seen = [of for of in campaign.sightings if one is None or (of.type, of.value) == one]
    found = [
        Country(
            country,
            min(of.first_seen for of in seen if of.country == country),
            max(of.last_seen for of in seen if of.country == country),
            tuple(sorted({of.organisation for of in seen if of.country == country})),
        )
        for country in {of.country for of in seen}
    ]
    return tuple(sorted(found, key=lambda of: (of.first_seen, of.country)))


def _alert(identity: str, alert: Alert | None) -> AlertOfIt:
    if alert is None:
        return AlertOfIt(identity, None, None, None)
    return AlertOfIt(
        identity, alert.finding_info.title, alert.observables[0].value, alert.unmapped.p_value
    )


encode = msgspec.json.Encoder().encode
