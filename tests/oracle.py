"""The oracle: the contract's definition of an alert, recounted window by window.

It shares no code with the correlator and is kept for ever. Where both disagree, one of them
misreads the contract. Nothing here is clever, on purpose:

    a window ends at slice s and covers slices s-59 … s;
    it holds when the sightings in it come from at least `gte` distinct values of `field`;
    an episode is a longest run of consecutive s for which the window holds;
    it covers the slices from 59 before its first s to its last s.

With base rules, only the sightings that meet one of them count. Other fields than country and
organisation: `origin` (of a sighting without one, nothing counts), `event` (distinct events), and
`rule` (distinct base rules that are met; `ordered`: all of them, each in the same slice as the one
before or in a later one).

`python -m tests.oracle` runs it over the whole carried Marx data set.
"""

import ipaddress
import time
import tomllib
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from importlib.resources import files
from itertools import product
from math import floor
from typing import Literal, NamedTuple

from pipeline.rule import Rule
from pipeline.shell import marx

SLICES = 60


class Sighting(NamedTuple):
    type: str
    value: str
    organisation: str
    country: str
    time_ms: int
    origin: str = ""
    event: str = ""
    """Which event it is: two of one name are the same."""
    meets: frozenset[str] = frozenset()
    """The base rules that the event meets, but for `any_event`."""


class OracleRule(NamedTuple):
    indicator_type: str
    timespan_ms: int
    field: Literal["country", "organisation", "origin", "event", "rule"]
    gte: int
    organisations_gte: int = 0
    countries_gte: int = 0
    rules: tuple[str, ...] = ("any_event",)
    ordered: bool = False

    @property
    def spread(self) -> str:
        """What a p-value is of: countries, unless it is organisations that count."""
        if self.field == "organisation" or (
            self.organisations_gte and not self.countries_gte and self.field != "country"
        ):
            return "organisation"
        return "country"


def rule_of(rule: Rule) -> OracleRule:
    field = "origin" if rule.field in {"origin_country", "origin_as"} else rule.field
    return OracleRule(
        rule.indicator_type,
        rule.timespan_ms,
        field,  # type: ignore[arg-type]
        rule.gte,
        rule.organisations_gte,
        rule.countries_gte,
        tuple("any_event" if of is None else of.name for of in rule.selections),
        rule.ordered,
    )


def counting(sightings: Iterable[Sighting], rule: OracleRule) -> list[Sighting]:
    """Those of them that the rule counts at all."""
    return [
        x
        for x in sightings
        if x.type == rule.indicator_type and _met(x, rule) and (rule.field != "origin" or x.origin)
    ]


def _met(sighting: Sighting, rule: OracleRule) -> set[str]:
    return {name for name in rule.rules if name == "any_event" or name in sighting.meets}


def _labels(sighting: Sighting, rule: OracleRule) -> set[str]:
    """What a sighting counts once for each of, where it is counted how often one was seen."""
    return _values(sighting, rule) if rule.field in {"origin", "rule"} else {""}


def _values(sighting: Sighting, rule: OracleRule) -> set[str]:
    if rule.field == "rule":
        return _met(sighting, rule)
    return {str(getattr(sighting, rule.field))}


class Episode(NamedTuple):
    type: str
    value: str
    first_seen: int
    last_seen: int
    countries: tuple[str, ...]
    organisations: tuple[str, ...]


def episodes(sightings: Iterable[Sighting], rule: OracleRule) -> set[Episode]:
    """All episodes of the rule, one alert each; `gte` is at least 1."""
    by_indicator: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in counting(sightings, rule):
        by_indicator[sighting.value].append(sighting)
    return {
        episode
        for of_indicator in by_indicator.values()
        for episode in _episodes_of_one_indicator(of_indicator, rule)
    }


def _episodes_of_one_indicator(sightings: list[Sighting], rule: OracleRule) -> Iterator[Episode]:
    for first, last in _runs_of_one_indicator(sightings, rule):
        yield _episode([x for x in sightings if first - 59 <= _slice(x, rule) <= last])


