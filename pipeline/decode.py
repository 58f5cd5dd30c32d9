"""Bytes to events: the first stage. No I/O here.

A message holds one event, a JSON array of events, or events one a line. Whatever the bytes
are, `decode` returns: every event in them comes out once, as an `Event` or as a `Rejection`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct

from pipeline.event import MAX_VALUES, Event

MAX_EVENT_BYTES = 256 * 1024
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_MESSAGE_EVENTS = 10_000
MAX_DEPTH = 64
_LOOKED_AT = 64 * 1024  # of a broken array, to say why it is broken


class Reason(StrEnum):
    """Why an event was not taken. A closed set: it labels a metric."""

    NOT_JSON = "not-json"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    SCHEMA = "schema"
    UNKNOWN_SENSOR = "unknown-sensor"
    FOREIGN_SENSOR = "foreign-sensor"
    FROM_THE_FUTURE = "from-the-future"
    TOO_LATE = "too-late"
    EXERCISE_MISMATCH = "exercise-mismatch"
    BUG = "bug"
    """Not the sender's fault: a message that our own code fails on, set aside whole."""


class Rejection(Struct, frozen=True):
    """An event that was not taken: why, for the one who sent it, and its bytes."""

    reason: Reason
    detail: str
    raw: bytes


_one = msgspec.json.Decoder(Event).decode
_lines_of_one = msgspec.json.Decoder(Event).decode_lines
_many = msgspec.json.Decoder(list[msgspec.Raw]).decode
_any = msgspec.json.Decoder(msgspec.Raw).decode
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_WHITESPACE = b" \t\r\n"


def simple(raw: bytes) -> Event | None:
    """The event of a message that is one good event, as most are; None of any other."""
    # More opening brackets than levels allowed is the only way to be too deep, and to have more
    # values than allowed.
    if (
        raw[:1] == b"{"
        and len(raw) <= MAX_EVENT_BYTES
        and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH
    ):
        try:
            return _one(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # `decode` says what is wrong, where there is time
    return None


TOGETHER = 8
"""So many messages are decoded at once: what is to be counted of each is counted of all at once, if
they have no more brackets together than one may have."""


def together(raws: Sequence[bytes]) -> list[Event] | None:
    """The events of a few messages if each is one good event; None if one is not, or may not be.

    As `simple` of each, for two thirds of its cost.
    """
    # A value that begins with a brace and ends with one cannot go on in a next such line: within
    # an object or an array a comma is missing there, and a string holds no line end. So there are
    # as many events as messages only if each is one.
    for raw in raws:
        if raw[:1] != b"{" or raw[-1:] != b"}":
            return None
    lines = b"\n".join(raws)
    if len(lines) > MAX_EVENT_BYTES:
        return None
    if lines.count(b"{") + lines.count(b"[") > MAX_DEPTH and any(
        raw.count(b"{") + raw.count(b"[") > MAX_DEPTH for raw in raws
    ):
        return None
    try:
        events = _lines_of_one(lines)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return events if len(events) == len(raws) else None


def decode(raw: bytes) -> Sequence[Event | Rejection]:
    """Every event of one message, in order, each taken or rejected. Never raises.

    A message that is not JSON at all is one rejection; so is an empty one.
    """
    event = simple(raw)
    if event is not None:
        return (event,)
    return [part if isinstance(part, Rejection) else _event(part) for part in split(raw)]


def split(raw: bytes) -> Sequence[bytes | Rejection]:
    """The bytes of every event of a message, in the order of `decode`'s, or why there are none."""
    if len(raw) > MAX_MESSAGE_BYTES:
        return (_too_large(raw, f"a message of {len(raw)} bytes; {MAX_MESSAGE_BYTES} are allowed"),)
    raw = raw.strip(_WHITESPACE)
    if not raw:
        return (Rejection(Reason.NOT_JSON, "an empty message", raw),)
    if raw[:1] == b"[":
        return _array(raw)
    if b"\n" in raw and not isinstance(_event(raw), Event):
        return _lines(raw)
    return (raw,)


def _array(raw: bytes) -> Sequence[bytes | Rejection]:
    try:
        parts = _many(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, RecursionError) or _depth(raw[:_LOOKED_AT]) > MAX_DEPTH + 1:
            return (_too_deep(raw),)
        return (Rejection(Reason.NOT_JSON, str(error), raw),)
    if len(parts) > MAX_MESSAGE_EVENTS:
        detail = f"an array of {len(parts)} events; {MAX_MESSAGE_EVENTS} are allowed in a message"
        return (_too_large(raw, detail),)
    return [bytes(part) for part in parts]


def _lines(raw: bytes) -> Sequence[bytes | Rejection]:
    """Events one a line, or one broken event that was printed over several lines.

    It is the former when a line is an event or every line begins as one would.
    """
    lines = [stripped for line in raw.split(b"\n") if (stripped := line.strip(_WHITESPACE))]
    if len(lines) > MAX_MESSAGE_EVENTS:
        detail = f"{len(lines)} lines; {MAX_MESSAGE_EVENTS} are allowed in a message"
        return (_too_large(raw, detail),)
    if all(line[:1] == b"{" for line in lines) or any(
        isinstance(_event(line), Event) for line in lines
    ):
        return lines
    return (raw,)


def _event(raw: bytes) -> Event | Rejection:
    if len(raw) > MAX_EVENT_BYTES:
        return _too_large(raw, f"an event of {len(raw)} bytes; {MAX_EVENT_BYTES} are allowed")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _depth(raw) > MAX_DEPTH:
        return _too_deep(raw)
    try:
        event = _one(raw)
    except msgspec.ValidationError as error:
        try:
            _any(raw)  # of a text that is no JSON either, as "2025-01-31 …", that is to be said
        except (msgspec.DecodeError, UnicodeDecodeError) as syntax:
            return Rejection(Reason.NOT_JSON, str(syntax), raw)
        # msgspec ends its message with the JSON path, "… - at `$.device.uid`", save at the root.
        detail = str(error)
        return Rejection(
            Reason.SCHEMA, detail if " - at `" in detail else f"{detail} - at `$`", raw
        )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejection(Reason.NOT_JSON, str(error), raw)
    if event.values > MAX_VALUES:
        detail = f"an event of {event.values} values in lists; {MAX_VALUES} are allowed"
        return _too_large(raw, detail)
    return event


def _depth(raw: bytes) -> int:
    """The deepest nesting of brackets outside strings."""
    deepest = depth = 0
    for bracket in _brackets(raw):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _brackets(raw: bytes) -> Iterator[bytes]:
    return (match[0] for match in _BRACKET.finditer(_STRING.sub(b"", raw)))


def _too_large(raw: bytes, detail: str) -> Rejection:
    return Rejection(Reason.TOO_LARGE, detail, raw)


def _too_deep(raw: bytes) -> Rejection:
    return Rejection(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels", raw)
