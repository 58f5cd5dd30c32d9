"""What a format is: its tables, how a record is read, and how its files are told from others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.adapter.record import MAX_RECORD_BYTES
from pipeline.adapter.table import Fields, Problem, Shape, Table
from pipeline.decode import MAX_DEPTH

Understood = tuple[Table, Fields]
Read = Callable[[bytes], Sequence[Understood | Problem] | Problem]
"""A record's bytes: one or more events' fields, each with its table; none of a comment or a header;
or why it is not a record of the format."""

Keys = Mapping[str, Any]
"""A record that is a JSON object, by its outermost keys, to tell formats apart."""

NOT_JSON = "not JSON"


class Options(Struct, frozen=True):
    """What a user says of a file beside its format: for CSV, the columns' meaning."""

    columns: Mapping[str, str] = {}
    """By our name, the column's."""


class Format(Struct, frozen=True):
    """`reader` makes a `Read` for one file: a header that it meets holds for what follows.

    `of_line` and `of_keys` say whether a text line or a JSON object looks like the format's.
    """

    name: str
    title: str
    product: Mapping[str, str]
    reference: str
    tables: tuple[Table, ...]
    shape: Shape
    reader: Callable[[Options], Read]
    notes: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    """Other names that it answers to."""
    json: bool = False
    """Records may be JSON, and then printed over several lines."""
    text: bool = False
    """Records may be lines of text; they may be both."""
    longest: int = MAX_RECORD_BYTES
    """Bytes of a record: more where one holds a file's worth of events."""
    entire: Callable[[bytes], dict[str, Any] | Problem] | None = None
    """Of a format whose records are events already: the event, and no table."""
    of_line: Callable[[str], bool] | None = None
    of_keys: Callable[[Keys], bool] | None = None


Choose = Callable[[Fields], Table | None]
Each = Callable[[Fields], Sequence[Fields | Problem]]


def json_reader(
    shape: Shape, choose: Choose, each: Each | None = None, sort: str = ""
) -> Callable[[Options], Read]:
    """Records that are JSON objects. `choose` gives a record's table, or None: it is no `sort`."""
    decode = msgspec.json.Decoder(shape.type).decode

    def read(raw: bytes) -> Sequence[Understood | Problem] | Problem:
        try:
            record = decode(raw)
        except msgspec.ValidationError as error:
            return Problem(str(error))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Problem(f"{NOT_JSON}: {error}")
        except RecursionError:
            return Problem(f"nested deeper than {MAX_DEPTH} levels")
        if each is not None:
            return [one if isinstance(one, Problem) else chosen(one) for one in each(record)]
        table = choose(record)
        return wrong if table is None else ((table, record),)

    wrong = Problem(f"no record of {sort}")

    def chosen(record: Fields) -> Understood | Problem:
        table = choose(record)
        return wrong if table is None else (table, record)

    return lambda _: read


def text_reader(
    shape: Shape,
    choose: Choose,
    split: Callable[[str], Mapping[str, Any] | Problem],
    longest: int = 1 << 16,
) -> Callable[[Options], Read]:
    """Records that are lines of text. `split` gives a line's fields by name, or what is wrong.

    A line of more bytes than `longest` is none: the patterns of some formats take time that grows
    faster than a line, and nobody writes longer ones.
    """

    def read(raw: bytes) -> Sequence[Understood | Problem] | Problem:
        if len(raw) > longest:
            return Problem(f"a line of {len(raw)} bytes; {longest} are allowed in this format")
        fields = split(raw.decode("utf-8", "replace"))
        if isinstance(fields, Problem):
            return fields
        record = shape.record(fields)
        table = choose(record)
        return Problem("no record of this format") if table is None else ((table, record),)

    return lambda _: read


def either(
    json: Callable[[Options], Read], text: Callable[[Options], Read]
) -> Callable[[Options], Read]:
    """Records that are JSON objects or lines of text, whichever each is."""

    def open_(options: Options) -> Read:
        read_json, read_text = json(options), text(options)
        return lambda raw: read_json(raw) if raw[:1] == b"{" else read_text(raw)

    return open_


def has(*names: str) -> Callable[[Keys], bool]:
    """A JSON object with all of these keys."""
    return lambda keys: all(name in keys for name in names)
