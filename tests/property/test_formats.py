"""Whatever a line holds, of whatever format it is said to be: events or a rejection, no exception."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adapter.catalogue import FORMATS, detect
from pipeline.adapter.conversion import Conversion, Rejected
from pipeline.adapter.format import Format
from pipeline.adapter.record import JsonLines
from pipeline.decode import decode
from pipeline.event import Event
from tests.golden.cases import CLOCK, LOGS, SENSOR, format_of, lines_of

LINES = sorted({line for path in LOGS for line in lines_of(path)})
EACH = pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
BITS = [b"{", b"}", b"[", b"]", b'"', b"\\", b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"null",
        b"1e999", b"-1", b"9" * 30, b"\t", b",", b"|", b"=", b"%", b"\n", b" ", b"[" * 2000]  # fmt: skip


def holds(format_: Format, lines: list[bytes]) -> None:
    """Every event is good, every rejection says why in one line; explaining does not fail either."""
    conversion = Conversion(format_, SENSOR, CLOCK)
    out = [one for n, line in enumerate(lines, 1) for one in conversion.feed(line, n)]
    out += conversion.end()
    for one in out:
        if isinstance(one, Rejected):
            assert one.rejection.detail
            assert "\n" not in one.rejection.detail
            assert 1 <= one.line <= len(lines)
        else:
            (event,) = decode(one)
            assert isinstance(event, Event)
            assert event.device.uid == SENSOR
    counts = conversion.counts
    assert counts.events == sum(not isinstance(one, Rejected) for one in out)
    assert counts.rejected == sum(isinstance(one, Rejected) for one in out)
    explaining = Conversion(format_, SENSOR, CLOCK)
    assert all(text for n, line in enumerate(lines, 1) for text in explaining.explain(line, n))


@EACH
def test_every_format_bears_the_lines_of_every_other(format_: Format) -> None:
    for path in LOGS:
        holds(format_, lines_of(path))


@EACH
def test_it_bears_its_lines_with_bytes_changed(format_: Format) -> None:
    dice = random.Random(format_.name)
    for path in LOGS:
        if format_of(path) is not format_:
            continue
        lines = lines_of(path)
        for _ in range(min(40, max(8, 800 // len(lines)))):
            holds(format_, [_mutated(line, dice) for line in lines])


def _mutated(line: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.randint(0, 3)):
        at = dice.randrange(len(line) + 1)
        match dice.randrange(4):
            case 0:
                line = line[:at] + dice.choice(BITS) + line[at:]
            case 1:
                line = line[:at] + line[at + dice.randint(1, 9) :]
            case 2:
                line = line[:at] + bytes([dice.randrange(256)]) + line[at + 1 :]
            case _:
                line = line[:at]
    return line


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.lists(st.binary(max_size=80) | st.sampled_from(LINES), max_size=6),
)
def test_it_bears_any_bytes(format_: Format, lines: list[bytes]) -> None:
    holds(format_, lines)
    detect(lines)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_it_bears_any_value_in_any_field(data: st.DataObject) -> None:
    """A field of a golden JSON line, replaced by anything."""
    path = data.draw(st.sampled_from([path for path in LOGS if format_of(path).json]))
    lines = [line for line in lines_of(path) if line[:2] == b'{"' and line.rstrip()[-1:] == b"}"]
    if not lines:
        return
    record = json.loads(data.draw(st.sampled_from(lines)))
    at = record
    key = data.draw(st.sampled_from(sorted(at)))
    while isinstance(at[key], dict) and at[key] and data.draw(st.booleans()):
        at = at[key]
        key = data.draw(st.sampled_from(sorted(at)))
    at[key] = data.draw(json_values)
    holds(format_of(path), [json.dumps(record).encode() + b"\n"])


VALUES: tuple[Any, ...] = (None, True, 0, -1, 2**63, 2**70, 1.5, 1e300, "", "-", "x", "\x00\x1b[2J", "9" * 400,
          [], [[]], [None], [1], ["x"], [{}], {}, {"": {}}, {"uid": []})  # fmt: skip


@pytest.mark.parametrize(
    "path", [path for path in LOGS if format_of(path).json], ids=lambda path: path.stem
)
def test_it_bears_each_of_these_values_in_each_field(path: Path) -> None:
    """Every field of the log, one at a time, in the first line that has it: no luck is needed."""
    seen: set[tuple[Any, ...]] = set()
    changed = []
    for line in lines_of(path):
        if line[:2] != b'{"' or line.rstrip()[-1:] != b"}":
            continue
        record = json.loads(line)
        for keys, at in list(_places(record)):
            if keys in seen:
                continue
            seen.add(keys)
            kept = at[keys[-1]]
            for value in VALUES:
                at[keys[-1]] = value
                changed.append(json.dumps(record).encode() + b"\n")
            at[keys[-1]] = kept
    holds(format_of(path), changed)


def _places(at: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Where a value stands in a JSON value: the keys that lead there, and what holds it."""
    keys = at if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
    for key in keys:
        yield (*above, key), at
        yield from _places(at[key], (*above, key))


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3)), max_size=4)
)
def test_json_is_cut_the_same_however_it_is_printed(records: list[dict[str, object]]) -> None:
    records = [{"a": 1, **record} for record in records]
    lined = "".join(json.dumps(record) + "\n" for record in records)
    for text in (lined, json.dumps(records), json.dumps(records, indent=2),
                 "".join(json.dumps(record, indent=1) + "\n" for record in records)):  # fmt: skip
        cut = JsonLines()
        found = [
            one
            for n, line in enumerate(text.encode().splitlines(keepends=True), 1)
            for one in cut.feed(line, n)
        ]
        assert not cut.end()
        assert [json.loads(one[1]) for one in found if isinstance(one, tuple)] == records
