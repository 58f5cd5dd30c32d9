"""What is told back to a sensor's operator: what came of what it sent. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import msgspec
from msgspec import Struct

from pipeline.decode import Reason

SAMPLE = 4096
"""Events of a sensor that are remembered to tell which come again."""
MOST_SENSORS = 1_000
"""Of one source, so that a record stays small; those of any more are told as one without a name."""


_EVERY_BIT = (1 << 32) - 1


def number_of(uid: str) -> int:
    """A number of 32 bits in which names differ, however alike they are."""
    return crc32(uid.encode())


class Repeats:
    """How many events came more than once, by a sample of their names.

    While a sensor has sent fewer than `SAMPLE` events that is exact. Then only names are looked at
    whose `number_of` has zeros where `mask` has ones, each for as many as it stands for.
    """

    __slots__ = ("_seen", "found", "mask")

    def __init__(self) -> None:
        self.mask = 0
        self.found = 0
        self._seen: set[str] = set()

    def taken(self) -> int:
        """How many were found since this was asked before."""
        found, self.found = self.found, 0
        return found

    def note(self, uid: str) -> None:
        """An event of the sample: `number_of(uid) & mask` is 0."""
        if uid in self._seen:
            self.found += self.mask + 1
            return
        self._seen.add(uid)
        while len(self._seen) > SAMPLE:
            if self.mask >= _EVERY_BIT:
                # Nobody's events come to that, but who makes names to: what is told of them is
                # wrong then, and no more than that.
                self._seen.clear()
                return
            self.mask = self.mask * 2 + 1
            self._seen = {uid for uid in self._seen if not number_of(uid) & self.mask}


class Figures(Struct):
    """What came of one sensor's events at one source. Times are ms since the epoch."""

    taken: int = 0
    """Good events."""
    late: int = 0
    rejected: dict[str, int] = {}
    """By reason; late ones are not among them."""
    twice: int = 0
    """Of those taken, how many had been taken before; an estimate beyond `SAMPLE` of them."""
    last_event: int = 0
    """The latest time of an event that was taken."""
    heard_at: int = 0
    """The broker's time of the last message with something of it."""
    clock_offset: int | None = None
    """How far its clock was behind the broker's when it was last heard, ms."""

    @property
    def read(self) -> int:
        return self.taken + self.late + sum(self.rejected.values())

    def add(self, more: Figures) -> None:
        """As of the same sensor at another source, or later."""
        self.taken += more.taken
        self.late += more.late
        for reason, count in more.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        self.twice += more.twice
        self.last_event = max(self.last_event, more.last_event)
        if more.clock_offset is not None and (
            self.clock_offset is None or more.heard_at >= self.heard_at
        ):
            self.clock_offset = more.clock_offset
        self.heard_at = max(self.heard_at, more.heard_at)


class SourceFigures(Struct):
    """A record of the topic `sensors`, by its key: the partition of events that it is about.

    What cannot be told to be of a sensor stands under the empty name.
    """

    source: str
    since: int
    """When counting began, ms since the epoch."""
    sensors: dict[str, Figures] = {}

    def reject(self, sensor: str, reason: str, heard_at: int) -> None:
        """An event of a sensor was not taken."""
        figures = self.of(sensor)
        if reason == Reason.TOO_LATE:
            figures.late += 1
        else:
            figures.rejected[reason] = figures.rejected.get(reason, 0) + 1
        figures.heard_at = max(figures.heard_at, heard_at)

    def add(self, before: SourceFigures) -> None:
        """What was counted of the same source before."""
        self.since = min(self.since, before.since)
        for sensor, figures in before.sensors.items():
            self.of(sensor).add(figures)

    def of(self, sensor: str) -> Figures:
        found = self.sensors.get(sensor)
        if found is None:
            name = sensor if len(self.sensors) < MOST_SENSORS else ""
            found = self.sensors.setdefault(name, Figures())
        return found


class Said(Struct):
    """Who an event, or what is left of one, says it is of."""

    class Device(Struct):
        uid: str

    device: Device


_said = msgspec.json.Decoder(Said).decode
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(SourceFigures).decode


def sensor_of(raw: bytes) -> str | None:
    """The sensor that a rejected event names; None if it cannot be read."""
    try:
        return _said(raw).device.uid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def together(records: Iterable[SourceFigures]) -> dict[str, Figures]:
    """By sensor, what all sources say of it."""
    found: dict[str, Figures] = {}
    for record in records:
        for sensor, figures in record.sensors.items():
            found.setdefault(sensor, Figures()).add(figures)
    return found
