"""Slices of time, and arithmetic on integers whose bit i stands for a slice. No I/O here.

A rule's time is cut into slices, timespan/60 each. A window ends at slice s and covers s-59 … s.
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


def smear_over(bits: int, slices: int) -> int:
    """`smear` for windows of so many slices, at least one."""
    reached = 1
    while 2 * reached <= slices:
        bits |= bits << reached
        reached *= 2
    return bits | bits << (slices - reached)


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


def runs_about(bits: int, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Those of `runs` that have a bit of `low` … `high`, however many there are before."""
    low = max(low, 0)
    if low > high:
        return
    # Where the run begins that the bit before `low` belongs to, if to any.
    start = (~bits & ((1 << low) - 1)).bit_length()
    for first, last in runs(bits >> start):
        if start + first > high:
            return
        if start + last >= low:
            yield start + first, start + last


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
