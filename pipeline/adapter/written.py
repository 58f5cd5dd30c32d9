"""Events as they are written: their names, what every one of a table has, and what may be too much.
No I/O here.

An event is named by its own id where its format gives it one, else by its record's bytes and the
number of its line: to convert or send a file again names its events as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import repeat
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.adapter.format import Format
from pipeline.adapter.instant import Clock
from pipeline.adapter.mapper import Mapped, Mapper
from pipeline.adapter.record import Record
from pipeline.adapter.required import lacks, less
from pipeline.adapter.table import Fields, Problem, Table
from pipeline.decode import MAX_EVENT_BYTES, Rejection, decode

_encode = msgspec.json.Encoder().encode
CONNECTION = Table("connection", 4001, 6, (), judged=True)
GENERAL = Table("general", 0, 0, (), judged=True)


def _name(raw: bytes, number: int) -> str:
    return f"{blake2b(raw, digest_size=16).hexdigest()}-{number}"


class Ready(Struct):
    """A table of a format, and what stands before and after the id of each event of it."""

    format: Format
    mapper: Mapper
    before: bytes
    after: bytes


class Waiting(Struct):
    """Records of one table that are mapped together."""

    fields: list[Fields]
    indices: list[int]
    """Which of its line each is; none where each is the first."""
    at: list[int]
    """Where what comes of it goes."""


class Written:
    """What comes of one file's records, for one sensor."""

    def __init__(self, format_: Format, sensor: str) -> None:
        self._sensor = sensor
        self._ready = {
            id(table): self._make_ready(table, one)
            for one in (format_, *format_.carried)
            for table in one.tables
        }
        self._connection = self._make_ready(CONNECTION, format_)
        self._general = self._make_ready(GENERAL, format_)

    def ready(self, table: Table) -> Ready:
        return self._ready[id(table)]

    def _make_ready(self, table: Table, of: Format) -> Ready:
        before, after = table.head(of.product, self._sensor)
        return Ready(of, Mapper(table, of.shape), before, after)

    def events(
        self, table: int, of: Waiting, places: Sequence[Record], clock: Clock
    ) -> tuple[Sequence[bytes | Problem], int]:
        """What comes of records of the table that has that `id`, at their places; and how many of
        the events name no time.
        """
        ready = self._ready[table]
        mapped = ready.mapper.build(of.fields, clock)
        made = self._whole(ready, mapped, self._names(mapped, of, places))
        for at, problem in mapped.problems.items():
            made[at] = problem
        return made, len(mapped.undated - mapped.problems.keys())

    def _names(self, mapped: Mapped, of: Waiting, places: Sequence[Record]) -> list[bytes]:
        """As JSON, the ids of events: their own, or made of their record and its place."""
        if mapped.names is None and not any(of.indices):
            return [
                b'"%b-%d"' % (blake2b(raw, digest_size=16).hexdigest().encode(), number)
                for number, raw in places
            ]
        named = [
            own or _name(raw, number)
            for own, (number, raw) in zip(mapped.names or repeat(None), places, strict=False)
        ]
        return [
            _encode(f"{name}-{index}" if index else name)
            for name, index in zip(named, of.indices or repeat(0), strict=False)
        ]

    def _whole(self, ready: Ready, mapped: Mapped, names: Sequence[bytes]) -> list[bytes | Problem]:
        before, after = ready.before, ready.after
        events: Sequence[Any] = mapped.events
        if not mapped.lacking:
            try:
                bodies = [*map(_encode, events)]
            except UnicodeEncodeError:
                pass  # of one of them
            else:
                made = [
                    b"".join((before, name, after, body[1:]))
                    for name, body in zip(names, bodies, strict=True)
                ]
                if max(map(len, made)) <= MAX_EVENT_BYTES:
                    return [*made]
        return [
            self._one(ready, event, name, lacking=at in mapped.lacking)
            for at, (event, name) in enumerate(zip(events, names, strict=True))
        ]

    def _one(self, ready: Ready, event: Any, name: bytes, *, lacking: bool) -> bytes | Problem:
        if lacking:
            event, ready = self._less(msgspec.to_builtins(event))
        try:
            encoded = ready.before + name + ready.after + _encode(event)[1:]
        except UnicodeEncodeError:
            return Problem("it holds half a surrogate pair")
        if len(encoded) > MAX_EVENT_BYTES:
            return Problem(f"an event of {len(encoded)} bytes; {MAX_EVENT_BYTES} are allowed")
        return encoded

    def _less(self, event: dict[str, Any]) -> tuple[dict[str, Any], Ready]:
        """An event that lacks what its class requires, as one of a class that requires less."""
        for ready in (self._connection, self._general):
            table = ready.mapper.table
            left = less(event, table.class_uid, table.activity_id)
            if not lacks(left, table.class_uid):
                break
        return left, ready

    def as_it_is(self, event: dict[str, Any] | Problem, raw: bytes, number: int) -> bytes | Problem:
        """An event that was one already, with what is required of ours."""
        if isinstance(event, Problem):
            return event
        metadata = event.setdefault("metadata", {})
        if isinstance(metadata, dict):
            metadata.setdefault("uid", _name(raw, number))
            profiles = metadata.setdefault("profiles", [])
            if isinstance(profiles, list) and "host" not in profiles:
                profiles.append("host")  # what lets an event have a device
        device = event.get("device")
        device = device if isinstance(device, dict) else {"type_id": 0}
        if device.get("uid") not in (None, self._sensor):  # it may be anything: a list has no hash
            device["uid_alt"] = device["uid"]
        event["device"] = device | {"uid": self._sensor}
        try:
            encoded = _encode(event)
        except (UnicodeEncodeError, RecursionError):
            return Problem("it cannot be written as JSON")
        (checked,) = decode(encoded)[:1]
        return Problem(checked.detail) if isinstance(checked, Rejection) else encoded
