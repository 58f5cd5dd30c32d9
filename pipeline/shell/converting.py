"""`sightline convert`: files of a sensor's native log in, events out."""

from __future__ import annotations

import gzip
import sys
import time
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from io import BufferedReader, BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from pipeline.adapter.catalogue import BY_NAME, FORMATS, LOOKED_AT, detect
from pipeline.adapter.columns import NAMES
from pipeline.adapter.conversion import Conversion, Counts, Rejected
from pipeline.adapter.format import Format, Options
from pipeline.adapter.instant import Clock, Zone, iso, utc
from pipeline.adapter.record import MAX_RECORD_BYTES
from pipeline.decode import Reason
from pipeline.problem import did_you_mean
from pipeline.shell.files import read_text
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import WrongUseError
from pipeline.shell.ship.guarding import Gate, GuardedConversion

_BLOCK = 256 << 10  # bytes that are read at once, at most
_OPENING = (b"{", b"[", b"[{")  # of JSON that is printed over several lines
_LONGEST_PRINTED = 2_000_000  # lines
_GZIP = b"\x1f\x8b"


class RejectedRecord(Struct, frozen=True):
    """A line of `--rejects`. Its bytes are not in it: they may hold a password."""

    file: str
    line: int
    reason: Reason
    detail: str


class Converting(Struct, frozen=True):
    """What was asked for."""

    format: str | None
    sensor: str
    files: Sequence[str]
    rejects: Path | None
    only_failed: bool
    explain: str | None
    clock: Clock
    options: Options
    gate: Gate | None = None


def format_named(name: str) -> Format:
    """The format of that name; a `WrongUseError` lists those that there are."""
    found = BY_NAME.get(name.lower())
    if found is None:
        known = ", ".join(sorted(one.name for one in FORMATS))
        near = did_you_mean(name.lower(), BY_NAME)
        raise WrongUseError(f"--format: {printable(name)!r} is none of {known}{near}")
    return found


def clock_of(timezone_: str, reference: str | None) -> Clock:
    """The zone and the reference time as given on the command line."""
    now = time.time_ns() // 1_000_000
    if reference is None:
        return Clock(now, zone_of(timezone_))
    ms = iso(reference if len(reference) > 10 else f"{reference}T00:00:00", Clock(now))
    if ms is None:
        raise WrongUseError(
            f"--reference: {printable(reference)!r} is no time as 2025-01-31T10:20Z"
        )
    return Clock(ms, zone_of(timezone_))


def zone_of(name: str) -> Zone:
    """`UTC`, `+01:00` or a name of the IANA database, as `Africa/Nairobi`."""
    if name.upper() in {"UTC", "Z"}:
        return utc
    fixed = iso(f"2000-01-02T00:00:00{name}", Clock(0)) if name[:1] in {"+", "-"} else None
    if fixed is not None:
        at_utc = cast("int", iso("2000-01-02T00:00:00Z", Clock(0)))
        return lambda local_ms: local_ms + fixed - at_utc
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongUseError(
            f"--timezone: {printable(name)!r} is none of UTC, +01:00 and the like, "
            "or Africa/Nairobi and the like"
        ) from None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    def to_utc(local_ms: int) -> int:
        try:
            wall = (epoch + timedelta(milliseconds=local_ms)).replace(tzinfo=zone)
            return (wall - epoch) // timedelta(milliseconds=1)
        except OverflowError:
            return local_ms

    return to_utc


def options_of(mapping: Path | None) -> Options:
    """Of a mapping's file: by our name, the column's."""
    if mapping is None:
        return Options()
    try:
        columns = tomllib.loads(read_text(mapping))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise WrongUseError(f"{mapping}: {error}") from None
    for name, column in columns.items():
        if name not in NAMES:
            near = did_you_mean(name, NAMES)
            raise WrongUseError(
                f"{mapping}: {printable(name)!r} is none of {', '.join(NAMES)}{near}"
            )
        if not isinstance(column, str):
            raise WrongUseError(f"{mapping}: {name}: a column's name in quotation marks is wanted")
    if "time" not in columns:
        raise WrongUseError(f"{mapping}: it names no column as `time`")
    return Options(columns)


def run(asked: Converting) -> Counts:
    """Convert file by file; the sum of all counts. What was rejected is told, and is no failure."""
    if asked.explain is not None and not asked.explain.isdigit():
        _explain_text(asked, asked.explain)
        return Counts()
    total = Counts()
    with ExitStack() as stack:
        rejects = stack.enter_context(_create(asked.rejects)) if asked.rejects else None
        for name in asked.files or ("-",):
            blocks = _blocks(stack, name)
            if asked.explain is not None:
                _explain_line(asked, name, blocks, int(asked.explain))
                continue
            counts = _convert(asked, name, blocks, rejects)
            for field in Counts.__struct_fields__:
                setattr(total, field, getattr(total, field) + getattr(counts, field))
    return total


