"""`sightline sensor status`: what came of what each sensor sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import msgspec
from aiokafka.errors import KafkaError
from msgspec import Struct

from pipeline.feedback import Figures, together
from pipeline.registry import Party, Registry
from pipeline.shell.feedback import Helped, read_figures, read_helped
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import FailedError, Settings, WrongUseError


class Status(Struct):
    """One sensor's; times are ms since the epoch. Without a name: what no sensor can be told of."""

    sensor: str
    organisation: str | None
    country: str | None
    last_event: int | None
    last_heard: int | None
    read: int
    taken: int
    rejected: dict[str, int]
    late: int
    duplicate_share: float | None
    """Of those taken, how many had been taken before."""
    clock_offset_seconds: float | None
    """How far its clock is behind the broker's."""
    alerts: int
    """Of several countries that its organisation, in its country, is part of."""
    campaigns: int


def statuses(settings: Settings, registry: Registry, only: str) -> list[Status]:
    """All sensors', or the one's; a `WrongUseError` if there is none of that id."""
    if only and only not in registry.sensors:
        raise WrongUseError(f"{settings.sensors}: there is no sensor {only!r}")
    try:
        records = asyncio.run(read_figures(settings))
        helped = asyncio.run(read_helped(settings, registry.parties))
    except KafkaError as error:
        raise FailedError(f"no answer from {settings.broker}: {error!r}") from None
    found = together(records)
    named = {name: name for name in sorted(registry.sensors)} | ({"": ""} if "" in found else {})
    return [
        _status(name, found.get(name, Figures()), registry, helped)
        for name in named
        if not only or name == only
    ]


def _status(
    sensor: str, figures: Figures, registry: Registry, helped: dict[Party, Helped]
) -> Status:
    party = registry.sensors.get(sensor)
    of = helped[party] if party else Helped()
    offset = figures.clock_offset
    return Status(
        sensor=sensor,
        organisation=party.organisation if party else None,
        country=party.country if party else None,
        last_event=figures.last_event or None,
        last_heard=figures.heard_at or None,
        read=figures.read,
        taken=figures.taken,
        rejected=dict(sorted(figures.rejected.items())),
        late=figures.late,
        duplicate_share=round(figures.twice / figures.taken, 4) if figures.taken else None,
        clock_offset_seconds=None if offset is None else offset / 1000,
        alerts=of.alerts,
        campaigns=of.campaigns,
    )


def told(found: Sequence[Status], *, as_json: bool) -> Iterator[str]:
    """As lines: of JSON, or to be read."""
    now_ms = time.time_ns() // 1_000_000
    for one in found:
        if as_json:
            yield plain_json(msgspec.json.encode(one))
        else:
            yield from map(printable, _in_words(one, now_ms))


def _in_words(one: Status, now_ms: int) -> Iterator[str]:
    if not one.sensor:
        reasons = ", ".join(f"{count} {reason}" for reason, count in one.rejected.items())
        yield f"not told by whom: {reasons}"
        return
    yield f"{one.sensor} of {one.organisation} in {one.country}"
    if not one.read:
        yield "  nothing has come of it yet"
        return
    heard = f"last heard {_ago(now_ms - (one.last_heard or 0))} ago"
    if one.last_event:
        heard += f", its last event of {_ago(now_ms - one.last_event)} ago"
    yield f"  {heard}"
    reasons = "".join(f", {count} rejected as {reason}" for reason, count in one.rejected.items())
    yield f"  {one.read:,} events: {one.taken:,} taken, {one.late:,} late{reasons}"
    if one.duplicate_share:
        yield f"  {one.duplicate_share:.1%} of them came more than once, which changes nothing"
    if one.clock_offset_seconds is not None:
        yield f"  its clock and the way took {one.clock_offset_seconds:,.1f} s"
    alerts = f"{one.alerts:,} alert{'' if one.alerts == 1 else 's'}"
    campaigns = f"{one.campaigns:,} campaign{'' if one.campaigns == 1 else 's'}"
    yield f"  your data helped find {alerts} and {campaigns} across borders"


def _ago(ms: int) -> str:
    seconds = max(ms, 0) / 1000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
