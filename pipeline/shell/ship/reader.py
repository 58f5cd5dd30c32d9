"""A log's lines to packs of events: what comes of them, what is rejected, how far it reaches."""

from __future__ import annotations

import io
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from pipeline.adapter.catalogue import FORMATS, LOOKED_AT, detect
from pipeline.adapter.conversion import Conversion, Counts, Rejected
from pipeline.adapter.format import Format, Options
from pipeline.adapter.instant import Clock, Zone
from pipeline.lane import labelled
from pipeline.shell.printable import printable
from pipeline.shell.settings import WrongUseError
from pipeline.shell.ship.guarding import Gate, GuardedConversion
from pipeline.shell.ship.log_file import BLOCK_BYTES, LONGEST, LogFile, Place
from pipeline.shell.ship.pack import PACK_BYTES, PACK_EVENTS, Pack, Reached, packs
from pipeline.shell.ship.tail import Tail

Reject = Callable[[str, Rejected], None]
AT_ONCE = PACK_EVENTS
"""Lines that are converted together: of most logs, one pack."""


class Understanding(Struct, frozen=True):
    """How lines are to be understood; `format` None: as they look like."""

    format: Format | None
    sensor: str
    zone: Zone
    reference_ms: int | None
    options: Options
    gate: Gate | None = None
    """What may leave; without one, all of it."""
    exercise: str = ""
    """Whose lane its events go to; they say so."""

    def conversion(self, name: str, first: list[bytes]) -> Conversion:
        """One for a file that begins so."""
        format_ = self.format or detect(islice(first, LOOKED_AT))
        if format_ is None:
            known = ", ".join(sorted(one.name for one in FORMATS))
            raise WrongUseError(f"{printable(name)}: its format cannot be told; --format: {known}")
        if self.gate is not None:
            return GuardedConversion(format_, self.sensor, self.clock(), self.options, self.gate)
        return Conversion(format_, self.sensor, self.clock(), self.options)

    def said(self, events: list[bytes]) -> list[bytes]:
        """Events as they are sent: on an exercise's lane they say that they are an exercise's."""
        of = self.exercise
        return [labelled(event, of) for event in events] if of else events

    def clock(self) -> Clock:
        now = time.time_ns() // 1_000_000
        return Clock(now if self.reference_ms is None else self.reference_ms, self.zone)


