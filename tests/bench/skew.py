"""How unevenly keys load partitions, and partitions load workers: counted, key by key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pipeline.shell.bench.data import HOT_SHARE, ZIPF, values
from pipeline.sight import partition_of

KEYS = 1 << 18
PARTITIONS = (8, 16, 32, 64, 128, 256, 512, 1024)

Loads = list[float]


def zipf() -> Loads:
    """By key, its share of the events: the k-th in proportion to k to the power of -1.1."""
    weights = [rank**-ZIPF for rank in range(1, KEYS + 1)]
    return _shares(weights)


def uniform() -> Loads:
    return [1 / KEYS] * KEYS


def hot() -> Loads:
    """One key has half of all events, the others share the rest."""
    return [HOT_SHARE, *[(1 - HOT_SHARE) / (KEYS - 1)] * (KEYS - 1)]


def folded(shares: Sequence[float], batch: int) -> Loads:
    """By key, its share of the sightings where `batch` events are folded before they are sent on.

    Of a batch, a key is one sighting or none. Real folding is by party and slice: a batch is of one
    party, and seldom of more than a slice or two.
    """
    return _shares([1 - (1 - share) ** batch for share in shares])


def sightings_per_event(shares: Sequence[float], batch: int) -> float:
    """What is left of an event's indicator by folding."""
    return sum(1 - (1 - share) ** batch for share in shares) / batch


def by_partition(shares: Sequence[float], partitions: int) -> Loads:
    """By partition, its share, each key where the pipeline sends it."""
    loads = [0.0] * partitions
    for at, share in zip(_hashes(), shares, strict=True):
        loads[at % partitions] += share
    return loads


def by_worker(loads: Sequence[float], workers: int) -> Loads:
    """By worker, its share, where each has every n-th partition."""
    return [sum(loads[worker::workers]) for worker in range(workers)]


def unevenness(loads: Sequence[float]) -> float:
    """The busiest beside the mean: 1 is even."""
    return max(loads) * len(loads) / sum(loads)


@cache
def _hashes() -> list[int]:
    """By key, the number whose remainder is its partition: that of very many partitions."""
    return [partition_of(values((name, name, name))[0], 1 << 32) for name in range(KEYS)]


def _shares(weights: Sequence[float]) -> Loads:
    total = sum(weights)
    return [weight / total for weight in weights]
