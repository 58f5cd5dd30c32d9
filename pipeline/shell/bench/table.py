"""The table: one factor at a time, everything else as by default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from pipeline.shell.bench.cost import usable_cpus
from pipeline.shell.bench.load import Load, Skew

Factors = Sequence[Mapping[str, object]]

QUICK = Load(events=400_000, probes=100)
"""So many that what a start takes does not count for much."""
FULL = Load(events=1_000_000)

VARIED: dict[str, Factors] = {
    "size": [{"size": size} for size in (400, 1_000, 4_000)],
    "indicators": [{"indicators": count} for count in (2, 3)],
    "skew": [{"skew": skew} for skew in (Skew.uniform, Skew.zipf, Skew.hot)],
    "partitions": [{"partitions": count} for count in (1, 2, 4, 16)],
    "workers": [{"workers": count} for count in (2, 4)],
    "packed": [{"packed": count} for count in (10, 100, 1_000)],
    # The last one with a span in which a window of seven days is passed, and not only begun.
    "window": [{"window": "24h"}, {"window": "7d"}, {"window": "7d", "span": "84d"}],
    "live": [{"live": count} for count in (10_000, 100_000, 1_000_000)],
}
FULL_TOO: dict[str, Factors] = {"live": [{"live": 5_000_000}]}


def rows(full: bool, seed: int) -> Iterator[tuple[str, Load]]:
    """(factor, load) for each row; the default first and last, which shows the noise."""
    loaded = msgspec.structs.replace(FULL if full else QUICK, seed=seed)
    default = msgspec.structs.replace(loaded, under="")
    yield "default", loaded
    for factor, variants in VARIED.items():
        for variant in (*variants, *(FULL_TOO.get(factor, ()) if full else ())):
            yield factor, msgspec.structs.replace(default, **variant)
    yield from (("pinned", load) for load in _pinned(default))
    # As other engines were measured: three indicators an event, two million events.
    yield "indicators", msgspec.structs.replace(default, indicators=3, events=2_000_000)
    yield "default", default


def _pinned(default: Load) -> Iterator[Load]:
    """One worker a stage on one CPU, two on two: what another CPU brings."""
    cpus = usable_cpus()
    if len(cpus) >= 2:
        yield msgspec.structs.replace(default, cpus=f"{cpus[0]}")
        yield msgspec.structs.replace(default, cpus=f"{cpus[0]},{cpus[1]}", workers=2)
