"""Indicators to groups: what belongs together, and why. No I/O here.

All of it is a function of the evidence: what came in which order, how often and in which batches
changes nothing. Two indicators are joined by one highly specific kind of evidence, or by two
independent ones that are so together. Nothing is joined through what is common: what everybody uses
has company that does not keep to it, who is always there shares nobody's visits, what everybody
types tells nobody apart, and what is known to be benign, or endemic, is no member. Then each group
takes in what keeps to it as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from pipeline.campaign.company import CompanyKept, InCommon, Kept, facet
from pipeline.campaign.evidence import Evidence
from pipeline.campaign.kin import Kin
from pipeline.campaign.likeness import Alike, Likeness
from pipeline.campaign.presence import Presence, Shared
from pipeline.campaign.union import Union
from pipeline.indicator import Indicator
from pipeline.indicator_type import DOMAIN, URL

ALPHA = 0.01
"""The chance that anything at all is joined by chance: it is shared by all tests of a kind."""
SOME = 1e-3
"""The chance beyond which one of two kinds of evidence says nothing."""
_ROUNDS = 4
MOST_MEMBERS = 400
"""A larger group is taken apart: it is joined again by stronger evidence only."""
_STRICTER = 1e-3


class Reason(Struct, frozen=True):
    """Why `one` belongs: with what, by what kinds of evidence, how likely by chance. ms."""

    one: Indicator
    other: Indicator | None
    company: Kept | None
    presence: Shared | None
    acquaintances: InCommon | None
    part: bool
    known_at: int
    kin: float | None = None
    alike: Alike | None = None

    @property
    def p(self) -> float:
        return (
            (1.0 if self.kin is None else self.kin)
            # Company and commands are of the same events: they are one.
            * min(self.company.p if self.company else 1.0, self.alike.p if self.alike else 1.0)
            * (self.presence.p if self.presence else 1.0)
            * (self.acquaintances.p if self.acquaintances else 1.0)
        )

    @property
    def by_commands(self) -> bool:
        """Do near-equal commands weigh in it?"""
        return self.alike is not None and self.alike.p <= ALPHA


class Grouping(Struct, frozen=True):
    """One group: its members, each with why it belongs."""

    members: Mapping[Indicator, Reason]


def candidates(evidence: Evidence) -> set[Indicator]:
    """The indicators that may belong to a campaign: met in enough countries, not everywhere."""
    least = evidence.least_countries
    return {
        one
        for one, facts in evidence.telling()
        if len(facts) >= least and len(evidence.countries(one)) >= least
    }


def groups(evidence: Evidence, members: Collection[Indicator]) -> list[Grouping]:
    """All groups that the evidence comes to, in no order that means anything.

    `members`: the candidates that may join anything.
    """
    company, presence = CompanyKept(evidence, members), Presence(evidence, members)
    likeness = Likeness(evidence, members)
    tests = max(len(members) * (len(members) - 1) // 2, 1)
    edges = _edges(company, presence, Kin(evidence), likeness, members, ALPHA / tests)
    found = _clusters(edges, 1.0)
    grown = _grow(company, presence, likeness, found, members, ALPHA / max(len(members), 1))
    return [Grouping(group) for group in grown]


def _edges(
    company: CompanyKept,
    presence: Presence,
    kin: Kin,
    likeness: Likeness,
    members: Collection[Indicator],
    level: float,
) -> list[Reason]:
    kept: dict[tuple[Indicator, Indicator], Kept] = {}
    for one, other, tie in company.ties():
        pair = (min(one, other), max(one, other))
        # Of two that are as likely by chance it must not be the order that decides.
        if pair not in kept or _rarest_first(tie) < _rarest_first(kept[pair]):
            kept[pair] = tie
    typed = set(likeness.ties())
    asked = kept.keys() | typed
    shared = {(one, other): tie for one, other, tie in presence.ties(max(SOME, level), asked)}
    hosts = {one[1]: one for one in sorted(members) if one[0] == DOMAIN}
    parts: set[tuple[Indicator, Indicator]] = set()
    for one in members:
        if one[0] == URL and (host := hosts.get(_host(one[1]))) is not None:
            pair = (host, one)
            parts.add(pair)
            beside = presence.beside(one, host)
            if pair not in shared and beside is not None:
                shared[pair] = beside
    edges: list[Reason] = []
    for pair in sorted(asked | shared.keys()):
        if company.same_thing(*pair):
            continue
        together = shared.get(pair)
        acquaintances = (
            company.in_common(*pair) if together is not None and together.p <= SOME else None
        )
        of_one = kin.chance(*pair)
        reason = judge(
            *pair, kept.get(pair), together, acquaintances, of_one, level, pair in parts,
            likeness.shared(*pair),
        )  # fmt: skip
        if reason is not None:
            edges.append(reason)
    return edges


def judge(
    one: Indicator,
    other: Indicator | None,
    kept: Kept | None,
    shared: Shared | None,
    acquaintances: InCommon | None,
    kin: float | None,
    level: float,
    part: bool = False,
    alike: Alike | None = None,
) -> Reason | None:
    """The reason why one belongs with another, or None if there is none that is good enough."""
    there = shared is not None and shared.telling
    times = [tie.known_at for tie in (kept, shared) if tie is not None]
    specific = [kept.known_at] if kept and kept.p <= level else []
    if alike and alike.is_rare and alike.p <= level:
        specific.append(alike.known_at)
    # Two of one type that are at work at the same places are often two at work.
    same = other is not None and other[0] == one[0]
    if shared and there and shared.p <= level and not same:
        specific.append(shared.known_at)
    if specific:
        known = min(specific)
    elif kept and shared and max(kept.p, shared.p) <= SOME and kept.p * shared.p <= level:
        known = max(times)
    elif alike and shared and max(alike.p, shared.p) <= SOME and alike.p * shared.p <= level:
        known = max(alike.known_at, shared.known_at)
    elif (
        shared
        and shared.p <= SOME
        and (
            part
            or (acquaintances and acquaintances.p <= level)
            or (kin is not None and kin <= SOME and shared.p * kin <= level)
        )
    ):
        known = shared.known_at
    else:
        return None
    return Reason(one, other, kept, shared, acquaintances, part, known, kin, alike)


def _rarest_first(tie: Kept) -> tuple[float, int, int]:
    return tie.p, tie.drawn, tie.known_at


def _host(url: str) -> str:
    """The host of a URL in canonical form, without user and port."""
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    return authority.rpartition("@")[2].partition(":")[0]


def _clusters(edges: Iterable[Reason], level: float) -> list[dict[Indicator, Reason]]:
    """The connected components, but for those of one facet, which say one thing, unless it is
    addresses of one network, or what came with near-equal commands; too large ones by stronger
    edges.
    """
    strong = [edge for edge in edges if edge.p <= level]
    union = Union[Indicator]()
    for edge in strong:
        assert edge.other is not None
        union.join(edge.one, edge.other)
    parts: dict[Indicator, list[Reason]] = defaultdict(list)
    for edge in strong:
        parts[union.head(edge.one)].append(edge)
    found: list[dict[Indicator, Reason]] = []
    for part in parts.values():
        members: dict[Indicator, Reason] = {}
        for edge in part:
            for one in (edge.one, edge.other):
                assert one is not None
                if one not in members or (edge.p, edge.one) < (members[one].p, members[one].one):
                    members[one] = edge
        if len(members) > MOST_MEMBERS:
            tighter = min(level, max(edge.p for edge in part)) * _STRICTER
            if tighter > 0.0:
                found += _clusters(part, tighter)
        elif len({facet(kind) for kind, _ in members}) > 1 or any(
            edge.kin is not None or edge.by_commands for edge in part
        ):
            found.append(members)
    return found


def _grow(
    company: CompanyKept,
    presence: Presence,
    likeness: Likeness,
    found: list[dict[Indicator, Reason]],
    members: Collection[Indicator],
    level: float,
) -> list[dict[Indicator, Reason]]:
    for _ in range(_ROUNDS):
        taken = {one for group in found for one in group}
        best: dict[Indicator, tuple[float, Indicator, int, Reason]] = {}
        for number, group in enumerate(found):
            marked = company.sightings_with(group)
            about, things = presence.about(group), likeness.things(group)
            for one in members:
                if one in taken:
                    continue
                kept = company.kept_to(one, group.keys(), marked)
                shared = presence.with_group(one, about)
                typed = likeness.with_group(one, things)
                reason = judge(one, None, kept, shared, None, None, level / len(found), alike=typed)
                if reason is None:
                    continue
                mine = (reason.p, min(group), number, reason)
                if one not in best or mine[:2] < best[one][:2]:
                    best[one] = mine
        if not best:
            break
        for one, (_, _, number, reason) in best.items():
            if len(found[number]) < MOST_MEMBERS:
                found[number][one] = reason
    return found
