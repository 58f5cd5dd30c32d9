"""What is known of indicators: where and when each was seen, and in what company. No I/O here.

The state is a join-semilattice, as `pipeline.window` is: for each indicator, party and slice the
first and last time and a sample of companions; joining takes the least, the most, and the lowest
hashes. Order, duplicates and batches change nothing. An indicator that is met in too many places to
tell anything is everywhere: that is the top of its lattice, and what was known of it is let go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from pipeline.company import lowest
from pipeline.indicator import Indicator
from pipeline.party import Parties
from pipeline.registry import Party
from pipeline.sight import Companions, Sightings
from pipeline.slices import SLICES

EVERYWHERE = 4_096
"""Slices, of all parties, in which an indicator may be met; beyond, it tells nothing."""

Place = tuple[int, int]
"""Number of the party, and of the slice."""


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """One party's sightings of one indicator in one slice. Times in ms."""

    first: int
    last: int
    companions: Companions


class Evidence:
    """By indicator, by place, the facts."""

    __slots__ = ("_lengths", "everywhere", "facts", "parties")

    def __init__(self, lengths: Mapping[str, int]) -> None:
        """`lengths`: by indicator type, the timespan whose sixtieth is a slice, ms."""
        self._lengths = lengths
        self.parties = Parties()
        self.facts: dict[Indicator, dict[Place, Fact]] = {}
        self.everywhere: set[Indicator] = set()

    def observe(self, sightings: Sightings) -> None:
        """Join one record's sightings."""
        party = self.parties.number(Party(sightings.organisation, sightings.country))
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
                self._join((group.type, value), place, Fact(first, last, companions))

    def _join(self, indicator: Indicator, place: Place, fact: Fact) -> None:
        if indicator in self.everywhere:
            return
        facts = self.facts.setdefault(indicator, {})
        known = facts.get(place)
        if known is not None:
            fact = Fact(
                min(fact.first, known.first),
                max(fact.last, known.last),
                lowest((*fact.companions, *known.companions)),
            )
        facts[place] = fact
        if len(facts) > EVERYWHERE:
            del self.facts[indicator]
            self.everywhere.add(indicator)

    def forget(self, before_ms: int) -> int:
        """Drop the facts that ended before a time; how many. What is everywhere stays so."""
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
        return gone

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
