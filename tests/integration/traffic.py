"""Traffic with real event-time structure, from a seed: what the runs under faults are fed with.

A pool of addresses is met again and again, each every few minutes by one of six countries: windows
come to hold, lapse and hold again. Events arrive out of order, some sensors are always minutes
behind, and a few events are none of ours or name no indicator, so that every count counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

COUNTRIES = ("AT", "BR", "CZ", "JP", "KE", "US")
START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
HOUR_MS = 3_600_000
MEETS_MS = 240_000  # an address of the pool is met so often, on average
JITTER_MS = 60_000
BEHIND_MS = {"KE": 180_000}
LATENESS = "2h"

SENSORS = "".join(
    f"""
[[organisation]]
id = "org-{country.lower()}"
country = "{country}"
name = "Organisation {country}"
[[organisation.sensor]]
id = "sensor-{country.lower()}"
"""
    for country in COUNTRIES
)

RULES = """
title: One source in three countries within ten minutes
id: 9b6ce4ea-7a35-4a2c-8a31-1b1f3f0e5a01
correlation:
  type: value_count
  rules: [any_event]
  group-by: [ip]
  timespan: 10m
  condition: {field: country, gte: 3}
level: medium
---
title: One source at two organisations within a minute
id: 9b6ce4ea-7a35-4a2c-8a31-1b1f3f0e5a02
correlation:
  type: value_count
  rules: [any_event]
  group-by: [ip]
  timespan: 1m
  condition: {field: organisation, gte: 2}
level: low
"""

_EVENT = (
    '{"time":%d,"metadata":{"uid":"%08d"},"device":{"uid":"%s"},"src_endpoint":{"ip":"%s"},'
    '"class_uid":4001,"category_uid":4,"activity_id":1,"type_uid":400101,"severity_id":1}'
)


def endless(seed: int) -> Iterator[tuple[str, bytes]]:
    """(country, event), in order of arrival, six thousand an hour, without an end."""
    for hour in count():
        yield from traffic(seed + hour, 6_000, HOUR_MS, START_MS + hour * HOUR_MS)


def traffic(
    seed: int, events: int, span_ms: int, start_ms: int = START_MS
) -> Iterator[tuple[str, bytes]]:
    """(country, event), in order of arrival."""
    random = Random(seed)
    pool = max(events * 6 // 10 * MEETS_MS // span_ms, 1)
    arrivals: list[tuple[int, str, bytes]] = []
    for number in range(events):
        time_ms = start_ms + span_ms * number // events
        country = random.choice(COUNTRIES)
        kind = random.random()
        sensor = "nobody" if kind < 0.01 else f"sensor-{country.lower()}"
        if kind < 0.02:
            address = "10.0.0.1"
        else:
            address = _address(random.randrange(pool) if kind < 0.62 else pool + number)
        event = _EVENT % (time_ms, number, sensor, address)
        delay = random.randrange(JITTER_MS) + BEHIND_MS.get(country, 0)
        arrivals.append((time_ms + delay, country, event.encode()))
    arrivals.sort()
    return ((country, event) for _, country, event in arrivals)


def _address(number: int) -> str:
    return f"{11 + number % 80}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
