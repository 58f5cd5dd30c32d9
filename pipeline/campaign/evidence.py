"""What is known of indicators: where and when each was seen, and in what company. No I/O here.

The state is a join-semilattice, as `pipeline.window` is: for each indicator, party and slice the
first and last time and a sample of companions; joining takes the least, the most, and the lowest
hashes. Order, duplicates and batches change nothing. Of an indicator that is met in too many places
to tell anything only the newest are kept, for they alone say how long that stays so; the newest of
a union are among the newest of its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter

from msgspec import Struct

from pipeline.company import lowest
from pipeline.indicator import Indicator
from pipeline.party import Parties
from pipeline.registry import Party
from pipeline.share.mark import UNMARKED, Mark
from pipeline.sight import Companions, Sightings
from pipeline.slices import SLICES

EVERYWHERE = 4_096
"""Slices, of all parties, in which an indicator may be met; beyond, it tells nothing."""

LEAST_COUNTRIES = 3
"""With fewer, too much is met together by chance; but two may be all that there are."""

Place = tuple[int, int]
"""Number of the party, and of the slice."""


class Marked(Struct, frozen=True, array_like=True):
    """When what bears certain labels was seen, ms."""

    mark: Mark
    first: int
    last: int


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """One party's sightings of one indicator in one slice. Times in ms.

    `marked`: the same by labels, one for each; empty where nothing was labelled.
    """

    first: int
    last: int
    companions: Companions
    marked: tuple[Marked, ...] = ()


def joined(one: Fact, other: Fact) -> Fact:
    """What both say of one place."""
    first, last = min(one.first, other.first), max(one.last, other.last)
    companions = lowest((*one.companions, *other.companions))
    if not one.marked and not other.marked:
        return Fact(first, last, companions)
    by: dict[Mark, Marked] = {}
    for fact in (one, other):
        for each in fact.marked or (Marked(UNMARKED, fact.first, fact.last),):
            known = by.get(each.mark, each)
            of = min(each.first, known.first), max(each.last, known.last)
            by[each.mark] = Marked(each.mark, *of)
    return Fact(first, last, companions, tuple(by[mark] for mark in sorted(by)))


class Evidence:
    """By indicator, by place, the facts."""

    __slots__ = ("_lengths", "count", "facts", "latest", "least_countries", "parties")

    def __init__(self, lengths: Mapping[str, int], least_countries: int = LEAST_COUNTRIES) -> None:
        """`lengths`: by indicator type, the timespan whose sixtieth is a slice, ms;
        `least_countries`: where an indicator must be met to be of a campaign.
        """
        self._lengths = lengths
        self.least_countries = least_countries
        self.parties = Parties()
        self.facts: dict[Indicator, dict[Place, Fact]] = {}
        self.count = 0
        """Facts that are kept."""
        self.latest = -1
        """The latest sighting, ms."""

    def observe(self, sightings: Sightings) -> int:
        """Join one record's sightings; how many there were."""
        party = self.parties.number(Party(sightings.organisation, sightings.country))
        mark = Mark(sightings.tlp or "", sightings.pap or "")
        count = 0
        for group in sightings.groups:
            length = self._lengths.get(group.type)
            if length is None:
                continue  # an aspect that a rule asks for: the plain sightings tell the same
            none: list[Companions] = [()] * len(group.values)
            for value, first, last, companions in zip(
                group.values,
                group.first_seen,
                group.last_seen,
                group.companions or none,
                strict=True,
            ):
                place = (party, first * SLICES // length)
                marked = () if mark == UNMARKED else (Marked(mark, first, last),)
                fact = Fact(first, last, lowest(companions), marked)
                self._join((group.type, value), place, fact)
            count += len(group.values)
            self.latest = max((self.latest, *group.last_seen))
        return count

    def _join(self, indicator: Indicator, place: Place, fact: Fact) -> None:
        facts = self.facts.setdefault(indicator, {})
        known = facts.get(place)
        if known is not None:
            fact = joined(fact, known)
        else:
            self.count += 1
        facts[place] = fact
        if len(facts) > 2 * EVERYWHERE:
            newest = sorted(facts, key=itemgetter(1, 0))[-EVERYWHERE - 1 :]
            self.count += len(newest) - len(facts)
            self.facts[indicator] = {place: facts[place] for place in newest}

    def telling(self) -> Iterable[tuple[Indicator, Mapping[Place, Fact]]]:
        """Each indicator with its facts, but for those that are met everywhere."""
        return (
            (indicator, facts)
            for indicator, facts in self.facts.items()
            if len(facts) <= EVERYWHERE
        )

    def forget(self, before_ms: int) -> int:
        """Drop the facts that ended before a time; how many."""
        gone = 0
        for indicator in list(self.facts):
            facts = self.facts[indicator]
            old = [place for place, fact in facts.items() if fact.last < before_ms]
            gone += len(old)
            if len(old) == len(facts):
                del self.facts[indicator]
            else:
                for place in old:
                    del facts[place]
        self.count -= gone
        return gone

    def give_up(self, many: int) -> int:
        """Drop so many facts, the oldest first; to when that reaches, ms: older ones are gone.

        Of those that are as old as the last of them, by their names: all could be of one moment.
        """
        ends = sorted(fact.last for facts in self.facts.values() for fact in facts.values())
        upto = ends[min(many, len(ends)) - 1]
        left = many - self.forget(upto)
        for indicator in sorted(self.facts):
            facts = self.facts[indicator]
            for place in sorted(place for place, fact in facts.items() if fact.last == upto)[:left]:
                del facts[place]
                self.count -= 1
                left -= 1
            if not facts:
                del self.facts[indicator]
            if left <= 0:
                break
        return upto

    def countries(self, indicator: Indicator) -> frozenset[str]:
        """Where it was seen."""
        return frozenset(self.parties.all[party].country for party, _ in self.places(indicator))

    def organisations(self, indicator: Indicator) -> frozenset[str]:
        """By whom it was seen."""
        return frozenset(
            self.parties.all[party].organisation for party, _ in self.places(indicator)
        )

    def places(self, indicator: Indicator) -> Iterator[Place]:
        """Where and when it was seen."""
        return iter(self.facts.get(indicator, ()))
