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
INGESTED_HEADER = "sightline-ingested"
"""The header that says when such a message first came in, ms, in decimal digits: what is late or
early of it is so by that time, not by when it was sent in again."""
MOST_RESENT = 999
_DIGITS = 15


class DeadLetter(Struct, frozen=True, rename={"raw": "bytes"}):
    """One rejected event on topic `dead-letters`, as JSON; `bytes` travel as base64.

    `topic`, `partition`, `offset` say which message it came in, `index` which event of it;
    `ingested` is the broker's time of that message, ms. `truncated`: the bytes are cut.
    `resent` is how often its message had been sent in again before, 0 for a sensor's own;
    `ingested` is then the time of the first.
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


def headers_of(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """The headers with which a letter's bytes are sent in again."""
    return [
        (RESENT_HEADER, b"%d" % min(letter.resent + 1, MOST_RESENT)),
        (INGESTED_HEADER, b"%d" % letter.ingested),
    ]


def resent_of(headers: Iterable[tuple[str, bytes | None]], stamped: int) -> tuple[int, int]:
    """How often a message was sent in again, and when it first came in, ms; `stamped` is the
    broker's time of this one.

    Whoever may write to the topic may write the headers, too. A count that is none is once. A time
    later than `stamped` is not believed: nothing can be made to come from the future.
    """
    often, first = 0, stamped
    for name, value in headers:
        number = int(value) if value and len(value) <= _DIGITS and value.isdigit() else None
        if name == RESENT_HEADER:
            often = min(max(number or 1, 1), MOST_RESENT)
        elif name == INGESTED_HEADER and number is not None:
            first = min(number, stamped)
    return (often, first) if often else (0, stamped)


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
