"""Whose company an indicator keeps, beyond chance. No I/O here.

If its sightings were any of its type's, so many of them would come with a given companion by
chance: the hypergeometric tail says how likely it is that so many did. Companions of the same
facet (a JA3 and a JA4, a URL and its host) say the same thing twice and count for nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

from pipeline.campaign.chance import hypergeometric_tail
from pipeline.campaign.evidence import Evidence
from pipeline.indicator import Indicator
from pipeline.surprise import SHARED

_FACETS = {
    **dict.fromkeys(("md5", "sha1", "sha256"), "file"),
    **dict.fromkeys(("ja3", "ja4"), "client"),
    **dict.fromkeys(("domain", "url"), "name"),
}
_COUNTRIES = 3
_NOTICED = 0.1
"""The part of its company that a type must have to be asked whether it keeps to an indicator."""
MOST = 0.5
"""The part of an indicator's sightings that must come with another for it to keep to it."""


def facet(kind: str) -> str:
    """What an indicator type tells of: types of one facet are no independent evidence."""
    return _FACETS.get(kind, kind)


class Kept(Struct, frozen=True):
    """Of `drawn` sightings of an indicator `hits` came with certain others: `p` by chance."""

    hits: int
    drawn: int
    p: float
    known_at: int
    """When the third country of these hits had been seen, ms, or the last if there are fewer."""


class InCommon(Struct, frozen=True):
    """Of `drawn` acquaintances of one, `hits` are another's, too: `p` by chance."""

    hits: int
    drawn: int
    p: float


class CompanyKept:
    """The company of all indicators, and how common it is."""

    def __init__(self, evidence: Evidence, members: Collection[Indicator]) -> None:
        """`members`: those that may belong to a campaign."""
        self._facts = evidence.facts
        self._parties = evidence.parties.all
        self._sightings: Counter[str] = Counter()
        self._met: Counter[tuple[str, Indicator]] = Counter()
        self._known_by: dict[Indicator, set[Indicator]] = defaultdict(set)
        self._kinds_met: dict[Indicator, frozenset[str]] = {}
        self._with: dict[Indicator, Counter[Indicator]] = {}
        self._populations: dict[tuple[str, str, str], int] = {}
        loyal: Counter[tuple[str, Indicator]] = Counter()
        met: dict[Indicator, Counter[str]] = defaultdict(Counter)
        for indicator, facts in evidence.telling():
            kind = indicator[0]
            self._sightings[kind] += len(facts)
            mine: Counter[Indicator] = Counter()
            for fact in facts.values():
                mine.update(fact.companions)
            if not mine:
                continue
            self._kinds_met[indicator] = frozenset(other[0] for other in mine)
            mobile = len(evidence.countries(indicator)) > 1
            of_place = not mobile and facet(kind) == "name"
            kept: Counter[Indicator] | None = None
            if indicator in members:
                kept = self._with[indicator] = Counter()
            for other, hits in mine.items():
                self._met[kind, other] += hits
                if other not in members:
                    continue
                if not of_place:
                    self._known_by[other].add(indicator)
                if facet(other[0]) == facet(kind):
                    continue
                if kept is not None:
                    kept[other] = hits
                if not of_place:
                    met[other][kind] += hits
                    if mobile and hits >= MOST * len(facts):
                        loyal[kind, other] += hits
        self._loyal = {
            other
            for other, kinds in met.items()
            if all(
                loyal[kind, other] >= MOST * hits
                for kind, hits in kinds.items()
                if hits >= _NOTICED * kinds.total()
            )
        }

    def loyal(self, indicator: Indicator) -> bool:
        """Does most of its company, of each type, keep to it? Not where everybody uses it.

        A host's name that only one country knows says where, not who: it is not asked.
        """
        return indicator in self._loyal

    def ties(self) -> Iterator[tuple[Indicator, Indicator, Kept]]:
        """Each indicator with each that it keeps to, unless that is common.

        Nor if it is common itself, and of a type whose values belong to many: where a browser is
        rare, more than half of what is seen of it may be one name that a few of them call.
        """
        for indicator, others in self._with.items():
            if indicator[0] in SHARED and not self.loyal(indicator):
                continue
            drawn = len(self._facts[indicator])
            for other, hits in others.items():
                if hits > MOST * drawn and self.loyal(other):
                    yield indicator, other, self._kept(indicator, {other}, hits)

    def kept_to(
        self, indicator: Indicator, group: Collection[Indicator], marked: Mapping[str, int]
    ) -> Kept | None:
        """Whether it keeps to a group; `marked` is `sightings_with` of the group."""
        others = self._with.get(indicator)
        if not others or others.keys().isdisjoint(group):
            return None
        facts = self._facts[indicator].values()
        mine = facet(indicator[0])
        apt = {one for one in group if facet(one[0]) != mine}
        hits = sum(1 for fact in facts if not apt.isdisjoint(fact.companions))
        if hits < MOST * len(facts):
            return None
        return self._kept(indicator, apt, hits, marked[indicator[0]])

    def same_thing(self, one: Indicator, other: Indicator) -> bool:
        """Are they of one facet, and told by the same events? Then they are no two things."""
        return facet(one[0]) == facet(other[0]) and (
            one in self._known_by.get(other, ()) or other in self._known_by.get(one, ())
        )

    def in_common(self, one: Indicator, other: Indicator) -> InCommon | None:
        """How far those that were met with one were met with the other; None if with nobody.

        Asked of those that met something of both types: as if each had met any of the type.
        """
        best: InCommon | None = None
        if facet(one[0]) == facet(other[0]):
            return None
        both = {one[0], other[0]}
        ours, theirs = self._known_by.get(one, set()), self._known_by.get(other, set())
        for kind in sorted({each[0] for each in ours & theirs}):
            apt = [
                len([each for each in known if each[0] == kind and both <= self._kinds_met[each]])
                for known in (ours, theirs, ours & theirs)
            ]
            of = self._population(kind, one[0], other[0])
            p = hypergeometric_tail(apt[2], apt[0], apt[1], of)
            if best is None or p < best.p:
                best = InCommon(apt[2], apt[0], p)
        return best

    def _population(self, kind: str, one: str, other: str) -> int:
        key = (kind, min(one, other), max(one, other))
        known = self._populations.get(key)
        if known is None:
            both = {one, other}
            apt = [met for each, met in self._kinds_met.items() if each[0] == kind and both <= met]
            known = self._populations[key] = len(apt)
        return known

    def sightings_with(self, group: Collection[Indicator]) -> Mapping[str, int]:
        """By indicator type, an upper bound of the sightings that came with one of a group."""
        marked: Counter[str] = Counter()
        for kind, of in self._sightings.items():
            marked[kind] = min(of, sum(self._met.get((kind, one), 0) for one in group))
        return marked

    def _kept(
        self, indicator: Indicator, group: Collection[Indicator], hits: int, marked: int = -1
    ) -> Kept:
        facts = self._facts[indicator]
        kind = indicator[0]
        if marked < 0:
            marked = sum(self._met[kind, one] for one in group)
        known_at, countries = 0, set[str]()
        for (party, _), fact in sorted(facts.items(), key=lambda each: each[1].last):
            if len(countries) < _COUNTRIES and not group_is_apart(group, fact.companions):
                known_at = fact.last
                countries.add(self._parties[party].country)
        p = hypergeometric_tail(hits, len(facts), marked, self._sightings[kind])
        return Kept(hits, len(facts), p, known_at)


def group_is_apart(group: Collection[Indicator], companions: Collection[Indicator]) -> bool:
    return all(companion not in group for companion in companions)
