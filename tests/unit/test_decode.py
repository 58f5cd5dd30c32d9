"""Messages to events: what is one, what is several, and what is wrong with the rest."""

import json
from typing import Any

import pytest

from pipeline.decode import (
    MAX_DEPTH,
    MAX_EVENT_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_EVENTS,
    Reason,
    Rejection,
    decode,
    split,
)
from pipeline.event import LAST_TIME_MS, MAX_ELEMENTS, MAX_VALUES, Device, Event, Metadata
from tests.unit.making import event, raw

GOOD = raw()
READ = Event(1, Metadata("e"), Device("s"))


def reasons(message: bytes) -> list[Reason | None]:
    """Of each event of the message, in order, why it was rejected; None when it was taken."""
    return [one.reason if isinstance(one, Rejection) else None for one in decode(message)]


def rejection(message: bytes) -> Rejection:
    (only,) = decode(message)
    assert isinstance(only, Rejection)
    return only


def nested(levels: int) -> bytes:
    """A good event `levels` deep, its own braces counted."""
    return GOOD[:-1] + b', "deep": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("message", "count"),
    [
        (GOOD, 1),
        (b" \r\n\t" + GOOD + b"\n", 1),
        (json.dumps(event(), indent=2).encode(), 1),
        (b"[" + GOOD + b"]", 1),
        (b"\n[" + GOOD + b",\n" + GOOD + b"]\n", 2),
        (b"[]", 0),
        (GOOD + b"\n" + GOOD, 2),
        (GOOD + b"\r\n\r\n  " + GOOD + b"\r\n", 2),
    ],
    ids=["one", "padded", "pretty", "array of one", "array", "empty array", "lines", "CRLF"],
)
def test_the_shapes_of_a_message(message: bytes, count: int) -> None:
    assert list(decode(message)) == [READ] * count


def test_what_is_not_named_is_skipped_and_null_is_absent() -> None:
    message = raw(class_uid=4001, unmapped={"a": [{}]}, src_endpoint=None, tls={"sni": None})
    (read,) = decode(message)
    assert isinstance(read, Event)
    assert read.src_endpoint is None
    assert read.tls is not None
    assert read.tls.sni is None


@pytest.mark.parametrize("message", [b"", b" \n\t\r\n "])
def test_an_empty_message_is_one_rejection(message: bytes) -> None:
    assert rejection(message) == Rejection(Reason.NOT_JSON, "an empty message", b"")


@pytest.mark.parametrize(
    "message",
    [
        b"hello",
        b"hello\nworld",
        b"2025-01-31 12:00:00 a line of a log",
        b"{} trailing",
        raw(time=-1)[:-1],
        b"{",
        b'{"time": 1',
        GOOD + GOOD,
        GOOD.replace(b'"s"', b'"\xff"'),
        GOOD.replace(b'"s"', b'"\\ud800"'),
        b"[" + GOOD,
        b"[" + GOOD + b"]\n[" + GOOD + b"]",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        b'{\n"time": 1\n',
    ],
)
def test_what_is_no_json_is_one_rejection_with_all_its_bytes(message: bytes) -> None:
    one = rejection(message)
    assert (one.reason, one.raw) == (Reason.NOT_JSON, message.strip())
    assert one.detail


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (b"3", "$"),
        (b"null", "$"),
        (b"{}", "$"),
        (raw(time="1"), "$.time"),  # type: ignore[arg-type]
        (raw(time=-1), "$.time"),
        (raw(time=LAST_TIME_MS + 1), "$.time"),
        (raw(time=1.5), "$.time"),  # type: ignore[arg-type]
        (raw(uid=""), "$.metadata.uid"),
        (raw(uid="u" * 257), "$.metadata.uid"),
        (raw(sensor=""), "$.device.uid"),
        (raw(device=3), "$.device"),
        (raw(device={}), "$.device"),
        (raw(src_endpoint={"ip": 1}), "$.src_endpoint.ip"),
        (raw(file={"hashes": [{"value": "a"}, 3]}), "$.file.hashes[1]"),
        (raw(observables=[{}] * (MAX_ELEMENTS + 1)), "$.observables"),
        (json.dumps(event(time=-1), indent=1).encode(), "$.time"),
    ],
)
def test_what_breaks_the_schema_is_said_with_its_path(message: bytes, path: str) -> None:
    one = rejection(message)
    assert one.reason is Reason.SCHEMA
    assert one.detail.endswith(f" - at `{path}`")
    assert one.raw == message


def test_limits_are_inclusive() -> None:
    assert reasons(raw(time=0)) == [None]
    assert reasons(raw(time=LAST_TIME_MS)) == [None]
    assert reasons(raw(uid="u" * 256)) == [None]
    assert reasons(raw(observables=[{}] * MAX_ELEMENTS)) == [None]


def test_in_an_array_each_stands_for_itself() -> None:
    message = b"[" + b", ".join([GOOD, b"{}", b"7", GOOD, nested(MAX_DEPTH + 1)]) + b"]"
    assert reasons(message) == [None, Reason.SCHEMA, Reason.SCHEMA, None, Reason.TOO_DEEP]
    assert [one.raw for one in decode(message) if isinstance(one, Rejection)] == [
        b"{}",
        b"7",
        nested(MAX_DEPTH + 1),
    ]


