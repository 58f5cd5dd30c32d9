"""What is exported and read again is what it was, and nothing of it steers a terminal."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.dead_letter import DeadLetter
from pipeline.decode import Reason
from pipeline.shell.letters.file import create, letters_of, line_of
from pipeline.shell.letters.reading import Filed, Place, Wanted, place_of
from pipeline.shell.letters.view import letter_lines, row
from pipeline.shell.printable import plain_json
from pipeline.shell.settings import WrongUseError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
bodies = (
    st.binary(max_size=60)
    | texts.map(str.encode)
    | st.recursive(texts, lambda inner: st.lists(inner, max_size=3)).map(
        lambda value: json.dumps(value, ensure_ascii=False).encode()
    )
)
numbers = st.integers(0, 2**62)
letters = st.builds(
    DeadLetter,
    reason=st.sampled_from(Reason),
    detail=texts,
    topic=texts,
    partition=numbers,
    offset=numbers,
    index=numbers,
    ingested=numbers,
    truncated=st.booleans(),
    raw=bodies,
    resent=st.integers(0, 999),
)
filed = st.builds(
    Filed,
    place=st.builds(Place, partition=st.integers(0, 99), offset=numbers),
    key=texts,
    letter=letters,
    settled=st.booleans(),
)


@given(st.lists(filed, max_size=3))
def test_an_export_holds_all_of_it(some: list[Filed]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "letters"
        lines = [plain_json(line_of(one)) for one in some]
        path.write_text("".join(f"{line}\n" for line in lines), "ascii")
        again = list(letters_of(path))
    for before, after, line in zip(some, again, lines, strict=True):
        assert line.isprintable()
        exact = "event" not in json.loads(line)
        if not exact:  # escapes may have been added: it means the same
            assert json.loads(after.letter.raw) == json.loads(before.letter.raw)
        assert after == before or not exact


@given(filed)
@example(Filed(Place(0, 1), "k", DeadLetter(Reason.SCHEMA, "\x1b[2J\u202e", "\x9b", 0, 1, 0, 5, False, b'{"a": "\x1b"}\r\xff'), False))  # fmt: skip
def test_what_is_shown_steers_no_terminal(one: Filed) -> None:
    for line in (row(one), *letter_lines(one)):
        assert line.isprintable()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "letters:1: "),
        (b"[]", "letters:1: "),
        (b'{"key":"k"}', "reason"),
        (b"\xff", "letters:1: "),
        (b"[" * 100_000, "letters:1: "),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: bytes, says: str) -> None:
    path = tmp_path / "letters"
    path.write_bytes(line)
    with pytest.raises(WrongUseError, match=says):
        list(letters_of(path))


def test_a_line_says_once_what_to_send(tmp_path: Path) -> None:
    one = Filed(
        Place(0, 1), "k", DeadLetter(Reason.SCHEMA, "", "t", 0, 1, 0, 5, False, b"{}"), False
    )
    line = json.loads(line_of(one))
    path = tmp_path / "letters"
    for body in ({}, {"event": {}, "text": "{}"}):
        path.write_text(json.dumps({k: v for k, v in line.items() if k != "event"} | body))
        with pytest.raises(WrongUseError, match="letters:1: one of event, text, bytes"):
            list(letters_of(path))
    path.write_text(json.dumps(line | {"letter": "x"}))
    with pytest.raises(WrongUseError, match="PARTITION/OFFSET"):
        list(letters_of(path))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    create(str(tmp_path / "out")).close()
    with pytest.raises(WrongUseError, match="there already"):
        create(str(tmp_path / "out"))
    with pytest.raises(WrongUseError, match="No such file"):
        create(str(tmp_path / "no" / "out"))


@pytest.mark.parametrize("text", ["", "0", "0/", "/1", "a/b", "0/-1", "0/" + "1" * 50, "0/1/2"])
def test_a_place_is_two_numbers(text: str) -> None:
    assert str(place_of("3/14")) == "3/14"
    with pytest.raises(WrongUseError):
        place_of(text)


def test_what_is_wanted_is_all_that_is_asked_for() -> None:
    raw = b'{"device":{"uid":"s"}}'
    one = DeadLetter(Reason.SCHEMA, "", "p.events.cz.org-1", 0, 1, 0, 500, False, raw)
    lies = Filed(Place(0, 1), one.key, one, False)
    sent = Filed(Place(0, 1), one.key, one, True)
    assert Wanted().anything
    assert not Wanted(since_ms=1).anything
    assert Wanted().takes(lies)
    assert not Wanted().takes(sent)
    assert Wanted(settled=True).takes(sent)
    assert Wanted(places=frozenset({Place(0, 1)})).takes(sent)
    for good in (
        {"reasons": frozenset({Reason.SCHEMA, Reason.TOO_DEEP})},
        {"topics": frozenset({"p.events.cz.org-1"})},
        {"organisations": frozenset({"org-1"})},
        {"sensors": frozenset({"s"})},
        {"since_ms": 500},
    ):
        assert Wanted(**good).takes(lies)
    for bad in (
        {"reasons": frozenset({Reason.TOO_DEEP})},
        {"topics": frozenset({"org-1"})},
        {"organisations": frozenset({"org"})},
        {"sensors": frozenset({"t"})},
        {"since_ms": 501},
        {"places": frozenset({Place(0, 2)})},
        {"reasons": frozenset({Reason.SCHEMA}), "sensors": frozenset({"t"})},
    ):
        assert not Wanted(**bad).takes(lies)
