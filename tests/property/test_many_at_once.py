"""What comes of records does not hang on how many are looked at together: a column's reading is the
field's, and columns make of records what rows do.
"""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adapter import column, instant, value
from pipeline.adapter.catalogue import FORMATS
from pipeline.adapter.conversion import Conversion, Rejected
from pipeline.adapter.format import Format, Options
from pipeline.adapter.mapper import Mapper
from pipeline.adapter.record import Broken, JsonLines
from pipeline.adapter.table import Problem
from tests import row_by_row
from tests.golden.cases import CLOCK, LOGS, SENSOR, format_of, lines_of
from tests.property.test_formats import VALUES, _mutated, _places

EACH = pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)


def lines_of_format(format_: Format) -> list[bytes]:
    return [line for path in LOGS if format_of(path) is format_ for line in lines_of(path)]


def changed(format_: Format, rounds: int) -> list[bytes]:
    """Its golden lines, and the same with bytes or values changed."""
    dice = random.Random(format_.name)
    lines = lines_of_format(format_)
    out = list(lines)
    for _ in range(rounds):
        out += [_mutated(line, dice) for line in dice.sample(lines, min(len(lines), 40))]
    for line in lines:
        if line[:2] == b'{"' and line.rstrip()[-1:] == b"}":
            record = json.loads(line)
            keys, at = dice.choice(list(_places(record)))
            at[keys[-1]] = dice.choice(VALUES)
            out.append(json.dumps(record).encode() + b"\n")
    return out


@EACH
def test_columns_make_of_records_what_rows_do(format_: Format) -> None:
    if format_.entire is not None:
        return  # it has no rows
    read = format_.reader(Options())
    cut = JsonLines(text=format_.text, longest=format_.longest) if format_.json else None
    by_table: dict[int, tuple[Any, list[Any]]] = {}
    for number, line in enumerate(changed(format_, 8), 1):
        for record in cut.feed(line, number) if cut else [(number, line.rstrip(b"\r\n"))]:
            if isinstance(record, Broken):
                continue
            understood = read(record[1])
            for one in () if isinstance(understood, Problem) else understood:
                if not isinstance(one, Problem):
                    by_table.setdefault(id(one[0]), (one[0], []))[1].append(one[1])
    assert by_table
    for table, records in by_table.values():
        mapped = Mapper(table, format_.shape).build(records, CLOCK)
        for at, record in enumerate(records):
            expected = row_by_row.event(record, table, format_.shape, CLOCK)
            if expected is None:
                assert at in mapped.problems
                continue
            own = expected.pop("metadata", None)
            assert (mapped.names or [None] * len(records))[at] == (own and own["uid"])
            assert at not in mapped.problems
            assert msgspec.to_builtins(mapped.events[at]) == expected


@EACH
def test_many_lines_at_once_are_the_lines_one_after_another(format_: Format) -> None:
    lines = changed(format_, 3)
    dice = random.Random(format_.name)
    one_by_one = Conversion(format_, SENSOR, CLOCK)
    told = [one for n, line in enumerate(lines, 1) for one in one_by_one.feed(line, n)]
    told += one_by_one.end()
    together = Conversion(format_, SENSOR, CLOCK)
    at = 0
    out: list[bytes | Rejected] = []
    while at < len(lines):
        end = at + dice.choice((1, 2, 7, 100))
        out += together.feed_many(lines[at:end], at + 1)
        at = end
    out += together.end()
    assert out == told
    assert together.counts == one_by_one.counts


FIELDS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 70_000), st.integers(), st.floats(), st.text(),
    st.sampled_from([*filter(lambda one: not isinstance(one, list), VALUES), "10.1.2.3", "::1",
        "[2001:db8::1]", " 1.2.3.4 ", "1.2.3.04", "1.2.3.4\x00", "1.2.3.256", "٣.1.1.1", "\ud800",
        "TCP", "x" * 3000, "80", "0080", "see CVE-2021-44228", "cve_2020_1234", "a.example:80"]),
    st.sampled_from([[], ["CVE-2021-1"], {}]),
)  # fmt: skip
TIMES = st.one_of(
    st.none(), st.floats(-1, 3e11), st.integers(-1, 10**19),
    st.builds(
        "{}{}{}{}{}{}".format,
        st.sampled_from(["1969-12-31", "1970-01-01", "2024-02-29", "2025-02-29", "9999-12-31", "٢"]),
        st.sampled_from("T _x"), st.sampled_from(["00:00:00", "23:59:59", "23:59:60", "24:00:00"]),
        st.sampled_from([".", ",", ""]), st.sampled_from(["", "0", "000001", "123456", "999999", "12345x",
            "٣23456", "123456789"]),
        st.sampled_from(["", "Z", "z", "+0100", "-01:00", "+0000 ", " UTC", "+24:00", "+", "-0545"]),
    ),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(column._BY_READING, key=lambda one: one.__name__)),
    st.lists(FIELDS, min_size=1, max_size=8),
)
def test_a_columns_reading_is_its_fields(read: Any, fields: list[Any]) -> None:
    of_each = [None if one is None else read(one) for one in fields]
    assert [*column.reading(read)(fields)] == of_each
    assert [*map(type, column.reading(read)(fields))] == [*map(type, of_each)]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([instant.iso, instant.seconds_or_iso]),
    st.lists(TIMES, min_size=1, max_size=8),
)
def test_a_columns_times_are_its_fields(read: Any, fields: list[Any]) -> None:
    of_each = [None if one is None else read(one, CLOCK) for one in fields]
    assert [*column.reading_times(read)(fields, CLOCK)] == of_each


def test_what_has_no_column_of_its_own_is_read_one_by_one() -> None:
    assert column.reading(value.user_name)([None, 5, ""]) == [None, "5", ""]