def _runs_of_one_indicator(
    sightings: list[Sighting], rule: OracleRule
) -> Iterator[tuple[int, int]]:
    """The first and the last window of each episode."""
    # A window never has more distinct values than all sightings together.
    if len({value for x in sightings for value in _values(x, rule)}) < rule.gte:
        return

    values_of_slice: dict[int, set[str]] = defaultdict(set)
    organisations_of_slice: dict[int, set[str]] = defaultdict(set)
    countries_of_slice: dict[int, set[str]] = defaultdict(set)
    for x in sightings:
        values_of_slice[_slice(x, rule)] |= _values(x, rule)
        organisations_of_slice[_slice(x, rule)].add(x.organisation)
        countries_of_slice[_slice(x, rule)].add(x.country)

    seen_in = sorted(values_of_slice)
    # Every other window is empty, and an empty window never holds.
    windows = {s for t in values_of_slice for s in range(t, t + SLICES)}

    def holds(s: int) -> bool:
        values: set[str] = set()
        organisations: set[str] = set()
        countries: set[str] = set()
        due = list(rule.rules)  # the next one in order comes first
        for t in seen_in[bisect_left(seen_in, s - 59) : bisect_right(seen_in, s)]:
            values |= values_of_slice[t]
            organisations |= organisations_of_slice[t]
            countries |= countries_of_slice[t]
            while rule.ordered and due and due[0] in values_of_slice[t]:
                due.pop(0)
        return (
            len(values) >= rule.gte
            and len(organisations) >= rule.organisations_gte
            and len(countries) >= rule.countries_gte
            and not (rule.ordered and due)
        )

    holding = sorted(s for s in windows if holds(s))
    yield from _runs(holding)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The longest runs of consecutive numbers, each as (first, last)."""
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run[0], run[-1]
            run = []
        run.append(number)
    if run:
        yield run[0], run[-1]


def _episode(covered: list[Sighting]) -> Episode:
    return Episode(
        type=covered[0].type,
        value=covered[0].value,
        first_seen=min(x.time_ms for x in covered),
        last_seen=max(x.time_ms for x in covered),
        countries=tuple(sorted({x.country for x in covered})),
        organisations=tuple(sorted({x.organisation for x in covered})),
    )


def _slice(sighting: Sighting, rule: OracleRule) -> int:
    # floor(time / (timespan / 60)), in whole numbers.
    return sighting.time_ms * SLICES // rule.timespan_ms


def outbreaks(
    sightings: Iterable[Sighting], rule: OracleRule, base: int, stretch: int
) -> dict[Episode, tuple[int, int]]:
    """Of each episode: how often its indicator was seen in the `base` slices before it, once a
    party and slice, and for each origin or base rule, if these count; and how many countries, or
    organisations, saw it in its first `stretch` slices.
    """
    by_indicator: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in counting(sightings, rule):
        by_indicator[sighting.value].append(sighting)
    found: dict[Episode, tuple[int, int]] = {}
    for of_indicator in by_indicator.values():
        for first, last in _runs_of_one_indicator(of_indicator, rule):
            begin = first - 59
            before = {
                (x.organisation, x.country, label, _slice(x, rule))
                for x in of_indicator
                for label in _labels(x, rule)
                if begin - base <= _slice(x, rule) < begin
            }
            covered = [x for x in of_indicator if begin <= _slice(x, rule) <= last]
            groups = {getattr(x, rule.spread) for x in covered if _slice(x, rule) < begin + stretch}
            found[_episode(covered)] = (len(before), len(groups))
    return found


def standing(
    sightings: Iterable[Sighting], rule: OracleRule, base: int, groups: int
) -> dict[Episode, bool]:
    """Of each episode: whether it is endemic at its last window, of so many `groups` that are."""
    by_indicator: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in counting(sightings, rule):
        by_indicator[sighting.value].append(sighting)
    found: dict[Episode, bool] = {}
    for of_indicator in by_indicator.values():
        for first, last in _runs_of_one_indicator(of_indicator, rule):
            seen = {
                (x.organisation, x.country, _slice(x, rule), label): x
                for x in of_indicator
                for label in _labels(x, rule)
            }
            before = [x for key, x in seen.items() if last - 59 - base <= key[2] <= last - 60]
            now = [key for key in seen if last - 59 <= key[2] <= last]
            spread = len({getattr(x, rule.spread) for x in before})
            covered = [x for x in of_indicator if first - 59 <= _slice(x, rule) <= last]
            found[_episode(covered)] = (
                last - first >= base
                and spread >= groups / 2
                and len(now) / 60 <= 4 * len(before) / base
            )
    return found


def episodes_by_definition(sightings: Iterable[Sighting], rule: OracleRule) -> set[Episode]:
    """Find the same by trying every slice of small inputs: nothing indexed, nothing left out."""
    everything = counting(sightings, rule)
    if not everything:
        return set()

    slice_length = Fraction(rule.timespan_ms, 60)

    def slice_of(x: Sighting) -> int:
        return floor(x.time_ms / slice_length)

    def covered(value: str, first_slice: int, last_slice: int) -> list[Sighting]:
        return [
            x for x in everything if x.value == value and first_slice <= slice_of(x) <= last_slice
        ]

    def holds(value: str, s: int) -> bool:
        inside = covered(value, s - 59, s)
        if rule.field == "rule":
            met = [sorted({slice_of(x) for x in inside if n in _met(x, rule)}) for n in rule.rules]
            enough = sum(bool(slices) for slices in met) >= rule.gte
            if rule.ordered:
                enough = any(list(chain) == sorted(chain) for chain in product(*met))
        else:
            enough = len({getattr(x, rule.field) for x in inside}) >= rule.gte
        return (
            enough
            and len({x.organisation for x in inside}) >= rule.organisations_gte
            and len({x.country for x in inside}) >= rule.countries_gte
        )

    earliest = min(slice_of(x) for x in everything) - 60
    latest = max(slice_of(x) for x in everything) + 60

    found = set()
    for value in {x.value for x in everything}:
        held_from = None
        for s in range(earliest, latest + 1):
            if holds(value, s):
                if held_from is None:
                    held_from = s
            elif held_from is not None:
                found.add(_episode(covered(value, held_from - 59, s - 1)))
                held_from = None
    return found


def public_ip(text: str) -> str | None:
    """Canonical form of a public unicast address, or None."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
    if address.is_global and not address.is_multicast and not address.is_reserved:
        return str(address)
    return None


