"""A file of a format, line by line, to events or rejections. No I/O here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from msgspec import Struct

from pipeline.adapter.format import NOT_JSON, Format, Options, ReadsMany
from pipeline.adapter.instant import Clock
from pipeline.adapter.record import Broken, JsonLines, Record, text_line
from pipeline.adapter.table import Fields, Problem, Table
from pipeline.adapter.written import Waiting, Written
from pipeline.decode import Reason, Rejection

_WAITING = b""


class Rejected(Struct, frozen=True):
    """A record of which no event came, and the number of its first line, from 1."""

    line: int
    rejection: Rejection


class Counts(Struct):
    """Records are lines, or objects printed over several; of one may come several events."""

    records: int = 0
    events: int = 0
    without_event: int = 0
    """Headers and comments: nothing is wrong with them."""
    rejected: int = 0
    undated: int = 0
    """Events whose record named no time: they got the reference time."""


class Conversion:
    """One file of one sensor. `position` is where its first line stands, from 1."""

    def __init__(
        self, format_: Format, sensor: str, clock: Clock, options: Options | None = None
    ) -> None:
        self.counts = Counts()
        self._format = format_
        self.clock = clock
        """It may be another one later: a file may be read for months."""
        options = options or Options()
        self._read = format_.reader(options)
        self._carried = [(one.of_line, one.reader(options)) for one in format_.carried]
        if self._carried:
            self._read_own, self._read = self._read, self._read_any
        self._lines = (
            JsonLines(text=format_.text, longest=format_.longest) if format_.json else None
        )
        self._many = self._read.many if isinstance(self._read, ReadsMany) else None
        self._cut = self._lines.feed if self._lines else text_line
        self._written = Written(format_, sensor)

    def _read_any(self, raw: bytes) -> Sequence[tuple[Table, Fields] | Problem] | Problem:
        text = raw[:8192].decode("utf-8", "replace")
        for looks, read in self._carried:
            if looks is not None and looks(text):
                return read(raw)
        return self._read_own(raw)

    @property
    def is_within(self) -> bool:
        """Whether a record has begun that no line has ended yet."""
        return self._lines is not None and self._lines.is_within

    def restart(self) -> None:
        """Go on elsewhere in the file: a header holds, what was counted or begun does not."""
        self.counts = Counts()
        if self._lines is not None:
            self._lines.end()

    def feed(self, line: bytes, number: int) -> Sequence[bytes | Rejected]:
        """What the line with that number completes: events as JSON, and what was rejected."""
        return self.feed_many((line,), number)

    def feed_many(self, lines: Sequence[bytes], first: int) -> Sequence[bytes | Rejected]:
        """The same of lines that follow each other, of which the first has that number: many at
        once cost a fraction of what one after another does.
        """
        if not lines:
            return ()
        cut = self._cut
        if self._many is not None and self._lines is not None and self._lines.are_plain(lines):
            read = self._many(lines)
            if read is not None:
                return self._plain(*read, lines, first)
        return self._take(
            [record for number, line in enumerate(lines, first) for record in cut(line, number)]
        )

    def end(self) -> Sequence[bytes | Rejected]:
        """What the last line left open."""
        return self._take(self._lines.end()) if self._lines else ()

    def _plain(
        self, tables: list[Table], records: list[Fields], lines: Sequence[bytes], first: int
    ) -> Sequence[bytes | Rejected]:
        """What comes of lines each of which is one record of one event."""
        places = [*enumerate(lines, first)]
        waiting: dict[int, Waiting] = {}
        for at, table in enumerate(map(id, tables)):
            if table not in waiting:
                waiting[table] = Waiting([], [], [])
            waiting[table].at.append(at)
        out: list[bytes | Rejected | Problem] = [_WAITING] * len(lines)
        for table, of_table in waiting.items():
            of_table.fields = [records[at] for at in of_table.at] if len(waiting) > 1 else records
            self._fill(out, table, of_table, places)
        self.counts.records += len(lines)
        return self._counted(out, places)

    def _fill(
        self,
        out: list[bytes | Rejected | Problem],
        table: int,
        of: Waiting,
        places: Sequence[Record],
    ) -> None:
        made, undated = self._written.events(table, of, [places[at] for at in of.at], self.clock)
        self.counts.undated += undated
        for at, event in zip(of.at, made, strict=True):
            out[at] = event

    def _take(self, records: Sequence[Record | Broken]) -> Sequence[bytes | Rejected]:
        out: list[bytes | Rejected | Problem] = []
        waiting: dict[int, Waiting] = {}
        places: list[Record] = []
        entire = self._format.entire
        for record in records:
            if isinstance(record, Broken):
                out.append(Rejected(record.line, record.rejection))
                places.append((record.line, b""))
                continue
            number, raw = record
            if entire is not None:
                out.append(self._written.as_it_is(entire(raw), raw, number))
                places.append(record)
                continue
            understood = self._read(raw)
            if isinstance(understood, Problem):
                out.append(understood)
                places.append(record)
                continue
            if not understood:
                self.counts.without_event += 1
            for index, one in enumerate(understood):
                if isinstance(one, Problem):
                    out.append(one)
                else:
                    table, fields = one
                    if id(table) not in waiting:
                        waiting[id(table)] = Waiting([], [], [])
                    of_table = waiting[id(table)]
                    of_table.fields.append(fields)
                    of_table.indices.append(index)
                    of_table.at.append(len(out))
                    out.append(_WAITING)
                places.append(record)
        for of, of_table in waiting.items():
            self._fill(out, of, of_table, places)
        self.counts.records += len(records)
        return self._counted(out, places)

    def _counted(
        self, out: Sequence[bytes | Rejected | Problem], places: Sequence[Record]
    ) -> list[bytes | Rejected]:
        """What came of records, counted; `places` are the records, for what is told of them."""
        rejected = sum([type(one) is not bytes for one in out])
        self.counts.rejected += rejected
        self.counts.events += len(out) - rejected
        if not rejected:
            return cast("list[bytes | Rejected]", out)
        return [
            self._rejected(one, *place) if isinstance(one, Problem) else one
            for one, place in zip(out, places, strict=True)
        ]

    def _rejected(self, why: Problem, number: int, raw: bytes) -> Rejected:
        reason = Reason.NOT_JSON if why.detail.startswith(NOT_JSON) else Reason.SCHEMA
        if why.detail.startswith("nested deeper"):
            reason = Reason.TOO_DEEP
        return Rejected(number, Rejection(reason, why.detail, raw))

    def explain(self, line: bytes, number: int) -> Iterator[str]:
        """How a line is understood, a line of text a field. No password is in it."""
        for record in self._cut(line, number):
            if isinstance(record, Broken):
                yield f"rejected: {record.rejection.detail}"
                continue
            if self._format.entire is not None:
                event = self._written.as_it_is(self._format.entire(record[1]), record[1], record[0])
                yield f"rejected: {event.detail}" if isinstance(event, Problem) else "as it is"
                continue
            understood = self._read(record[1])
            if isinstance(understood, Problem):
                yield f"rejected: {understood.detail}"
                continue
            if not understood:
                yield "no event: a header or a comment"
            for one in understood:
                if isinstance(one, Problem):
                    yield f"rejected: {one.detail}"
                else:
                    yield from self._explain_event(*one)

    def _explain_event(self, table: Table, fields: Fields) -> Iterator[str]:
        ready = self._written.ready(table)
        yield f"{ready.format.title}, {table.name}: OCSF class {table.class_uid}"
        rows = list(ready.mapper.explain(fields, self.clock))
        for source, given, target, read in rows:
            yield f"  {source} = {given} -> {target} = {read}"
        taken = {source for row in table.rows for source in row.sources}
        taken |= {source.replace("[]", "") for source in taken}
        shape = ready.format.shape
        left = [
            source
            for source in shape.sources
            if source not in taken and shape.value(fields, source) is not None
        ]
        if left:
            yield f"  of no meaning in such a record: {', '.join(left)}"
        for problem in ready.mapper.build((fields,), self.clock).problems.values():
            yield f"rejected: {problem.detail}"
