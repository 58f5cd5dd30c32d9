"""Events, rules and sightings that tests start from, with times one can read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Literal

from pipeline.rule import Level, Rule
from pipeline.sight import PROGRESS_KEY, Group, Progress, Sightings, SourceState, encode

MINUTE = 60_000
HOUR = 60 * MINUTE

Record = tuple[bytes | None, bytes | None]


def at(clock: str) -> int:
    """A time of day, `12:05` or `12:05:30.250`, of 1 March 2025 in UTC, as ms."""
    return round(
        datetime.fromisoformat(f"2025-03-01T{clock}").replace(tzinfo=UTC).timestamp() * 1e3
    )


def event(sensor: str = "s", uid: str = "e", time: int = 1, **attributes: Any) -> dict[str, Any]:
    """An event with what is required, and what else is given."""
    return {"time": time, "metadata": {"uid": uid}, "device": {"uid": sensor}, **attributes}


def raw(sensor: str = "s", uid: str = "e", time: int = 1, **attributes: Any) -> bytes:
    return json.dumps(event(sensor, uid, time, **attributes)).encode()


def rule(
    kind: str = "ip",
    timespan: int = HOUR,
    field: Literal["country", "organisation"] = "country",
    gte: int = 3,
    level: Level = Level.MEDIUM,
) -> Rule:
    """By default: one source in three countries within an hour; a slice is a minute."""
    name = f"{kind}-{timespan}-{field}-{gte}"
    return Rule(name, f"Rule {name}", level, kind, timespan, field, gte)


def seen(
    value: str, country: str, *times: int, kind: str = "ip", organisation: str = ""
) -> Sightings:
    """One party's sightings of one indicator, none of them folded."""
    group = Group(kind, [value] * len(times), list(times), list(times))
    by = organisation or f"org-{country.lower()}"
    return Sightings("events/0", by, country, max(times), 0, [group])


def record(sightings: Sightings) -> Record:
    return None, encode(sightings)


def progress(*states: SourceState, expected: tuple[str, ...] = ("events/0",)) -> Record:
    """By default of the one source of `seen`, not heard of before: watermarks then rise."""
    told = list(states) or [SourceState("events/0", -1, idle=False)]
    return PROGRESS_KEY, encode(Progress(told, list(expected)))