def test_in_lines_each_stands_for_itself() -> None:
    assert reasons(GOOD + b"\nhello\n{}\n" + GOOD) == [None, Reason.NOT_JSON, Reason.SCHEMA, None]
    assert reasons(b"{}\n{") == [Reason.SCHEMA, Reason.NOT_JSON]


def test_a_broken_event_over_several_lines_is_one() -> None:
    broken = json.dumps(event(time=-1), indent=2).encode()
    assert reasons(broken) == [Reason.SCHEMA]
    assert reasons(broken[:-1]) == [Reason.NOT_JSON]


def test_an_event_s_size_is_bounded() -> None:
    room = MAX_EVENT_BYTES - len(raw(note=""))
    assert reasons(raw(note="x" * room)) == [None]
    large = raw(note="x" * (room + 1))
    assert rejection(large) == Rejection(
        Reason.TOO_LARGE, f"an event of {MAX_EVENT_BYTES + 1} bytes; {MAX_EVENT_BYTES} are allowed",
        large,
    )  # fmt: skip
    assert reasons(GOOD + b"\n" + large + b"\n" + GOOD) == [None, Reason.TOO_LARGE, None]
    assert reasons(b"[" + large + b"," + GOOD + b"]") == [Reason.TOO_LARGE, None]


def test_a_message_s_size_is_bounded() -> None:
    full = GOOD + b" " * (MAX_MESSAGE_BYTES - len(GOOD))
    assert reasons(full) == [None]
    assert rejection(full + b" ").reason is Reason.TOO_LARGE


@pytest.mark.parametrize("joint", [b",", b"\n"], ids=["array", "lines"])
def test_a_message_s_number_of_events_is_bounded(joint: bytes) -> None:
    def message(count: int) -> bytes:
        joined = joint.join([GOOD] * count)
        return b"[" + joined + b"]" if joint == b"," else joined

    assert len(decode(message(MAX_MESSAGE_EVENTS))) == MAX_MESSAGE_EVENTS
    assert rejection(message(MAX_MESSAGE_EVENTS + 1)).reason is Reason.TOO_LARGE


def test_depth_is_bounded() -> None:
    assert reasons(nested(MAX_DEPTH)) == [None]
    assert reasons(nested(MAX_DEPTH + 1)) == [Reason.TOO_DEEP]
    assert rejection(nested(MAX_DEPTH + 1)).detail == f"nested deeper than {MAX_DEPTH} levels"
    assert reasons(b"[" * 1_000_000) == [Reason.TOO_DEEP]
    assert reasons(b'{"a":' * 40_000) == [Reason.TOO_DEEP]


def test_a_broken_array_that_is_too_deep_as_well_is_said_to_be_that() -> None:
    assert reasons(b"[" * (MAX_DEPTH + 1) + b"x") == [Reason.NOT_JSON]
    assert reasons(b"[" * (MAX_DEPTH + 2) + b"x") == [Reason.TOO_DEEP]


def test_width_is_not_depth_and_brackets_in_text_are_none() -> None:
    assert reasons(raw(wide=[[]] * 1000)) == [None]
    assert reasons(raw(text='\\"' + "[{" * 1000)) == [None]


def test_split_gives_the_bytes_that_decode_read() -> None:
    message = b"[" + GOOD + b" , {} ]"
    assert list(split(message)) == [GOOD, b"{}"]
    assert list(split(GOOD + b"\n\n{}\n")) == [GOOD, b"{}"]
    assert list(split(GOOD)) == [GOOD]
    (whole,) = split(b"[" + GOOD)
    assert isinstance(whole, Rejection)


def test_the_reasons_are_the_contract_s_and_one_for_our_own_bugs() -> None:
    assert [reason.value for reason in Reason] == [
        "not-json",
        "too-large",
        "too-deep",
        "schema",
        "unknown-sensor",
        "foreign-sensor",
        "from-the-future",
        "too-late",
        "exercise-mismatch",
        "bug",
    ]


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "observables": [{"type_id": 2, "value": "8.8.8.8"}] * MAX_ELEMENTS,
            "file": {"hashes": [{}]},
        },
        {"vulnerabilities": [{"affected_packages": [{"purl": "p"}] * 600}] * 2},
        {"ja4_fingerprint_list": [{}] * 1000, "vulnerabilities": [{}] * 25},
    ],
)
def test_values_are_bounded_in_all_lists_together(attributes: dict[str, Any]) -> None:
    message = raw(**attributes)
    said = rejection(message)
    assert said.reason is Reason.TOO_LARGE
    assert f"{MAX_VALUES} are allowed" in said.detail
    assert reasons(b"[" + message + b"," + GOOD + b"]") == [Reason.TOO_LARGE, None]
    assert reasons(json.dumps(json.loads(message), indent=1).encode()) == [Reason.TOO_LARGE]
    at_most = raw(observables=[{"type_id": 2, "value": "8.8.8.8"}] * MAX_VALUES)
    assert reasons(at_most) == [None]
