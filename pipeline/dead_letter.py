"""What was rejected, as it is kept: reason, place, bytes. No I/O here."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pipeline.decode import Reason, Rejection

KEPT_BYTES = 512 * 1024
"""Of a longer event only the beginning is kept, so that a dead letter fits a Kafka message."""


class DeadLetter(Struct, frozen=True, rename={"raw": "bytes"}):
    """One rejected event on topic `dead-letters`, as JSON; `bytes` travel as base64.

    `topic`, `partition`, `offset` say which message it came in, `index` which event of it;
    `ingested` is the broker's time of that message, ms. `truncated`: the bytes are cut.
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


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(DeadLetter).decode


def dead_letter(
    rejection: Rejection, topic: str, partition: int, offset: int, index: int, ingested: int
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
    )
