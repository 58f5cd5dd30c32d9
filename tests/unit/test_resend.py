"""Which dead letters may be sent in again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pipeline.clock import Clock, ClockPolicy
from pipeline.dead_letter import (
    MOST_RESENT,
    DeadLetter,
    decode,
    encode,
    headers_of,
    resent_of,
    sensor_of,
)
from pipeline.decode import Reason
from pipeline.registry import read_registry
from pipeline.resend import ALWAYS_HELD, Held, Judge

NOON = 1_767_268_800_000
SENSORS = """
[[organisation]]
id = "a"
country = "CZ"
name = "A"
[[organisation.sensor]]
id = "a-1"
[[organisation]]
id = "b"
country = "AT"
name = "B"
[[organisation.sensor]]
id = "b-1"
"""


def event(sensor: str = "a-1", time: int = NOON) -> bytes:
    return json.dumps({"time": time, "metadata": {"uid": "u"}, "device": {"uid": sensor}}).encode()


def letter(**changes: Any) -> DeadLetter:
    good = DeadLetter(Reason.SCHEMA, "why", "p.events.cz.a", 0, 7, 0, NOON, False, event())
    return msgspec.structs.replace(good, **changes)


@pytest.fixture
def judge() -> Judge:
    registry, _ = read_registry(SENSORS)
    assert registry is not None
    return Judge(registry, "p.", 1000)


@pytest.mark.parametrize(
    ("changes", "held", "says"),
    [
        ({}, None, ""),
        ({"raw": event() + b"\n" + event("nobody")}, None, ""),  # the good one counts
        ({"topic": "alerts"}, Held.NO_TOPIC, "alerts"),
        ({"topic": "events.cz.a"}, Held.NO_TOPIC, "events.cz.a"),  # of another prefix
        ({"truncated": True}, Held.CUT, "first"),
        ({"resent": 2}, Held.RESENT, "2×"),
        ({"reason": Reason.TOO_LATE, "detail": "9 s behind"}, Held.TOO_LATE, "9 s behind"),
        ({"reason": Reason.BUG, "detail": "Traceback"}, Held.BUG, "ended workers"),
        ({"raw": event("b-1")}, Held.REJECTED, "foreign-sensor"),
        ({"raw": event("c-1")}, Held.REJECTED, "unknown-sensor"),
        ({"raw": b"{"}, Held.REJECTED, "not-json"),
        ({"raw": event(time=NOON + 200_000)}, Held.REJECTED, "from-the-future"),
        ({"raw": event(time=NOON + 100_000)}, None, ""),
    ],
)
def test_what_would_not_be_taken_is_held_back(
    judge: Judge, changes: dict[str, Any], held: Held | None, says: str
) -> None:
    verdict = judge.verdict(letter(**changes), settled=False)
    assert verdict.held == held
    assert says in verdict.detail


def test_what_was_sent_before_is_held_back(judge: Judge) -> None:
    assert judge.verdict(letter(), settled=True).held is Held.SETTLED


def test_no_insisting_writes_to_a_topic_that_is_not_a_sensor_s() -> None:
    assert {Held.NO_TOPIC, Held.CUT} == ALWAYS_HELD


def test_a_letter_of_before_there_was_a_count_is_read() -> None:
    written = json.loads(encode(letter()))
    del written["resent"]
    assert decode(json.dumps(written).encode()) == letter()


@pytest.mark.parametrize(
    ("reason", "ahead_ms"), [(Reason.FROM_THE_FUTURE, 3_600_000), (Reason.TOO_LATE, -3_600_000)]
)
def test_once_clocks_are_corrected_letters_of_a_wrong_clock_may_go(
    reason: Reason, ahead_ms: int
) -> None:
    registry, _ = read_registry(SENSORS)
    assert registry is not None
    one = letter(reason=reason, raw=event(time=NOON + ahead_ms))
    for policy, held in ((ClockPolicy.QUARANTINE, Held.REJECTED), (ClockPolicy.CORRECT, None)):
        judge = Judge(registry, "p.", 1000, Clock(policy, 900_000))
        assert judge.verdict(one, settled=False).held is held


def test_what_is_sent_in_again_says_so() -> None:
    assert resent_of(headers_of(letter()), NOON + 5) == (1, NOON)
    assert resent_of(headers_of(letter(resent=4)), NOON + 5) == (5, NOON)
    assert resent_of(headers_of(letter(resent=MOST_RESENT)), NOON + 5) == (MOST_RESENT, NOON)


@pytest.mark.parametrize(
    ("headers", "often", "first"),
    [
        ([], 0, 500),
        ([("other", b"1")], 0, 500),
        ([("sightline-resent", b"1")], 1, 500),
        ([("x", None), ("sightline-resent", b"12")], 12, 500),
        ([("sightline-resent", b"0")], 1, 500),
        ([("sightline-resent", b"-1")], 1, 500),
        ([("sightline-resent", None)], 1, 500),
        ([("sightline-resent", b"\xd9\xa3")], 1, 500),
        ([("sightline-resent", b"9" * 9)], MOST_RESENT, 500),
        ([("sightline-resent", b"9" * 1_000_000)], 1, 500),
        ([("sightline-ingested", b"400")], 0, 500),  # only of what was sent in again
        ([("sightline-ingested", b"400"), ("sightline-resent", b"1")], 1, 400),
        ([("sightline-resent", b"1"), ("sightline-ingested", b"501")], 1, 500),
        ([("sightline-resent", b"1"), ("sightline-ingested", b"-1")], 1, 500),
        ([("sightline-resent", b"1"), ("sightline-ingested", None)], 1, 500),
    ],
)
def test_forged_headers_move_no_time_ahead(
    headers: list[tuple[str, bytes | None]], often: int, first: int
) -> None:
    assert resent_of(headers, 500) == (often, first)


@pytest.mark.parametrize(
    ("raw", "sensor"),
    [
        (event("x"), "x"),
        (b'{"device":{"uid":"x"},"time":"noon"}', "x"),
        (b'{"device":{"uid":5}}', None),
        (b"[" + event("x") + b"]", None),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_the_sensor_of_whatever_was_rejected(raw: bytes, sensor: str | None) -> None:
    assert sensor_of(raw) == sensor
