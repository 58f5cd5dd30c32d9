"""What was rejected, as it is kept: reason, place, bytes. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from pipeline.decode import Reason, Rejection

KEPT_BYTES = 512 * 1024
"""Of a longer event only the beginning is kept, so that a dead letter fits a Kafka message."""

RESENT_HEADER = "sightline-resent"
"""The header of a message that was sent in again: how often, in decimal digits."""
MOST_RESENT = 999


class DeadLetter(Struct, frozen=True, rename={"raw": "bytes"}):
    """One rejected event on topic `dead-letters`, as JSON; `bytes` travel as base64.

    `topic`, `partition`, `offset` say which message it came in, `index` which event of it;
    `ingested` is the broker's time of that message, ms. `truncated`: the bytes are cut.
    `resent` is how often its message had been sent in again before, 0 for a sensor's own.
    """

    reason: Reason
    detail: str
    topic: str
    partition: int
    offset: int
    index: int
    ingested: int
    truncated: bool
    raw: bytes
    resent: int = 0

    @property
    def key(self) -> str:
        """Names the event that was rejected; a letter that is there twice has the same."""
        return f"{self.topic}/{self.partition}/{self.offset}/{self.index}"


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(DeadLetter).decode


def dead_letter(
    rejection: Rejection,
    topic: str,
    partition: int,
    offset: int,
    index: int,
    ingested: int,
    resent: int = 0,
) -> DeadLetter:
    """The dead letter of a rejected event."""
    raw = rejection.raw
    return DeadLetter(
        rejection.reason,
        rejection.detail,
        topic,
        partition,
        offset,
        index,
        ingested,
        len(raw) > KEPT_BYTES,
        raw[:KEPT_BYTES],
        resent,
    )


def resent_of(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """How often a message was sent in again, by its headers. Whoever may write to the topic may
    write the header, too: what is no such number counts as once.
    """
    for name, value in headers:
        if name == RESENT_HEADER:
            digits = (value or b"")[:4]
            return min(max(int(digits), 1), MOST_RESENT) if digits.isdigit() else 1
    return 0


class _Device(Struct):
    uid: str


class _Speaker(Struct):
    device: _Device


_speaker = msgspec.json.Decoder(_Speaker).decode


def sensor_of(raw: bytes) -> str | None:
    """The sensor that bytes say they are from, whatever else is wrong with them."""
    try:
        return _speaker(raw).device.uid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
