"""What was seen often becomes one sighting a slice, before it travels on. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from pipeline.sight import Group
from pipeline.slices import SLICES

Fold = dict[str, int | tuple[int, int]]
"""By value, when it was seen within one slice: once, or first and last, ms."""


class Folds:
    """What was seen of one indicator type, by slice; the slice that was looked at last is at hand,
    for most events are of the same as the one before.
    """

    __slots__ = ("by_slice", "fold", "length", "since", "until")

    def __init__(self, length: int) -> None:
        self.length = length
        """Of a slice, in units of 1/60 ms."""
        self.by_slice: dict[int, Fold] = {}
        self.fold: Fold = {}
        self.since = self.until = 0
        """The times, ms, that belong to `fold`: since … until, which does not."""

    def turn_to(self, time: int) -> Fold:
        """The slice of a time, ms."""
        at = time * SLICES // self.length
        self.since = -(-at * self.length // SLICES)
        self.until = -(-(at + 1) * self.length // SLICES)
        self.fold = self.by_slice.setdefault(at, {})
        return self.fold


def groups_of(kind: str, folds: Iterable[Fold], partitions: int) -> list[Group]:
    """The folds' sightings, a group for each partition."""
    groups = [Group(kind, [], [], []) for _ in range(partitions)]
    columns = [(group.values, group.first_seen, group.last_seen) for group in groups]
    for fold in folds:
        for value, seen in fold.items():
            # `partition_of`, without the call.
            values, first_seen, last_seen = columns[crc32(value.encode()) % partitions]
            values.append(value)
            if isinstance(seen, int):
                first_seen.append(seen)
                last_seen.append(seen)
            else:
                first_seen.append(seen[0])
                last_seen.append(seen[1])
    return groups
