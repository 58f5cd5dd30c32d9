"""The joinable window: one integer a party. No I/O here.

A rule's time is cut into slices, timespan/60 each. Bit i of a party's integer says that it saw
the indicator in slice base + i. Seeing again sets a bit that is set, seeing late sets an older
one, joining two copies is OR: order, duplicates and replays cannot change it.

A window ends at slice s and covers s-59 … s. Party A's bits, and the windows that they reach
(`smear`), with five slices instead of sixty:

    slice     0 1 2 3 4 5 6 7 8 9
    seen      . x . . . . x . . .
    smeared   . x x x x x x x x x     a window ending here covers a sighting

A rule holds where enough distinct countries (or organisations) are smeared over the same slice:
`at_least` counts them for all slices at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SLICES = 60
"""Slices a window."""


def slice_of(time_ms: int, timespan_ms: int) -> int:
    """The slice of a time: floor(time / (timespan / 60))."""
    return time_ms * SLICES // timespan_ms


def smear(bits: int) -> int:
    """The windows that cover a set slice: the OR of shifts 0 … 59, by doubling."""
    bits |= bits << 1  # 2 slices
    bits |= bits << 2  # 4
    bits |= bits << 4  # 8
    bits |= bits << 8  # 16
    bits |= bits << 16  # 32
    return bits | bits << (SLICES - 32)


def at_least(count: int, columns: Iterable[int]) -> int:
    """Where at least `count` of the integers have their bit set.

    `reached[n]` holds the bits set in more than n of the integers so far.
    """
    reached = [0] * count
    for column in columns:
        for n in range(count - 1, 0, -1):
            reached[n] |= reached[n - 1] & column
        reached[0] |= column
    return reached[-1]


def runs(bits: int) -> Iterator[tuple[int, int]]:
    """The runs of consecutive set bits, from the lowest: (first, last), both inclusive."""
    start = 0
    while bits:
        zeros = (bits & -bits).bit_length() - 1
        bits >>= zeros
        start += zeros
        ones = (~bits & (bits + 1)).bit_length() - 1
        yield start, start + ones - 1
        bits >>= ones
        start += ones


# A sighting by one party in one slice, which most indicators never go beyond, is one integer:
# first seen (ms) · last seen less first seen (ms, 32 bits) · party number (20 bits).
PARTY_BITS = 20
FIRST_SHIFT = 32 + PARTY_BITS
SINGLE_BYTES = 13
PARTY = (1 << PARTY_BITS) - 1
_DELTA = (1 << 32) - 1


def pack_single(party: int, first: int, last: int) -> int:
    """One party's sightings in one slice, as one integer. Times in ms."""
    return first << FIRST_SHIFT | (last - first) << PARTY_BITS | party


def unpack_single(single: int) -> tuple[int, int, int]:
    """(party number, first seen, last seen)"""
    first = single >> FIRST_SHIFT
    return single & PARTY, first, first + (single >> PARTY_BITS & _DELTA)


class Window:
    """What is remembered of one indicator: who saw it in which slice, and when in each slice."""

    __slots__ = ("base", "floor", "seen", "since", "times")

    def __init__(self, base: int) -> None:
        self.base = base
        """The slice of bit 0."""
        self.since = 0
        """Slices before this one are forgotten."""
        self.floor = 0
        """Windows that end before this slice are settled for good."""
        self.seen: dict[int, int] = {}
        """By party number, its bits."""
        self.times: dict[int, tuple[int, int]] = {}
        """By slice, the first and last sighting in it, ms."""

    def see(self, party: int, at: int, first: int, last: int) -> bool:
        """Note a sighting in slice `at`; whether that says anything new."""
        offset = at - self.base
        if offset < 0:
            if at < self.since:
                return False
            self.seen = {party: bits << -offset for party, bits in self.seen.items()}
            self.base = at
            offset = 0
        bit = 1 << offset
        bits = self.seen.get(party, 0)
        new = not bits & bit
        if new:
            self.seen[party] = bits | bit
        times = self.times.get(at)
        if times is None:
            self.times[at] = (first, last)
        elif first < times[0] or last > times[1]:
            self.times[at] = (min(first, times[0]), max(last, times[1]))
            new = True
        return new

    def join(self, other: Window) -> None:
        """Take in all that another copy of this window knows."""
        self.forget(other.since)
        self.floor = max(self.floor, other.floor)
        for at, (first, last) in other.times.items():
            for party, bits in other.seen.items():
                if bits >> (at - other.base) & 1:
                    self.see(party, at, first, last)

    def forget(self, since: int) -> None:
        """Forget the slices before `since`."""
        if since <= self.since:
            return
        self.since = since
        self.floor = max(self.floor, since + SLICES - 1)
        shift = since - self.base
        if shift > 0:
            self.seen = {
                party: rest for party, bits in self.seen.items() if (rest := bits >> shift)
            }
            self.times = {at: times for at, times in self.times.items() if at >= since}
            self.base = since

    @property
    def newest(self) -> int:
        """The newest slice with a sighting; `base` - 1 with none."""
        return self.base - 1 + max((bits.bit_length() for bits in self.seen.values()), default=0)

    def may_hold(self, count: int, group: dict[int, int], first: int, last: int) -> bool:
        """Whether a window that covers one of the slices `first` … `last` may hold.

        A cheap look before `holding`: is there enough in all that such windows cover?
        """
        low = max(first - SLICES + 1 - self.base, 0)
        high = max(last + SLICES - self.base, 0)
        mask = (1 << high) - (1 << low)
        return len({group[party] for party, bits in self.seen.items() if bits & mask}) >= count

    def holding(self, count: int, group: dict[int, int]) -> Iterator[tuple[int, int]]:
        """The runs of slices at whose end at least `count` groups of parties are in the window.

        `group` maps a party number to that of its group.
        """
        columns: dict[int, int] = {}
        for party, bits in self.seen.items():
            of = group[party]
            columns[of] = columns.get(of, 0) | bits
        if len(columns) < count:
            return
        held = at_least(count, map(smear, columns.values()))
        start = max(self.floor, self.base)
        for first, last in runs(held >> (start - self.base)):
            yield start + first, start + last

    def cover(self, first: int, last: int) -> tuple[int, int, list[int]] | None:
        """First and last sighting, ms, and the parties, in slices `first` … `last`, if any."""
        low = max(first - self.base, 0)
        mask = (1 << (last - self.base + 1)) - (1 << low)
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
