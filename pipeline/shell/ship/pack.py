"""What is sent: packs of events, one a line, each with the place in its log that it reaches to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from pipeline.shell.ship.log_file import Place

PACK_EVENTS = 500
PACK_BYTES = 512 * 1024
"""Of a pack, unless one event alone is larger. A broker takes messages of 1 MB by default."""


class Reached(Struct, frozen=True):
    """All before this place is in this pack or in one before it.

    `file` tells the files of one path apart while they are read; `done`: it is read to its end.
    """

    path: str
    file: int
    place: Place
    done: bool = False


class Pack(Struct, frozen=True):
    """A Kafka message. An empty one is not sent: it only says what was reached."""

    payload: bytes
    events: int
    reached: Reached | None


def packs(events: Sequence[bytes], reached: Reached | None) -> Iterator[Pack]:
    """Events of one stretch of a log as packs; the last of them has what was reached."""
    if len(events) <= PACK_EVENTS and sum(map(len, events)) + len(events) <= PACK_BYTES:
        yield Pack(b"\n".join(events), len(events), reached)
        return
    part: list[bytes] = []
    size = 0
    for event in events:
        if part and (len(part) >= PACK_EVENTS or size + len(event) >= PACK_BYTES):
            yield Pack(b"\n".join(part), len(part), None)
            part, size = [], 0
        part.append(event)
        size += len(event) + 1
    yield Pack(b"\n".join(part), len(part), reached)
