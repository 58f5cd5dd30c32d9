"""The company that indicators keep: a bounded sample of what else the same events named. No I/O.

Of each sighting the companions with the lowest hashes are kept. The lowest of a union are among the
lowest of its parts, so such samples can be joined in any order and as often as they come; and a
hash of its own kind lets nobody choose companions that displace the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b

from pipeline.fold import Fold, Folds
from pipeline.indicator import Indicator
from pipeline.sight import Companions, Group, partition_of
from pipeline.slices import SLICES

SAMPLE = 8
"""Companions of one sighting that are kept."""
_ROOM = 4 * SAMPLE


@lru_cache(1 << 16)
def _hash(companion: Indicator) -> bytes:
    return blake2b("\0".join(companion).encode(), digest_size=8, person=b"company").digest()


def lowest(companions: Iterable[Indicator]) -> Companions:
    """The sample of these: the lowest hashes first. Samples can be joined by this, too."""
    return tuple(sorted(set(companions), key=lambda each: (_hash(each), each))[:SAMPLE])


class Company:
    """What one party's sightings came with since they were last packed."""

    __slots__ = ("_kinds", "_met")

    def __init__(self) -> None:
        self._met: dict[tuple[str, int, str], set[Indicator]] = {}
        self._kinds: set[str] = set()
        """The types of which any came in company."""

    def meet(self, found: Sequence[Indicator], time: int, folds: Mapping[str, Folds]) -> None:
        """Note one event's indicators; `folds`: its party's, by type."""
        if len(found) < 2:
            return
        for kind, value in found:
            of = folds.get(kind)
            if of is None:
                continue
            key = (kind, time * SLICES // of.length, value)
            met = self._met.get(key)
            if met is None:
                met = self._met[key] = set()
                self._kinds.add(kind)
            met.update(found)
            met.discard((kind, value))
            if len(met) > _ROOM:
                self._met[key] = set(lowest(met))

    def attend(self, groups: Sequence[Group], slices: Mapping[int, Fold]) -> Sequence[Group]:
        """The groups that were made of the folds of one type, one for each partition, with the
        sample of each sighting.
        """
        if groups[0].type not in self._kinds:
            return groups  # many events name one indicator, and cost nothing here
        columns: list[list[Companions]] = [[] for _ in groups]
        for at, fold in slices.items():
            for value in fold:
                met = self._met.get((groups[0].type, at, value), ())
                columns[partition_of(value, len(groups))].append(lowest(met))
        return [
            Group(group.type, group.values, group.first_seen, group.last_seen, column)
            for group, column in zip(groups, columns, strict=True)
        ]
