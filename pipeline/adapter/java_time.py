"""Times written by a pattern of Java's SimpleDateFormat, as LEEF's `devTimeFormat` gives it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pipeline.adapter.instant import Clock, any_time, bsd

_LETTERS = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z']+)", re.ASCII).finditer
_MONTH = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_PARTS = {
    "yyyy": r"(?P<year>\d{4})", "yy": r"(?P<short>\d{2})", "MMM": r"(?P<month>[A-Za-z]{3})",
    "MM": r"(?P<number>\d{1,2})", "M": r"(?P<number>\d{1,2})", "dd": r"(?P<day>\d{1,2})",
    "d": r"(?P<day>\d{1,2})", "HH": r"(?P<hour>\d{1,2})", "H": r"(?P<hour>\d{1,2})",
    "hh": r"(?P<half>\d{1,2})", "h": r"(?P<half>\d{1,2})", "mm": r"(?P<minute>\d{1,2})",
    "m": r"(?P<minute>\d{1,2})", "ss": r"(?P<second>\d{1,2})", "s": r"(?P<second>\d{1,2})",
    "S": r"(?P<fraction>\d{1,9})", "a": r"(?P<noon>[AaPp][Mm])", "E": r"[A-Za-z]{2,9}",
    "z": r"(?P<zone>[A-Za-z]{1,5}|[+-]\d\d:?\d\d)", "Z": r"(?P<zone>[+-]\d\d:?\d\d|Z)",
    "X": r"(?P<zone>[+-]\d\d(?::?\d\d)?|Z)",
}  # fmt: skip
_REPEATED = "SzZXE"  # of these letters the number says nothing that matters in reading


@lru_cache(256)
def _pattern(pattern: str) -> re.Pattern[str] | None:
    """What it matches; None of one that is not understood, or names a part twice."""
    if len(pattern) > 64:
        return None
    parts: list[str] = []
    for found in _LETTERS(pattern):
        run = found[0]
        if found[1] is not None:
            parts.append(re.escape(found[1].replace("''", "'")) or "'")
        elif found[3] is not None:
            parts.append(re.escape(run))
        else:
            part = _PARTS.get(run[0] if run[0] in _REPEATED else run)
            if part is None:
                return None
            parts.append(part)
    try:
        return re.compile("".join(parts), re.ASCII)
    except re.error:
        return None


def read(written: Any, pattern: Any, clock: Clock) -> int | None:
    """Milliseconds since the epoch; without a pattern as any time is read."""
    if type(pattern) is not str or type(written) is not str:
        return any_time(written, clock)
    compiled = _pattern(pattern)
    match = compiled.fullmatch(written.strip()) if compiled else None
    if match is None:
        return any_time(written, clock)
    got = {name: of for name, of in match.groupdict().items() if of is not None}
    if ("month" not in got and "number" not in got) or "day" not in got:
        return None
    number = int(got["number"]) if "number" in got else _month(got["month"])
    hour = int(got.get("hour", got.get("half", "0")))
    if "noon" in got:
        hour = hour % 12 + (12 if got["noon"].lower() == "pm" else 0)
    year = int(got["year"]) if "year" in got else 2000 + int(got["short"]) if "short" in got else 0
    if not 1 <= number <= 12:
        return None
    clock_face = f"{hour:02}:{int(got.get('minute', 0)):02}:{int(got.get('second', 0)):02}"
    fraction = f".{got['fraction']}" if "fraction" in got else ""
    zone = got.get("zone", "")
    zone = "" if not zone else f" {'UTC' if zone == 'Z' else zone}"
    if zone[1:2] in {"+", "-"} and len(zone) == 4:
        zone += "00"
    # `bsd` knows zones by name, and of which year a day without one is.
    day = f"{_MONTH[number - 1].title()} {int(got['day'])}"
    return bsd(f"{day} {f'{year:04} ' if year else ''}{clock_face}{fraction}{zone}", clock)


def _month(name: str) -> int:
    return _MONTH.index(name.lower()) + 1 if name.lower() in _MONTH else 0