def _convert(
    asked: Converting, name: str, blocks: Iterator[list[bytes]], rejects: IO[bytes] | None
) -> Counts:
    format_, blocks = _format_of(asked, name, blocks)
    if format_ is None:
        return Counts()
    conversion = (
        GuardedConversion(format_, asked.sensor, asked.clock, asked.options, asked.gate)
        if asked.gate is not None
        else Conversion(format_, asked.sensor, asked.clock, asked.options)
    )
    out = sys.stdout.buffer
    plain = sys.stdout.isatty()

    def take(results: Sequence[bytes | Rejected]) -> None:
        events = []
        for one in results:
            if isinstance(one, Rejected):
                _tell(asked, name, one, rejects)
            elif not asked.only_failed:
                events.append(plain_json(one).encode() if plain else one)
        if events:
            out.write(b"\n".join(events) + b"\n")

    number = 1
    for lines in blocks:
        take(conversion.feed_many(lines, number))
        number += len(lines)
    take(conversion.end())
    out.flush()
    return conversion.counts


def _tell(asked: Converting, name: str, one: Rejected, rejects: IO[bytes] | None) -> None:
    reason, detail = one.rejection.reason, one.rejection.detail
    if rejects is not None:
        row = RejectedRecord(name, one.line, reason, detail)
        rejects.write(msgspec.json.encode(row) + b"\n")
    if asked.only_failed:
        print(printable(f"{name}:{one.line}: {reason}: {detail}"))


def _format_of(
    asked: Converting, name: str, blocks: Iterator[list[bytes]]
) -> tuple[Format | None, Iterator[list[bytes]]]:
    """The format that was asked for, or that the first lines look like; None of an empty file."""
    if asked.format is not None:
        return format_named(asked.format), blocks
    first = _first(blocks, LOOKED_AT)
    if not any(line.strip() for line in first):
        return None, iter(())
    found = detect(first[:LOOKED_AT])
    if found is None and next(filter(None, map(bytes.strip, first)), b"") in _OPENING:
        # A document that is printed over many lines.
        first += _first(blocks, _LONGEST_PRINTED)
        found = detect(first)
    if found is None:
        known = ", ".join(sorted(one.name for one in FORMATS))
        raise WrongUseError(f"{printable(name)}: its format cannot be told; --format: {known}")
    return found, chain((first,), blocks)


def _first(blocks: Iterator[list[bytes]], wanted: int) -> list[bytes]:
    """So many lines, if there are, and what else their blocks hold."""
    lines: list[bytes] = []
    while len(lines) < wanted and (block := next(blocks, None)) is not None:
        lines += block
    return lines


def _explain_text(asked: Converting, text: str) -> None:
    line = text.encode("utf-8", "surrogateescape")
    format_, _ = _format_of(asked, "the line", iter(([line],)))
    if format_ is not None:
        _print_explained(asked, format_, (line,), 1)


def _explain_line(asked: Converting, name: str, blocks: Iterator[list[bytes]], number: int) -> None:
    format_, blocks = _format_of(asked, name, blocks)
    if format_ is None or not _print_explained(asked, format_, chain.from_iterable(blocks), number):
        raise WrongUseError(f"{printable(name)}: no record at line {number}")


def _print_explained(
    asked: Converting, format_: Format, lines: Iterable[bytes], wanted: int
) -> bool:
    """Whether there was something to print."""
    conversion = Conversion(format_, asked.sensor, asked.clock, asked.options)
    for number, line in enumerate(lines, 1):
        if number < wanted:
            conversion.feed(line, number)  # a header before it says what its columns are
        elif said := list(conversion.explain(line, number)):
            for text in said:
                print(printable(text))
            return True
    return False


def _blocks(stack: ExitStack, name: str) -> Iterator[list[bytes]]:
    """The lines of a file, or of stdin, also compressed by gzip: as many as come at once."""
    if name == "-":
        return _read(name, sys.stdin.buffer)
    try:
        file: IO[bytes] = stack.enter_context(Path(name).open("rb"))  # noqa: SIM115
        if cast("BufferedReader", file).peek(2)[:2] == _GZIP:
            file = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=file)))
    except OSError as error:
        raise WrongUseError(f"{name}: {error.strerror or error}") from None
    return _read(name, file)


def _read(name: str, file: IO[bytes]) -> Iterator[list[bytes]]:
    """Of a line that is longer than any record may be, so much that it is rejected, once."""
    read = cast("BufferedReader", file).read1
    begun: list[bytes] = []  # a line's beginning, as it came
    size, skipping = 0, False
    try:
        while block := read(_BLOCK):
            end = block.rfind(b"\n") + 1
            if skipping and end:
                begun, skipping = [], False
                block = block[block.find(b"\n") + 1 :]
                end = block.rfind(b"\n") + 1
            elif skipping:
                continue
            if end:
                lines = BytesIO(block[:end]).readlines()
                lines[0] = b"".join((*begun, lines[0]))
                yield lines
                begun, size = [], 0
            begun.append(block[end:])
            size += len(block) - end
            if size > _LONGEST:
                yield [b"".join(begun)[:_LONGEST]]
                begun, size, skipping = [], 0, True
    except (OSError, EOFError, zlib.error) as error:
        raise WrongUseError(f"{name}: {error}") from None
    if size:
        yield [b"".join(begun)]


_LONGEST = max(MAX_RECORD_BYTES, *(one.longest for one in FORMATS)) + 2


def _create(path: Path) -> IO[bytes]:
    try:
        return path.open("wb")
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
