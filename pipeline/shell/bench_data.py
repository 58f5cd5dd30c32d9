"""What the benchmark is run on: generated events of some 330 bytes, three indicators each.

Of the indicators that events name, half are met once, most others a few times in two hours, and
one in twenty belongs to the few that come back from all countries: one event in thirty completes
a window, as in the measurements of other engines that this one is compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
SPAN_MS = 2 * 3_600_000
COUNTRIES = ("AT", "BR", "CZ", "DE", "EE", "FI", "GB", "JP")

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

RULES = "---".join(
    f"""
title: The same {kind} in three countries within ten minutes
id: 6f8f2d5e-2f7e-4f0b-9d57-0b1c5d7e8a0{n}
correlation:
  type: value_count
  rules: [any_event]
  group-by: [{kind}]
  timespan: 10m
  condition: {{field: country, gte: 3}}
level: medium
"""
    for n, kind in enumerate(("ip", "domain", "ja3"))
)

_EVENT = (
    '{"class_uid":4001,"category_uid":4,"activity_id":1,"type_uid":400101,"severity_id":1,'
    '"time":%d,"metadata":{"version":"1.5.0","uid":"%08d"},'
    '"device":{"uid":"%s"},"src_endpoint":{"ip":"%s","port":4444},"%s":{"sni":"%s","%s":'
    '{"algorithm_id":1,"value":"%s"}}}'
)
# With fewer indicators the event is as long; what it says of TLS is then under other names.
_NAMES = {1: ("more", "more"), 2: ("tls", "more"), 3: ("tls", "ja3_hash")}


def event(
    number: int, time_ms: int, country: str, names: tuple[int, int, int], indicators: int = 3
) -> bytes:
    """One event; `names` stand for its address, domain and fingerprint."""
    ip, domain, ja3 = names
    tls, fingerprint = _NAMES[indicators]
    return (
        _EVENT
        % (
            time_ms,
            number,
            f"bench-{country.lower()}-1",
            f"{11 + ip % 80}.{ip >> 16 & 255}.{ip >> 8 & 255}.{ip & 255}",
            tls,
            f"host-{domain:07x}.example.net",
            fingerprint,
            f"{ja3:032x}",
        )
    ).encode()


def generate(count: int, seed: int, indicators: int = 3) -> Iterator[tuple[str, bytes]]:
    """(country, event), in order of time."""
    random = Random(seed)
    hot = max(count // 270, 1)  # of each of the three types
    thin = max(count // 6, 1)

    def name(number: int) -> int:
        share = random.random()
        if share < 0.05:
            return random.randrange(hot)
        return hot + random.randrange(thin) if share < 0.5 else hot + thin + number

    for number in range(count):
        time_ms = START_MS + number * SPAN_MS // count
        country = COUNTRIES[random.randrange(len(COUNTRIES))]
        names = (name(number), name(number), name(number))
        yield country, event(number, time_ms, country, names, indicators)
