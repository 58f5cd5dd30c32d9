"""The benchmark's oracle: the alerts that generated events must lead to, and no others.

It counts from what chance drew, not from the events' bytes, and shares no code with the core. It
finds windows by an interval sweep: a country that was seen in slice s is in the windows that end
at s … s+59; where at least three countries are in, the window holds. A test holds it against
tests/oracle.py, which tries every window.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby

from pipeline.shell.bench.data import COUNTRIES, GTE, KINDS, START_MS, draw, rule_id, values
from pipeline.shell.bench.load import Load
from pipeline.shell.observe import AlertKey

SLICES = 60
_COUNTRY_BITS = 3
_TIME_BITS = 36  # ms since START_MS: two years


def alerts(load: Load) -> list[AlertKey]:
    """What the final revisions say, sorted."""
    seen = [array("q") for _ in KINDS[: load.indicators]]  # one number a sighting: 6 million fit
    of_country = {country: number for number, country in enumerate(COUNTRIES)}
    for _, time_ms, country, names in draw(load):
        low = (time_ms - START_MS) << _COUNTRY_BITS | of_country[country]
        for name, of_kind in zip(names, seen, strict=False):
            of_kind.append(name << (_TIME_BITS + _COUNTRY_BITS) | low)
    return sorted(
        alert
        for kind, of_kind in enumerate(seen)
        for name, sightings in groupby(sorted(of_kind), lambda x: x >> (_TIME_BITS + _COUNTRY_BITS))
        for alert in _of_indicator(kind, name, sightings, load.window_ms)
    )


def _of_indicator(
    kind: int, name: int, sightings: Iterable[int], window_ms: int
) -> Iterator[AlertKey]:
    """Of one indicator, from its sightings in order of time."""
    times: list[int] = []
    countries: list[int] = []
    for sighting in sightings:
        times.append(START_MS + (sighting >> _COUNTRY_BITS & (1 << _TIME_BITS) - 1))
        countries.append(sighting & (1 << _COUNTRY_BITS) - 1)
    if len(set(countries)) < GTE:
        return
    slices = [time * SLICES // window_ms for time in times]
    for first, last in _holding(slices, countries):
        low, high = bisect_left(slices, first - SLICES + 1), bisect_right(slices, last)
        names = tuple(sorted({COUNTRIES[number] for number in countries[low:high]}))
        yield (
            rule_id(KINDS[kind]),
            KINDS[kind],
            values((name, name, name))[kind],
            times[low],
            times[high - 1],
            names,
            tuple(f"bench-{country.lower()}" for country in names),
        )


def _holding(slices: list[int], countries: list[int]) -> Iterator[tuple[int, int]]:
    """The longest runs of slices at which the window holds, each as (first, last)."""
    changes: dict[int, int] = defaultdict(int)
    until: dict[int, int] = {}  # by country, the first slice at which it is in no window any more
    for slice_, country in zip(slices, countries, strict=True):
        changes[max(slice_, until.get(country, slice_))] += 1
        until[country] = slice_ + SLICES
        changes[slice_ + SLICES] -= 1
    present, first = 0, None
    for slice_ in sorted(changes):
        present += changes[slice_]
        if present >= GTE and first is None:
            first = slice_
        elif present < GTE and first is not None:
            yield first, slice_ - 1
            first = None