class FileReader:
    """The files behind a path, as packs."""

    def __init__(self, tail: Tail, how: Understanding, reject: Reject) -> None:
        self.tail = tail
        self.counts = Counts()
        self._how = how
        self._reject = reject
        self._conversions: dict[LogFile, Conversion] = {}

    def next(self) -> Iterator[Pack] | None:
        """The packs of a block of the oldest file that has something; None where none has.

        All of them are to be taken before the next call.
        """
        self.tail.look()
        for file in list(self.tail.files):
            if file not in self.tail.files:
                continue  # it was read as the copy of another
            place = file.place
            lines = file.lines()
            if lines is None:
                self.tail.cut(file)
                self._drop(file)
                return self.next()
            if lines:
                self.tail.heard(file)
                return self._packs(file, place, lines)
            if self.tail.is_done(file):
                last = file.last_line()
                return self._last(file, place, last)
        return None

    @property
    def left(self) -> bool:
        """Whether there is a file that is not done."""
        return bool(self.tail.files)

    def _conversion(self, file: LogFile, place: Place, lines: list[bytes]) -> Conversion:
        conversion = self._conversions.get(file)
        if conversion is None:
            head = file.first_lines(place.offset)
            conversion = self._how.conversion(self.tail.path, head or lines)
            _prime(conversion, head)
            self._conversions[file] = conversion
        conversion.clock = self._how.clock()
        return conversion

    def _packs(self, file: LogFile, place: Place, lines: list[bytes]) -> Iterator[Pack]:
        conversion = self._conversion(file, place, lines)
        offset, number = place.offset, place.line
        events: list[bytes] = []
        size = 0
        for at in range(0, len(lines), AT_ONCE):
            part = lines[at : at + AT_ONCE]
            before = len(events)
            self._take(conversion.feed_many(part, number + 1), events)
            size += sum(map(len, events[before:]))
            number += len(part)
            offset += sum(map(len, part))
            if (len(events) >= PACK_EVENTS or size >= PACK_BYTES) and not conversion.is_within:
                yield from packs(self._how.said(events), self._reached(file, offset, number))
                events, size = [], 0
        reached = None if conversion.is_within else self._reached(file, offset, number)
        if events or reached is not None:
            yield from packs(self._how.said(events), reached)

    def _last(self, file: LogFile, place: Place, last: list[bytes]) -> Iterator[Pack]:
        if last:
            yield from self._packs(file, place, last)
        events: list[bytes] = []
        conversion = self._conversions.get(file)
        if conversion is not None:
            self._take(conversion.end(), events)
        reached = Reached(self.tail.path, file.number, file.place, done=True)
        self._drop(file)
        self.tail.finish(file)
        yield from packs(self._how.said(events), reached)

    def _take(self, results: Sequence[bytes | Rejected], events: list[bytes]) -> None:
        for one in results:
            if isinstance(one, bytes):
                events.append(one)
            else:
                self._reject(self.tail.path, one)

    def _reached(self, file: LogFile, offset: int, number: int) -> Reached:
        return Reached(self.tail.path, file.number, file.place_at(offset, number))

    def _drop(self, file: LogFile) -> None:
        conversion = self._conversions.pop(file, None)
        if conversion is not None:
            add(self.counts, conversion.counts)

    def all_counts(self) -> Counts:
        total = Counts()
        for counts in (self.counts, *(one.counts for one in self._conversions.values())):
            add(total, counts)
        return total


class StdinReader:
    """Standard input, as packs: it has no place, and cannot be read again."""

    def __init__(self, how: Understanding, reject: Reject) -> None:
        self.left = True
        self._how = how
        self._reject = reject
        self._conversion: Conversion | None = None
        self._rest = b""
        self._number = 0
        self._skipping = False

    def next(self) -> Iterator[Pack] | None:
        if not self.left or not select.select([sys.stdin], [], [], 0)[0]:
            return None
        block = os.read(sys.stdin.fileno(), BLOCK_BYTES)
        self.left = bool(block)
        if self._skipping:
            line_end = block.find(b"\n") + 1
            self._skipping = not line_end
            block = block[line_end:] if line_end else b""
        whole = self._rest + block
        end = whole.rfind(b"\n") + 1 if self.left else len(whole)
        if not end and len(whole) > LONGEST:
            end, self._skipping = len(whole), True
        self._rest = whole[end:]
        return self._packs(io.BytesIO(whole[:end]).readlines())

    def _packs(self, lines: list[bytes]) -> Iterator[Pack]:
        if self._conversion is None:
            if not lines:
                return
            self._conversion = self._how.conversion("stdin", lines)
        events: list[bytes] = []
        self._take(self._conversion.feed_many(lines, self._number + 1), events)
        self._number += len(lines)
        if not self.left:
            self._take(self._conversion.end(), events)
        if events:
            yield from packs(self._how.said(events), None)

    def _take(self, results: Sequence[bytes | Rejected], events: list[bytes]) -> None:
        for one in results:
            if isinstance(one, Rejected):
                self._reject("stdin", one)
            else:
                events.append(one)

    def all_counts(self) -> Counts:
        return self._conversion.counts if self._conversion else Counts()


def _prime(conversion: Conversion, head: list[bytes]) -> None:
    """Let a conversion that goes on in mid-file know the header that the file begins with."""
    for number, line in enumerate(head, 1):
        headers = conversion.counts.without_event
        said = conversion.feed(line, number)
        if said or conversion.counts.without_event == headers:
            break
    conversion.restart()


def add(total: Counts, more: Counts) -> None:
    for field in Counts.__struct_fields__:
        setattr(total, field, getattr(total, field) + getattr(more, field))
