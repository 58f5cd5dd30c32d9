"""Times as logs write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapter import java_time
from pipeline.adapter.instant import (
    Clock,
    any_time,
    bsd,
    common_log,
    epoch,
    epoch_ms,
    epoch_ns,
    epoch_seconds,
    iso,
)
from pipeline.event import LAST_TIME_MS
from pipeline.shell.converting import zone_of

NOON = int(datetime(2024, 5, 2, 12, tzinfo=UTC).timestamp() * 1000)
CLOCK = Clock(NOON)


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2015-03-29T11:01:38.221126-0600", ms(2015, 3, 29, 17, 1, 38) + 221),
        ("2018-03-24T17:15:20.866586Z", ms(2018, 3, 24, 17, 15, 20) + 866),
        ("2018-03-24T17:15:20.866586+05:45", ms(2018, 3, 24, 11, 30, 20) + 866),
        ("2025-02-22 08:05:15.141628", ms(2025, 2, 22, 8, 5, 15) + 141),
        ("2025-02-22 08:05:15,1", ms(2025, 2, 22, 8, 5, 15) + 100),
        ("2025/02/22 08:05:15", ms(2025, 2, 22, 8, 5, 15)),
        ("2025-02-22T08:05Z", ms(2025, 2, 22, 8, 5)),
        ("2016-12-31T23:59:60Z", ms(2017, 1, 1)),
        ("2024-02-29T00:00:00Z", ms(2024, 2, 29)),
        ("2023-02-29T00:00:00Z", None),
        ("2024-13-01T00:00:00Z", None),
        ("2024-01-01T24:00:00Z", None),
        ("2024-01-01T00:00:00.000000+9999", None),
        ("1969-12-31T23:59:59Z", None),
        ("yesterday", None),
        ("", None),
        (5, None),
    ],
)
def test_iso(text: Any, at: int | None) -> None:
    assert iso(text, CLOCK) == at


def test_a_time_without_a_zone_is_in_the_sensors() -> None:
    for name, hour in (("+02:00", 10), ("-0330", 15), ("Africa/Nairobi", 9), ("UTC", 12)):
        clock = Clock(NOON, zone_of(name))
        minute = 30 if name == "-0330" else 0
        assert iso("2024-05-02T12:00:00", clock) == ms(2024, 5, 2, hour, minute)
        assert iso("2024-05-02T12:00:00Z", clock) == NOON
    prague = Clock(NOON, zone_of("Europe/Prague"))  # summer and winter differ
    assert iso("2024-01-02T12:00:00", prague) == ms(2024, 1, 2, 11)
    assert iso("2024-07-02T12:00:00", prague) == ms(2024, 7, 2, 10)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("May  2 12:00:00", NOON),
        ("May 2 12:00:00", NOON),
        ("May  3 11:59:59", ms(2024, 5, 3, 11, 59, 59)),  # within the day that clocks may be off
        ("May  3 12:00:01", ms(2023, 5, 3, 12, 0, 1)),
        ("Dec 31 23:59:59", ms(2023, 12, 31, 23, 59, 59)),
        ("Feb 29 10:00:00", ms(2024, 2, 29, 10)),
        ("May  2 2019 12:00:00", ms(2019, 5, 2, 12)),
        ("May  2 12:00:00.250", NOON + 250),
        ("May  2 2024 14:00:00 CEST", NOON),
        ("May 02 2024 12:00:00.250 GMT", NOON + 250),
        ("May 02 2024 13:00:00 +01:00", NOON),
        ("May 02 07:00:00 EST", NOON),
        ("May 02 12:00:00 IST", None),  # India's, Israel's or Ireland's
        ("Thu May  2 12:00:00 2024", NOON),
        ("2024 May  2 12:00:00", NOON),
        ("Foo  2 12:00:00", None),
        ("May 32 12:00:00", None),
    ],
)
def test_a_missing_year_is_the_latest_that_the_reference_allows(text: str, at: int | None) -> None:
    assert bsd(text, CLOCK) == at


def test_a_leap_day_is_of_the_latest_leap_year() -> None:
    assert bsd("Feb 29 10:00:00", Clock(ms(2023, 6, 1))) == ms(2020, 2, 29, 10)


@pytest.mark.parametrize(
    ("pattern", "text", "at"),
    [
        ("dd/MM/yyyy HH:mm:ss", "02/05/2024 12:00:00", NOON),
        ("MM/dd/yyyy HH:mm:ss", "05/02/2024 12:00:00", NOON),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2024-05-02T14:00:00.250+02:00", NOON + 250),
        ("yyyy-MM-dd'T'HH:mm:ssX", "2024-05-02T14:00:00+02", NOON),
        ("yyyy-MM-dd'T'HH:mm:ssZ", "2024-05-02T12:00:00Z", NOON),
        ("MMM dd yyyy HH:mm:ss.SSS z", "May 02 2024 14:00:00.000 CEST", NOON),
        ("MMM dd yyyy h:mm:ss a", "May 02 2024 12:00:00 PM", NOON),
        ("MMM dd yyyy h:mm:ss a", "May 02 2024 12:00:00 AM", NOON - 43_200_000),
        ("MMM dd HH:mm:ss", "May 02 12:00:00", NOON),
        ("dd/MM/yy", "02/05/24", NOON - 43_200_000),
        ("dd/MM/yyyy", "31/02/2024", None),
        ("qq", "2024-05-02T12:00:00Z", NOON),  # not understood: as any time is
        ("dd dd", "02 02", None),
        (None, "2024-05-02T12:00:00Z", NOON),
    ],
)
def test_a_time_is_read_by_its_java_pattern(pattern: Any, text: Any, at: int | None) -> None:
    assert java_time.read(text, pattern, CLOCK) == at


def test_common_log() -> None:
    assert common_log("08/Dec/2021:17:23:24 +0100", CLOCK) == ms(2021, 12, 8, 16, 23, 24)
    assert common_log("08/Dez/2021:17:23:24 +0100", CLOCK) is None


@pytest.mark.parametrize(
    ("read", "value", "at"),
    [
        (epoch_seconds, 1714651200, NOON),
        (epoch_seconds, "1714651200", NOON),
        (epoch_seconds, 1714651200.305988, NOON + 305),
        (epoch_seconds, "1714651200.001", NOON + 1),
        (epoch_ms, NOON, NOON),
        (epoch_ns, NOON * 1_000_000 + 5, NOON),
        (epoch, 1714651200, NOON),
        (epoch, NOON, NOON),
        (epoch, NOON * 1000, NOON),
        (epoch, NOON * 1_000_000, NOON),
        (epoch_seconds, float("nan"), None),
        (epoch_seconds, float("inf"), None),
        (epoch, -1, None),
        (epoch, True, None),
        (epoch_seconds, 10**30, None),
        (epoch, "1e400", None),
    ],
)
def test_epochs(read: Any, value: Any, at: int | None) -> None:
    assert read(value, CLOCK) == at


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_iso_is_as_the_standard_library_has_it(when: datetime, offset: int) -> None:
    text = when.isoformat(timespec="microseconds")
    hours, minutes = divmod(abs(offset), 60)
    shifted = when.replace(tzinfo=UTC) - timedelta(minutes=offset)
    epoch_start = datetime(1970, 1, 1, tzinfo=UTC)
    expected = (shifted - epoch_start) // timedelta(milliseconds=1)
    read = iso(f"{text}{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}", CLOCK)
    assert read == (expected if expected >= 0 else None)


@given(
    st.text(max_size=40)
    | st.integers()
    | st.floats()
    | st.none()
    | st.lists(st.integers())
    | st.from_regex(r"\d{1,20}([.:-]\d{1,20}){0,8}")
)
def test_any_time_is_within_bounds_or_none(value: Any) -> None:
    read = any_time(value, CLOCK)
    assert read is None or 0 <= read <= LAST_TIME_MS
