"""What was seen often becomes one sighting a slice, before it travels on. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zlib import crc32

from pipeline.company import Met, meet, sample
from pipeline.indicator import Indicator
from pipeline.sight import Companions, Group
from pipeline.slices import SLICES

Fold = dict[str, int | tuple[int, int]]
"""By value, when it was seen within one slice: once, or first and last, ms."""


class Folds:
    """What was seen of one indicator type, by slice; the slice that was looked at last is at hand,
    for most events are of the same as the one before.
    """

    __slots__ = ("by_slice", "fold", "length", "met", "met_by_slice", "since", "until")

    def __init__(self, length: int) -> None:
        self.length = length
        """Of a slice, in units of 1/60 ms."""
        self.by_slice: dict[int, Fold] = {}
        self.fold: Fold = {}
        self.met_by_slice: dict[int, dict[str, Met]] = {}
        """What came with each value, where anything did and anybody asks."""
        self.met: dict[str, Met] = {}
        self.since = self.until = 0
        """The times, ms, that belong to `fold`: since … until, which does not."""

    def turn_to(self, time: int) -> Fold:
        """The slice of a time, ms."""
        at = time * SLICES // self.length
        self.since = -(-at * self.length // SLICES)
        self.until = -(-(at + 1) * self.length // SLICES)
        self.fold = self.by_slice.setdefault(at, {})
        self.met = self.met_by_slice.setdefault(at, {})
        return self.fold


def bring_together(found: Iterable[Indicator], folds: Mapping[str, Folds]) -> None:
    """Note that one event named these, which its party's folds, by type, have just been told."""
    every = tuple(found)
    if len(set(every)) < len(every):
        every = tuple(dict.fromkeys(every))  # an event may name one twice
    for n, (kind, value) in enumerate(every):
        of = folds.get(kind)
        if of is None:
            continue
        others, known = every[:n] + every[n + 1 :], of.met.get(value)
        of.met[value] = others if known is None else meet(known, others)


def groups_of(kind: str, folds: Folds, partitions: int) -> list[Group]:
    """The folds' sightings, a group for each partition."""
    columns: list[tuple[list[str], list[int], list[int], list[Companions]]] = [
        ([], [], [], []) for _ in range(partitions)
    ]
    in_company = any(folds.met_by_slice.values())  # many events name one indicator
    for at, fold in folds.by_slice.items():
        met = folds.met_by_slice[at]
        for value, seen in fold.items():
            # `partition_of`, without the call.
            values, first_seen, last_seen, company = columns[crc32(value.encode()) % partitions]
            values.append(value)
            if isinstance(seen, int):
                first_seen.append(seen)
                last_seen.append(seen)
            else:
                first_seen.append(seen[0])
                last_seen.append(seen[1])
            if in_company:
                company.append(sample(met.get(value, ())))
    return [Group(kind, *column) for column in columns]
