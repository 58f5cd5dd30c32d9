"""Groups and alerts to campaigns, as the world reads them. No I/O here.

A campaign is named after its oldest alert. So it keeps its id whatever joins it; when two are
joined the older one's id stays; a replay in any order comes to the same ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from enum import StrEnum
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from pipeline.alert import SEVERITY
from pipeline.campaign.evidence import Evidence
from pipeline.campaign.group import Grouping, Reason, groups
from pipeline.episode import Episode
from pipeline.indicator import Indicator
from pipeline.indicator_type import INDICATOR_TYPES

_NAMESPACE = UUID("2f0b6c55-6d0e-5b0c-8d4d-93c0f2a7e1b4")
_TLP = "AMBER"  # until routing says otherwise: not beyond those who take part
_ORDER = {kind: number for number, kind in enumerate(INDICATOR_TYPES)}


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


class Campaign(Struct, frozen=True):
    """One revision of a campaign. Times in ms.

    `first_told` is the event time of the sighting with which the first two of it could be joined,
    judged by all that is known now. `p_value` is null: no surprise is reckoned yet. `confidence`
    counts organisations: 100 * (1 - 0.5 ** n).
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
    tlp: str
    first_told: int


def campaigns(
    evidence: Evidence, alerts: Iterable[Episode], left_out: Collection[Indicator] = ()
) -> list[Campaign]:
    """The campaigns that the evidence and the alerts come to, the oldest first.

    `alerts`: each once. A group that no alert belongs to is no campaign. Indicators of `left_out`,
    known to be benign, join nothing.
    """
    of: dict[Indicator, list[Episode]] = defaultdict(list)
    for episode in alerts:
        of[episode.rule.indicator_type, episode.value].append(episode)
    made = [
        _campaign(evidence, group, episodes)
        for group in groups(evidence, left_out)
        if (episodes := [episode for member in group.members for episode in of.get(member, ())])
    ]
    return sorted(made, key=lambda campaign: (campaign.first_seen, campaign.id))


def _campaign(evidence: Evidence, group: Grouping, episodes: list[Episode]) -> Campaign:
    members = sorted(group.members, key=lambda one: (_ORDER[one[0]], one[1]))
    ordered = sorted(episodes, key=lambda episode: (episode.first_seen, episode.id))
    facts = [fact for one in members for fact in evidence.facts[one].values()]
    organisations = sorted({name for one in members for name in evidence.organisations(one)})
    return Campaign(
        id=str(uuid5(_NAMESPACE, ordered[0].id)),
        status=Status.CLOSED,
        first_seen=min(fact.first for fact in facts),
        last_seen=max(fact.last for fact in facts),
        indicators=tuple(Member(*one) for one in members),
        countries=tuple(sorted({name for one in members for name in evidence.countries(one)})),
        organisations=tuple(organisations),
        alerts=tuple(episode.id for episode in ordered),
        severity=max(SEVERITY[episode.rule.level] for episode in episodes),
        confidence=round(100 * (1 - 0.5 ** len(organisations))),
        p_value=None,
        reasons=tuple(
            Why(*one, _sentence(one, group.members[one]), group.members[one].p) for one in members
        ),
        tlp=_TLP,
        first_told=min(reason.known_at for reason in group.members.values()),
    )


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
    return f"with {whom}: {', '.join(said)}"


encode = msgspec.json.Encoder().encode