def sightings_of_marx(rows: Iterable[marx.Row]) -> Iterator[Sighting]:
    """One sighting of its source for each row; a source that is no public address gives none."""
    registry = tomllib.loads(
        (files("pipeline") / "data" / "marx" / "sensors.toml").read_text(encoding="utf-8")
    )
    party_of_sensor = {
        sensor["id"]: (organisation["id"], sensor.get("country", organisation["country"]))
        for organisation in registry["organisation"]
        for sensor in organisation["sensor"]
    }
    for row in rows:
        value = public_ip(row.src)
        if value is not None:
            organisation, country = party_of_sensor[row.host]
            yield Sighting("ip", value, organisation, country, row.time_ms)


def main() -> None:
    began = time.perf_counter()
    rows = list(marx.carried())
    rule = OracleRule(indicator_type="ip", timespan_ms=3_600_000, field="country", gte=3)
    found = episodes(sightings_of_marx(rows), rule)
    months = Counter(
        datetime.fromtimestamp(x.first_seen / 1000, tz=UTC).strftime("%Y-%m") for x in found
    )
    print(f"events            {len(rows):>7}")
    print(f"distinct sources  {len({row.src for row in rows}):>7}")
    print(f"episodes          {len(found):>7}")
    for month, count in sorted(months.items()):
        print(f"  {month}         {count:>7}")
    print(f"seconds           {time.perf_counter() - began:>7.1f}")


if __name__ == "__main__":
    main()
