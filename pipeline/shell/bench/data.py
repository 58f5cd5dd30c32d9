"""What the benchmark is run on: events generated from a seed, and the sensors and rules for them.

As they come (`mixed`), half of the indicators that events name are met once, most others a few
times in two hours, and one in twenty belongs to the few that come back from all countries: one
event in thirty completes a window, as in the measurements of other engines that this one is
compared with.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from random import Random
from typing import NamedTuple

from pipeline.shell.bench.load import NAMES, Load, Skew

TURN_MS = 4 * 3_600_000
START_MS = 1_735_689_600_000  # 2025-01-01 00:00 UTC: the longest span ends before today
COUNTRIES = ("AT", "BR", "CZ", "DE", "EE", "FI", "GB", "JP")
KINDS = ("ip", "domain", "ja3")
GTE = 3
LIVE_PACKED = 500
ZIPF = 1.1
ZIPF_NAMES = 1_000_000
HOT_SHARE = 0.5

SENSORS = "".join(
    f"""
[[organisation]]
id = "bench-{country.lower()}"
country = "{country}"
name = "Benchmark {country}"
[[organisation.sensor]]
id = "bench-{country.lower()}-1"
"""
    for country in COUNTRIES
)


def rule_id(kind: str) -> str:
    return f"6f8f2d5e-2f7e-4f0b-9d57-0b1c5d7e8a0{KINDS.index(kind)}"


def rules(load: Load) -> str:
    """The rules' file: one rule for each type of indicator."""
    return "---".join(
        f"""
title: The same {kind} in three countries within {load.window}
id: {rule_id(kind)}
correlation:
  type: value_count
  rules: [any_event]
  group-by: [{kind}]
  timespan: {load.window}
  condition: {{field: country, gte: {GTE}}}
level: medium
"""
        for kind in KINDS
    )


class Drawn(NamedTuple):
    """What chance says of an event: its place in time, its country, its indicators' names."""

    number: int
    time_ms: int
    country: str
    names: tuple[int, int, int]


def draw(load: Load) -> Iterator[Drawn]:
    """All events, in order of time; the same ones for the same load."""
    random = Random(load.seed)
    name = _namer(load, random)
    for number in range(load.events):
        time_ms = START_MS + number * load.span_ms // load.events
        country = COUNTRIES[random.randrange(len(COUNTRIES))]
        yield Drawn(number, time_ms, country, (name(number), name(number), name(number)))


def draw_more(load: Load, first: int, count: int, turn: int = 0) -> Iterator[Drawn]:
    """Events from number `first` on that come after all of a load, as close as those of the load,
    within four hours of event time, the first or later ones: whatever its span, nothing that comes
    meanwhile is late.
    """
    random = Random(f"{load.seed}, from {first}")
    span_ms = min(count * load.span_ms // load.events, TURN_MS)
    name = _namer(load, random)
    for n in range(count):
        number = load.events + first + n
        time_ms = START_MS + load.span_ms + turn * TURN_MS + n * span_ms // count
        country = COUNTRIES[random.randrange(len(COUNTRIES))]
        yield Drawn(number, time_ms, country, (name(number), name(number), name(number)))


def _namer(load: Load, random: Random) -> Callable[[int], int]:
    """What an indicator of the n-th event is called."""
    few = max(load.events // 270, 1)
    thin = max(load.events // 6, 1)

    def mixed(number: int) -> int:
        share = random.random()
        if share < 0.05:
            return 1 + random.randrange(few)
        return few + 1 + (random.randrange(thin) if share < 0.5 else thin + number)

    def hot(number: int) -> int:
        return 0 if random.random() < HOT_SHARE else mixed(number)

    def uniform(_: int) -> int:
        return random.randrange(thin)

    match load.skew:
        case Skew.mixed:
            return mixed
        case Skew.hot:
            return hot
        case Skew.uniform:
            return uniform
    ends = list(accumulate(rank**-ZIPF for rank in range(1, min(load.events, ZIPF_NAMES) + 1)))
    return lambda _: min(bisect(ends, random.random() * ends[-1]), len(ends) - 1)


_EVENT = (
    '{"class_uid":4001,"category_uid":4,"activity_id":1,"type_uid":400101,"severity_id":1,'
    '"time":%d,"metadata":{"version":"1.5.0","uid":"%08d"},'
    '"device":{"uid":"%s"},"src_endpoint":{"ip":"%s","port":4444},"%s":{"sni":"%s","%s":'
    '{"algorithm_id":1,"value":"%s"}}}'
)
# With fewer indicators the event is as long; what it says of TLS is then under other names.
_NAMES = {1: ("more", "more"), 2: ("tls", "more"), 3: ("tls", "ja3_hash")}
_RAW = ',"raw_data":"%s"}'


def values(names: tuple[int, int, int]) -> tuple[str, str, str]:
    """The address, domain and fingerprint that names stand for, in canonical form."""
    ip, domain, ja3 = names
    address = f"{11 + ip % 80}.{ip >> 16 & 255}.{ip >> 8 & 255}.{ip & 255}"
    return address, f"host-{domain:07x}.example.net", f"{ja3:032x}"


def event(drawn: Drawn, load: Load) -> bytes:
    """One event, as its sensor would send it."""
    ip, domain, ja3 = values(drawn.names)
    tls, fingerprint = _NAMES[load.indicators]
    text = _EVENT % (
        drawn.time_ms,
        drawn.number,
        f"bench-{drawn.country.lower()}-1",
        ip,
        tls,
        domain,
        fingerprint,
        ja3,
    )
    missing = load.size - len(text) - len(_RAW) + 3
    if missing > 0:
        text = text[:-1] + _RAW % ("x" * missing)
    return text.encode()


class Message(NamedTuple):
    """What is produced to the topic of a country's party."""

    country: str
    value: bytes
    events: int


def messages(load: Load) -> Iterator[Message]:
    """All events, packed as the load says, each country's in order of time."""
    return _pack(((drawn.country, event(drawn, load)) for drawn in draw(load)), load.packed)


def live(load: Load) -> Iterator[Message]:
    """Events that name `load.live` indicators once each, just before all others."""
    step = load.indicators

    def each() -> Iterator[tuple[str, bytes]]:
        for first in range(0, load.live, step):
            country = COUNTRIES[first // step % len(COUNTRIES)]
            # A type's names need to differ among themselves only.
            name = NAMES // 2 + first // step
            yield country, event(Drawn(first, START_MS - 1000, country, (name,) * 3), load)

    return _pack(each(), LIVE_PACKED)


def probe(load: Load, number: int, country: str) -> tuple[str, bytes]:
    """An event whose indicators no other event has but those of this number: address, event."""
    name = NAMES // 2 - 1 - number
    time_ms = START_MS + load.span_ms
    drawn = Drawn(load.events + number, time_ms, country, (name,) * 3)
    return values(drawn.names)[0], event(drawn, load)


def _pack(events: Iterable[tuple[str, bytes]], packed: int) -> Iterator[Message]:
    if packed == 1:
        for country, one in events:
            yield Message(country, one, 1)
        return
    waiting: dict[str, list[bytes]] = {country: [] for country in COUNTRIES}
    for country, one in events:
        pack = waiting[country]
        pack.append(one)
        if len(pack) == packed:
            yield Message(country, b"[" + b",".join(pack) + b"]", packed)
            pack.clear()
    for country, pack in waiting.items():
        if pack:
            yield Message(country, b"[" + b",".join(pack) + b"]", len(pack))
