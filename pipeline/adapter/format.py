"""What a format is: its tables, how a record is read, and how its files are told from others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.adapter.record import MAX_RECORD_BYTES, without_halves
from pipeline.adapter.table import Fields, Problem, Shape, Table, attribute
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
    carried: tuple[Format, ...] = ()
    """Formats whose lines come among this one's; each reads the lines that look like its own."""


Choose = Callable[[Fields], Table | None]
Each = Callable[[Fields], Sequence[Fields | Problem]]
Within = Callable[[Fields, bytes], bytes | None]


class ReadsMany(ABC):
    """A `Read` that reads many records faster than one after another."""

    @abstractmethod
    def __call__(self, raw: bytes) -> Sequence[Understood | Problem] | Problem: ...

    @abstractmethod
    def many(self, raws: Sequence[bytes]) -> tuple[list[Table], list[Fields]] | None:
        """Of records that are JSON objects, and of each of which one event comes, the tables and
        the fields; None where one of them may be anything else.
        """


class _JsonRead(ReadsMany):
    def __init__(
        self,
        decode: Callable[[bytes], Fields],
        choose: Choose,
        each: Each | None,
        within: Within | None,
        wrong: Problem,
    ) -> None:
        self._decode, self._choose, self._each = decode, choose, each
        self._within, self._wrong = within, wrong

    def __call__(self, raw: bytes) -> Sequence[Understood | Problem] | Problem:
        try:
            record = self._decode_within(raw)
        except msgspec.ValidationError as error:
            return Problem(str(error))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            whole = without_halves(raw)
            return Problem(f"{NOT_JSON}: {error}") if whole == raw else self(whole)
        except RecursionError:
            return Problem(f"nested deeper than {MAX_DEPTH} levels")
        if self._each is not None:
            return [
                one if isinstance(one, Problem) else self._chosen(one) for one in self._each(record)
            ]
        table = self._choose(record)
        return self._wrong if table is None else ((table, record),)

    def _decode_within(self, raw: bytes) -> Fields:
        record = self._decode(raw)
        if self._within is None or (inner := self._within(record, raw)) is None:
            return record
        return self._decode(inner)

    def _chosen(self, record: Fields) -> Understood | Problem:
        table = self._choose(record)
        return self._wrong if table is None else (table, record)

    def many(self, raws: Sequence[bytes]) -> tuple[list[Table], list[Fields]] | None:
        if self._each is not None:
            return None
        try:
            records = [*map(self._decode, raws)]
            if self._within is not None:
                found = [*map(self._within, records, raws)]
                if any(found):
                    records = [
                        self._decode(inner) if inner is not None else record
                        for record, inner in zip(records, found, strict=True)
                    ]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        tables = [table for record in records if (table := self._choose(record)) is not None]
        return (tables, records) if len(tables) == len(records) else None


def json_reader(
    shape: Shape,
    choose: Choose,
    each: Each | None = None,
    sort: str = "",
    within: Within | None = None,
) -> Callable[[Options], Read]:
    """Records that are JSON objects. `choose` gives a record's table, or None: it is no `sort`.

    `within` gives the record proper where an exporter has put it into another object.
    """
    decode = msgspec.json.Decoder(shape.type).decode
    read = _JsonRead(decode, choose, each, within, Problem(f"no record of {sort}"))
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


class _Either(ReadsMany):
    def __init__(self, json: Read, text: Read) -> None:
        self._json, self._text = json, text

    def __call__(self, raw: bytes) -> Sequence[Understood | Problem] | Problem:
        return self._json(raw) if raw[:1] == b"{" else self._text(raw)

    def many(self, raws: Sequence[bytes]) -> tuple[list[Table], list[Fields]] | None:
        return self._json.many(raws) if isinstance(self._json, ReadsMany) else None


def either(
    json: Callable[[Options], Read], text: Callable[[Options], Read]
) -> Callable[[Options], Read]:
    """Records that are JSON objects or lines of text, whichever each is."""
    return lambda options: _Either(json(options), text(options))


def member(name: str, instead_of: str) -> Within:
    """Of an object without `instead_of`, its member of that name, if that is an object."""
    keep = attrgetter(attribute(instead_of))
    find: Callable[[bytes], Any] = msgspec.json.Decoder(
        msgspec.defstruct("Around", [("at", msgspec.Raw, msgspec.Raw())], rename={"at": name})
    ).decode

    def within(record: Fields, raw: bytes) -> bytes | None:
        if keep(record) is not None:
            return None
        inner = bytes(find(raw).at)
        return inner if inner[:1] == b"{" else None

    return within


def has(*names: str) -> Callable[[Keys], bool]:
    """A JSON object with all of these keys."""
    return lambda keys: all(name in keys for name in names)
