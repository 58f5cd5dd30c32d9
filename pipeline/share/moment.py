"""Times as exchange formats write them: RFC 3339 in UTC, to the millisecond. No clock here."""

from __future__ import annotations

_DAY_MS = 86_400_000
_ERA_DAYS = 146_097
"""Days of 400 years."""


def moment(ms: int) -> str:
    """Milliseconds since the epoch, UTC, as `2025-03-01T12:05:00.250Z`. Years 1 … 9999."""
    days, rest = divmod(ms, _DAY_MS)
    seconds, milliseconds = divmod(rest, 1_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_date(days)}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"


def date(ms: int) -> str:
    """The day of it, `2025-03-01`."""
    return _date(ms // _DAY_MS)


def _date(days: int) -> str:
    """Of days since the epoch: years that begin in March, so that leap days come last.

    Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    """
    era, day = divmod(days + 719_468, _ERA_DAYS)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    of_month = of_year - (153 * month + 2) // 5 + 1
    number = month + 3 if month < 10 else month - 9
    return f"{year + era * 400 + (number <= 2):04}-{number:02}-{of_month:02}"


def ms_of(written: str) -> int:
    """What `moment` wrote, back to milliseconds."""
    year, month, day = (int(part) for part in written[:10].split("-"))
    hour, minute, second = int(written[11:13]), int(written[14:16]), int(written[17:19])
    seconds = (_days(year, month, day) * 24 + hour) * 3_600 + minute * 60 + second
    return seconds * 1_000 + int(written[20:23])


def _days(year: int, month: int, day: int) -> int:
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * _ERA_DAYS + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
