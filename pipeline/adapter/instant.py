"""Points in time as logs write them, to milliseconds since the epoch, UTC. No clock here.

A time that names its zone is taken at its word. One that does not is in the sensor's zone, and one
without a year is the latest that is not more than a day after the reference time: both are given
in a `Clock`. Every function returns None of what it cannot read, and raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from pipeline.event import LAST_TIME_MS

Zone = Callable[[int], int]
"""A wall clock's reading, as ms since the epoch were it UTC, to ms since the epoch, UTC."""

DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_LATEST_EPOCH_S = LAST_TIME_MS / 1000


def utc(local_ms: int) -> int:
    return local_ms


class Clock(Struct, frozen=True):
    """What a log leaves unsaid: the zone of its times, and the time of which a year is guessed."""

    reference_ms: int
    zone: Zone = utc


_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T_ ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"(?: ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?",
    re.ASCII | re.IGNORECASE,
).fullmatch
_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
           "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}  # fmt: skip
_BSD = re.compile(
    r"([A-Za-z]{3}) +(\d{1,2}) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:[.:](\d{1,9}))?"
    r"(?: ?([A-Za-z]{1,5}|[+-]\d\d:?\d\d))?",
    re.ASCII,
).fullmatch
# `Wed Jan 15 10:20:30 2025` and `2025 Jan 15 10:20:30`, to the order of the above.
_CTIME = re.compile(
    r"(?:[A-Za-z]{3} )?([A-Za-z]{3} +\d{1,2}) (\d\d:\d\d:\d\d) (\d{4})", re.ASCII
).fullmatch
_YEAR_FIRST = re.compile(r"(\d{4}) ([A-Za-z]{3} +\d{1,2}) (\d\d:\d\d:\d\d)", re.ASCII).fullmatch
# Zones that logs name: minutes east of Greenwich. Names that mean several zones are not among them.
_NAMED_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "bst": 60, "cet": 60, "cest": 120,
    "eet": 120, "eest": 180, "sast": 120, "cat": 120, "wat": 60, "eat": 180, "msk": 180, "trt": 180,
    "jst": 540, "kst": 540, "sgt": 480, "hkt": 480, "aest": 600, "aedt": 660, "nzst": 720,
    "nzdt": 780, "brt": -180, "art": -180, "est": -300, "edt": -240, "cst": -360, "cdt": -300,
    "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
}  # fmt: skip
_CLF = re.compile(
    r"(\d\d)/([A-Za-z]{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})", re.ASCII
).fullmatch


