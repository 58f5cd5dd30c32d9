"""What was rejected is kept: why, where it was, and its bytes."""

import base64
import json

import pytest

from pipeline.dead_letter import KEPT_BYTES, DeadLetter, dead_letter, decode, encode
from pipeline.decode import MAX_EVENT_BYTES, Reason, Rejection


def letter(raw: bytes) -> DeadLetter:
    return dead_letter(Rejection(Reason.SCHEMA, "why", raw), "events.cz.a", 3, 99, 2, 1234)


def test_it_says_all_of_it_in_json() -> None:
    raw = b'\x00\xff{"not": json'
    assert json.loads(encode(letter(raw))) == {
        "reason": "schema",
        "detail": "why",
        "topic": "events.cz.a",
        "partition": 3,
        "offset": 99,
        "index": 2,
        "ingested": 1234,
        "truncated": False,
        "resent": 0,
        "bytes": base64.b64encode(raw).decode(),
    }


@pytest.mark.parametrize("raw", [b"", b"{}", bytes(range(256)), b"x" * KEPT_BYTES])
def test_what_was_written_is_read_again(raw: bytes) -> None:
    written = letter(raw)
    assert decode(encode(written)) == written
    assert (written.raw, written.truncated) == (raw, False)


def test_of_what_is_too_long_the_beginning_is_kept() -> None:
    written = letter(b"ab" * KEPT_BYTES)
    assert written.truncated
    assert written.raw == (b"ab" * KEPT_BYTES)[:KEPT_BYTES]


def test_an_event_of_the_largest_size_is_kept_whole_and_fits_a_kafka_message() -> None:
    assert MAX_EVENT_BYTES <= KEPT_BYTES
    assert len(encode(letter(b"x" * (KEPT_BYTES + 1)))) < 1_000_000
