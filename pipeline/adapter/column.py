"""Readings of a whole column: the same field of many records, read at once.

What `value` and `instant` read of one field. A call costs more than most readings, so the most
frequent ones are written out here for what nearly every field is; whatever else a field is, is left
to the reading itself. A test holds that both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from socket import AF_INET, inet_pton
from typing import Any

from pipeline.adapter import instant, value
from pipeline.adapter.instant import Clock
from pipeline.canonical import LAST_PORT
from pipeline.event import LAST_TIME_MS

Column = Sequence[Any]
"""A value for each record of a batch; None where a record has none."""

Read = Callable[[Column], Column]
ReadTimes = Callable[[Column, Clock], Column]

_BEYOND = 2**63
_REMEMBERED = 256  # characters of a text that is remembered with what was read of it
_THOUSANDTHS = {f"{n:03d}": n for n in range(1000)}
_LAST_SECOND = LAST_TIME_MS // 1000
_NO_CLOCK = Clock(0)  # a time with its zone needs none


def reading(read: Callable[[Any], Any]) -> Read:
    """What reads a column as `read` does a field; where there is none, nothing is read."""
    if isinstance(read, value.Coded):
        return read.column
    written_out = _BY_READING.get(read)
    if written_out is not None:
        return written_out
    return lambda column: [None if one is None else read(one) for one in column]


def reading_times(read: Callable[[Any, Clock], Any]) -> ReadTimes:
    written_out = _TIMES_BY_READING.get(read)
    if written_out is not None:
        return written_out
    return lambda column, clock: [None if one is None else read(one, clock) for one in column]


def _remembered(read: Callable[[Any], Any], most: int) -> Read:
    """What reads texts that come again and again; `most` of them are remembered."""
    cached = lru_cache(most)(read)
    return lambda column: [
        None
        if one is None
        else cached(one)
        if type(one) is str and len(one) <= _REMEMBERED
        else read(one)
        for one in column
    ]


def texts(column: Column) -> Column:
    text, longest = value.text, value.MAX_TEXT
    return [
        one if one is None or (type(one) is str and 0 < len(one) <= longest) else text(one)
        for one in column
    ]


def names(column: Column) -> Column:
    text = value.text
    return [str(one) if type(one) is int else text(one) for one in column]


_ips_of_any_kind = _remembered(value.ip, 1 << 14)


def ips(column: Column) -> Column:
    try:
        for one in column:
            inet_pton(AF_INET, one)
    except (OSError, TypeError, ValueError):
        return _ips_of_any_kind(column)  # one of them is of IPv6, or none
    return column


def ports(column: Column) -> Column:
    port = value.port
    return [
        one if one is None or (type(one) is int and 0 <= one <= LAST_PORT) else port(one)
        for one in column
    ]


def integers(column: Column) -> Column:
    integer = value.integer
    return [
        one if one is None or (type(one) is int and 0 <= one < _BEYOND) else integer(one)
        for one in column
    ]


def protocols(column: Column) -> Column:
    return [one.lower() if type(one) is str and 0 < len(one) <= 20 else None for one in column]


def iso_times(column: Column, clock: Clock) -> Column:
    """`2025-01-31T10:20:30.123456+0100`, as most sensors write it, a second at a time."""
    out: list[int | None] = []
    last = last_zone = ""
    second: int | None = None
    for one in column:
        if type(one) is str and len(one) > 26 and one[19] == ".":
            if one[:19] != last or one[26:] != last_zone:
                last, last_zone = one[:19], one[26:]
                second = _second(last, last_zone) if len(last_zone) <= 6 else None
            digits = one[20:26]
            if second and digits.isascii() and digits.isdigit():
                out.append(second + _THOUSANDTHS[digits[:3]])
                continue
        out.append(None if one is None else instant.iso(one, clock))
    return out


@lru_cache(1 << 12)
def _second(wall: str, zone: str) -> int | None:
    """A second with its zone; None of the last one there is, whose fraction may lie beyond it."""
    ms = instant.iso(f"{wall}.000000{zone}", _NO_CLOCK) if zone[0] in "+-Z" else None
    return ms if ms is not None and ms < LAST_TIME_MS - 1000 else None


def seconds_or_iso(column: Column, clock: Clock) -> Column:
    read = instant.seconds_or_iso
    if type(column[0]) is float:
        return [
            int(one * 1000.0 + 1e-3)
            if type(one) is float and 0 <= one < _LAST_SECOND
            else None
            if one is None
            else read(one, clock)
            for one in column
        ]
    times = iso_times(column, clock)
    if all(times):
        return times
    return [
        read(one, clock) if ms is None and one is not None else ms
        for ms, one in zip(times, column, strict=True)
    ]


_BY_READING: dict[Callable[..., Any], Read] = {
    value.text: texts,
    value.name: names,
    value.ip: ips,
    value.port: ports,
    value.integer: integers,
    value.protocol: protocols,
    value.command: _remembered(value.command, 1 << 12),
    value.cves: _remembered(value.cves, 1 << 12),
    value.url_host: _remembered(value.url_host, 1 << 12),
}
_TIMES_BY_READING: dict[Callable[..., Any], ReadTimes] = {
    instant.iso: iso_times,
    instant.seconds_or_iso: seconds_or_iso,
}