@lru_cache(4096)
def midnight(year: int, month: int, day: int) -> int | None:
    """The first millisecond of a day of the Gregorian calendar, UTC; None if there is none."""
    if not (1970 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= _days(year, month)):
        return None
    # Days from 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
    y = year - (month <= 2)
    era, of_era = divmod(y, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return (era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468) * DAY_MS


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31


def _wall(date: int | None, hour: int, minute: int, second: int) -> int | None:
    if date is None or hour > 23 or minute > 59 or second > 60:
        return None
    return date + hour * 3_600_000 + minute * 60_000 + second * 1000


def _offset(text: str) -> int | None:
    """`+01:00`, `+0100`, `+01`, `Z` in ms."""
    if text[0] not in "+-":
        return 0
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (_MINUTE_MS if text[0] == "+" else -_MINUTE_MS)


def _bounded(ms: int | None) -> int | None:
    return ms if ms is not None and 0 <= ms <= LAST_TIME_MS else None


@lru_cache(4096)
def _minute(day_and_minute: str, offset: str) -> int | None:
    """`2025-01-31T10:20` and `+0100`, as ms: logs say the same minute many times."""
    match = _ISO(day_and_minute + offset)
    if not match:
        return None
    year, month, day, hour, minute = (int(match[n]) for n in range(1, 6))
    wall = _wall(midnight(year, month, day), hour, minute, 0)
    shift = _offset(match[8]) if match[8] else None
    return None if wall is None or shift is None else wall - shift


def iso(text: Any, clock: Clock) -> int | None:
    """ISO 8601 or RFC 3339, with T, a blank or an underscore, with or without a fraction or zone.

    A leap second is the second after it.
    """
    if type(text) is not str:
        return None
    # The shape that most sensors write, in plain code: seven times faster than what follows.
    if len(text) > 26 and text[19] == "." and text[26] in "+-Z":
        fraction = text[17:19] + text[20:26]
        if fraction.isascii() and fraction.isdigit():
            minute = _minute(text[:16], text[26:])
            if minute is not None and fraction < "60":
                return _bounded(minute + int(fraction[:5]))
    match = _ISO(text.strip())
    if not match:
        return None
    year, month, day, hour, minutes = (int(match[n]) for n in range(1, 6))
    wall = _wall(midnight(year, month, day), hour, minutes, int(match[6] or 0))
    if wall is None:
        return None
    wall += _thousandths(match[7])
    if not match[8]:
        return _bounded(clock.zone(wall))
    shift = _offset(match[8])
    return None if shift is None else _bounded(wall - shift)


def _thousandths(fraction: str | None) -> int:
    return int(fraction[:3].ljust(3, "0")) if fraction else 0


def bsd(text: Any, clock: Clock) -> int | None:
    """`Feb 12 14:10:21` (RFC 3164): the latest such time that the reference time allows.

    A year may be given (`Feb 12 2024 14:10:21`), and a zone. The day of February that only some
    years have is of the latest such year.
    """
    if type(text) is not str:
        return None
    text = text.strip()
    if moved := _CTIME(text):
        text = f"{moved[1]} {moved[3]} {moved[2]}"
    elif moved := _YEAR_FIRST(text):
        text = f"{moved[2]} {moved[1]} {moved[3]}"
    match = _BSD(text)
    month = _MONTHS.get(match[1].lower()) if match else None
    if not match or month is None:
        return None
    day, hour, minute, second = (int(match[n]) for n in (2, 4, 5, 6))
    zone: Zone | None = clock.zone
    if match[8]:
        zone = _zone(match[8])
    if zone is None:
        return None
    if match[3]:
        wall = _wall(midnight(int(match[3]), month, day), hour, minute, second)
        return None if wall is None else _bounded(zone(wall + _thousandths(match[7])))
    latest = clock.reference_ms + DAY_MS
    year = 1970 + int(latest / (365.2425 * DAY_MS)) + 1
    for candidate in range(min(year, 9999), max(year - 10, 1969), -1):
        wall = _wall(midnight(candidate, month, day), hour, minute, second)
        if wall is not None:
            then = zone(wall + _thousandths(match[7]))
            if then <= latest:
                return _bounded(then)
    return None


def _zone(name: str) -> Zone | None:
    """`+01:00`, or one of the names that are known."""
    if name[0] in "+-":
        shift = _offset(name)
    else:
        minutes = _NAMED_ZONES.get(name.lower())
        shift = None if minutes is None else minutes * _MINUTE_MS
    if shift is None:
        return None
    east = shift
    return lambda local_ms: local_ms - east


def common_log(text: Any, _clock: Clock) -> int | None:
    """`08/Dec/2021:17:23:24 +0100`, as web servers write it."""
    match = _CLF(text) if type(text) is str else None
    month = _MONTHS.get(match[2].lower()) if match else None
    if not match or month is None:
        return None
    day, year, hour, minute, second = (int(match[n]) for n in (1, 3, 4, 5, 6))
    wall = _wall(midnight(year, month, day), hour, minute, second)
    shift = _offset(match[7])
    return None if wall is None or shift is None else _bounded(wall - shift)


def _number(value: Any) -> float | int | None:
    if type(value) is int or type(value) is float:
        return value
    if type(value) is str and len(value) <= 40:
        text = value.strip()
        if text.isascii() and text.isdigit():
            return int(text)
        try:
            return float(text)
        except ValueError:
            return None
    return None


def _scaled(value: Any, per_second: int) -> int | None:
    number = _number(value)
    # The comparison is false of NaN, too.
    if number is None or not 0 <= number <= _LATEST_EPOCH_S * per_second:
        return None
    if type(number) is int:
        return _bounded(number * 1000 // per_second)
    return _bounded(int(number * (1000 / per_second) + 1e-3))  # .001 s as a float may be less


def epoch_seconds(value: Any, _clock: Clock) -> int | None:
    return _scaled(value, 1)


def epoch_ms(value: Any, _clock: Clock) -> int | None:
    return _scaled(value, 1000)


def epoch_ns(value: Any, _clock: Clock) -> int | None:
    return _scaled(value, 1_000_000_000)


def epoch(value: Any, _clock: Clock) -> int | None:
    """Seconds, milliseconds, microseconds or nanoseconds: whichever falls between 1973 and 5138.

    A hundred million seconds are 1973, and so many milliseconds one day of 1970: no two units can
    both be meant. For formats that leave the unit to the sensor.
    """
    number = _number(value)
    if number is None:
        return None
    for per_second in (1, 1000, 1_000_000, 1_000_000_000):
        if number < 1e11 * per_second:
            return _scaled(value, per_second)
    return None


def any_time(value: Any, clock: Clock) -> int | None:
    """Any of the above: for formats that leave it to the sensor."""
    return next(
        (ms for read in (iso, epoch, bsd, common_log) if (ms := read(value, clock)) is not None),
        None,
    )


def seconds_or_iso(value: Any, clock: Clock) -> int | None:
    """A number with a fraction is seconds, a text ISO 8601; anything else is any of the above."""
    if type(value) is float:
        return epoch_seconds(value, clock)
    ms = iso(value, clock)
    return any_time(value, clock) if ms is None else ms
