"""A time as people read it, without a clock and without a time zone. No I/O here."""

from __future__ import annotations

_ERA = 146_097  # days of 400 years


def moment(ms: int) -> str:
    """`2013-03-03 22:19:55 UTC`, of milliseconds since 1970."""
    seconds, _ = divmod(ms, 1000)
    days, second = divmod(seconds, 86_400)
    year, month, day = civil(days)
    return (
        f"{year:04}-{month:02}-{day:02} {second // 3600:02}:{second // 60 % 60:02}:"
        f"{second % 60:02} UTC"
    )


def civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.

    Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": years that begin in March.
    """
    era, of_era = divmod(days + 719_468, _ERA)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1
