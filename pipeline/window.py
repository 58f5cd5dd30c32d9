"""The joinable window: one integer a party. No I/O here.

Bit i of a party's integer says that it saw the indicator in slice base + i. Seeing again sets a
bit that is set, seeing late sets an older one, joining two copies is OR: order, duplicates and
replays cannot change it. Party A's bits, and the windows that they reach (`smear`), with five
slices a window instead of sixty:

    slice     0 1 2 3 4 5 6 7 8 9
    seen      . x . . . . x . . .
    smeared   . x x x x x x x x x     a window ending here covers a sighting

A rule holds where enough distinct countries (or organisations) are smeared over the same slice:
`at_least` counts them for all slices at once.

Sightings further than a window apart never meet in one, nor can their episodes touch. Where they
are very far apart they lie on islands of their own, so that an indicator costs what was seen of
it, not the time between:

    slices    ──┤ island ├──────── nothing for more than REACH slices ────────┤ island ├──
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline.slices import SLICES, at_least, runs_about, smear, smear_over

Demand = tuple[int, Mapping[int, int]]
"""How many distinct groups of parties a window must hold, and the group of each party number."""

REACH = 1024
"""Slices without a sighting that an island may have. Any number over a window's is right; this
many zeros a party take less memory than another island."""

EVERYWHERE = (0, 1 << 62)
"""A span of slices: all of them."""


class Island:
    """Sightings of one indicator of which none is further than `REACH` from the next."""

    __slots__ = ("base", "last", "seen", "times")

    def __init__(self, base: int) -> None:
        self.base = base
        """The slice of bit 0."""
        self.last = base
        """The newest slice with a sighting."""
        self.seen: dict[int, int] = {}
        """By party number, its bits."""
        self.times: dict[int, tuple[int, int]] = {}
        """By slice, the first and last sighting in it, ms."""

    def see(self, party: int, at: int, first: int, last: int) -> bool:
        """Note a sighting in slice `at`, from `base` on; whether that says anything new."""
        bit = 1 << (at - self.base)
        bits = self.seen.get(party, 0)
        new = not bits & bit
        if new:
            self.seen[party] = bits | bit
        times = self.times.get(at)
        if times is None:
            self.times[at] = (first, last)
            self.last = max(self.last, at)
        elif first < times[0] or last > times[1]:
            self.times[at] = (min(first, times[0]), max(last, times[1]))
            new = True
        return new

    def reach_back(self, base: int) -> None:
        """Let bit 0 stand for an older slice."""
        shift = self.base - base
        self.seen = {party: bits << shift for party, bits in self.seen.items()}
        self.base = base

    def annex(self, newer: Island) -> None:
        """Take in the island that comes after this one."""
        shift = newer.base - self.base
        for party, bits in newer.seen.items():
            self.seen[party] = self.seen.get(party, 0) | bits << shift
        self.times.update(newer.times)
        self.last = newer.last

    def forget(self, since: int) -> None:
        """Forget the slices before `since`, which is between `base` and `last`."""
        shift = since - self.base
        self.seen = {party: rest for party, bits in self.seen.items() if (rest := bits >> shift)}
        self.times = {at: times for at, times in self.times.items() if at >= since}
        self.base = since

    def holding(
        self,
        demands: Sequence[Demand],
        span: tuple[int, int],
        floor: int,
        further: Callable[[Island], int] | None = None,
    ) -> Iterator[tuple[int, int]]:
        """See `Window.holding`."""
        near = self.near(span)  # a cheap look first: are they enough?
        for count, group in demands:
            if len({group[party] for party in near}) < count:
                return
        held = self.met(demands, further)
        start = max(floor, self.base)
        reached = span[0] - start, span[1] + SLICES - 1 - start
        for first, last in runs_about(held >> (start - self.base), *reached):
            yield start + first, start + last

    def met(
        self,
        demands: Sequence[Demand],
        further: Callable[[Island], int] | None = None,
        slices: int = SLICES,
    ) -> int:
        """The windows that meet every demand: bit i for the one that ends at the island's slice i.

        With other `slices`, windows of that many, which `further` must be of, too.
        """
        held = -1
        for count, group in demands:
            held &= at_least(count, self.columns(group, slices).values())
        if further is not None and held:
            held &= further(self)
        return held

    def columns(self, group: Mapping[int, int], slices: int = SLICES) -> dict[int, int]:
        """By group of parties, the windows in which it was seen."""
        columns: dict[int, int] = {}
        for party, bits in self.seen.items():
            of = group[party]
            columns[of] = columns.get(of, 0) | bits
        if slices == SLICES:
            return {of: smear(bits) for of, bits in columns.items()}
        return {of: smear_over(bits, slices) for of, bits in columns.items()}

    def near(self, span: tuple[int, int]) -> list[int]:
        """The parties in all that windows with an end in the span, or over it, cover."""
        low = max(span[0] - SLICES + 1 - self.base, 0)
        high = max(min(span[1], self.last) + SLICES - self.base, 0)
        mask = (1 << high) - (1 << low) if low < high else 0
        return [party for party, bits in self.seen.items() if bits & mask]

    def cover(self, first: int, last: int) -> tuple[int, int, list[int]] | None:
        """See `Window.cover`."""
        low = max(first - self.base, 0)
        high = min(last, self.last) - self.base + 1
        if high <= low:
            return None
        mask = (1 << high) - (1 << low)
        parties = [party for party, bits in self.seen.items() if bits & mask]
        seen = 0
        for party in parties:
            seen |= self.seen[party]
        seen &= mask
        if not seen:
            return None
        earliest = self.base + (seen & -seen).bit_length() - 1
        latest = self.base + seen.bit_length() - 1
        return self.times[earliest][0], self.times[latest][1], parties

    def count(self, first: int, last: int) -> int:
        """See `Window.count`."""
        low = max(first - self.base, 0)
        high = min(last, self.last) - self.base + 1
        if high <= low:
            return 0
        mask = (1 << high) - (1 << low)
        return sum((bits & mask).bit_count() for bits in self.seen.values())


class Window:
    """What is remembered of one indicator: who saw it in which slice, and when in each slice."""

    __slots__ = ("floor", "islands", "since")

    def __init__(self) -> None:
        self.islands: list[Island] = []
        """In order of time, more than `REACH` apart."""
        self.since = 0
        """Slices before this one are forgotten."""
        self.floor = 0
        """Windows that end before this slice are settled for good."""

    @property
    def oldest(self) -> int:
        """The first slice that is kept; `since` with none."""
        return self.islands[0].base if self.islands else self.since

    @property
    def newest(self) -> int:
        """The newest slice with a sighting; `since` - 1 with none."""
        return self.islands[-1].last if self.islands else self.since - 1

    def see(self, party: int, at: int, first: int, last: int) -> bool:
        """Note a sighting in slice `at`; whether that says anything new."""
        islands = self.islands
        if islands and islands[-1].base <= at <= islands[-1].last + REACH:
            return islands[-1].see(party, at, first, last)
        return at >= self.since and self._island(at).see(party, at, first, last)

    def _island(self, at: int) -> Island:
        """The island that a sighting in slice `at` belongs to; two that it joins become one."""
        islands = self.islands
        n = bisect_right(islands, at, key=lambda island: island.base)
        before = islands[n - 1] if n and at <= islands[n - 1].last + REACH else None
        after = islands[n] if n < len(islands) and islands[n].base <= at + REACH else None
        if before is not None and after is not None:
            before.annex(after)
            del islands[n]
        elif after is not None:
            after.reach_back(at)
        elif before is None:
            islands.insert(n, Island(at))
        return islands[n if before is None else n - 1]

    def join(self, other: Window) -> None:
        """Take in all that another copy of this window knows."""
        self.forget(other.since)
        self.floor = max(self.floor, other.floor)
        for island in list(other.islands):
            for at, (first, last) in list(island.times.items()):
                for party, bits in list(island.seen.items()):
                    if bits >> (at - island.base) & 1:
                        self.see(party, at, first, last)

    def forget(self, since: int) -> None:
        """Forget the slices before `since`."""
        if since <= self.since:
            return
        self.since = since
        self.floor = max(self.floor, since + SLICES - 1)
        self.islands = [island for island in self.islands if island.last >= since]
        if self.islands and self.islands[0].base < since:
            self.islands[0].forget(since)

    def holding(
        self,
        demands: Sequence[Demand],
        span: tuple[int, int] = EVERYWHERE,
        further: Callable[[Island], int] | None = None,
    ) -> Iterator[tuple[int, int]]:
        """The runs of slices at whose end the window meets every demand.

        `span`: only those that sightings in slices from … to may have changed, by lying in one of
        their windows. `further`: which windows of an island meet what is not a demand, bit i for
        the one that ends at its slice i; without a demand it must be given.
        """
        for island in self.islands:
            if island.base <= span[1] and span[0] <= island.last:
                yield from island.holding(demands, span, self.floor, further)

    def met_by(self, span: tuple[int, int], least: int) -> bool:
        """Whether so many parties are near the span. If not, no rule that takes as many can hold
        for sightings there: `holding` would find nothing.
        """
        return any(
            island.base <= span[1] and span[0] <= island.last and len(island.near(span)) >= least
            for island in self.islands
        )

    def cover(self, first: int, last: int) -> tuple[int, int, list[int]] | None:
        """First and last sighting, ms, and the parties, in slices `first` … `last`, if any.

        `first` … `last`: what one episode covers, which is always on one island.
        """
        for island in reversed(self.islands):
            if island.base <= last and (covered := island.cover(first, last)) is not None:
                return covered
        return None

    def whole(self) -> Island | None:
        """All that is known as one island, however far apart; what it costs grows with the time
        between. The window is not to be used after it.
        """
        islands, self.islands = self.islands, []
        for newer in islands[1:]:
            islands[0].annex(newer)
        return islands[0] if islands else None

    def count(self, first: int, last: int) -> int:
        """How often it was seen in slices `first` … `last`, once a party and slice."""
        return sum(island.count(first, last) for island in self.islands)
