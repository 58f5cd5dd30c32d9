"""Packs that wait on disk while the broker is away, oldest first, within a bound.

A segment is a file of records, each its length, its CRC and a packed `Pack`. What was sent is
deleted a segment at a time: after a crash some packs are sent once more.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from struct import Struct as Layout
from zlib import crc32

import msgspec

from pipeline.shell.settings import FailedError
from pipeline.shell.ship.pack import Pack

SEGMENT_BYTES = 4 << 20
_FRAME = Layout("<II")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Pack).decode


class Spool:
    """`most`: bytes that it may come to; 0 for none of it."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._segments: deque[Path] = deque()
        self._writing: Path | None = None
        self.size = 0
        self._read: deque[tuple[Pack, bool]] = deque()
        """Of the oldest segment what was not taken yet, and whether it is the segment's last."""
        self._next = 0
        if folder.is_dir():
            self._segments.extend(sorted(folder.glob("*.packs")))
            self.size = sum(segment.stat().st_size for segment in self._segments)
            if self._segments:
                self._next = int(self._segments[-1].stem) + 1

    @property
    def empty(self) -> bool:
        return not self._segments and not self._read

    def takes(self, pack: Pack) -> bool:
        """Whether there is room for it."""
        return self.size + len(pack.payload) + 1024 <= self._most

    def all(self) -> Iterator[Pack]:
        """Every pack that waits, taken or not."""
        for segment in self._segments:
            yield from _packs(segment)

    def put(self, pack: Pack) -> None:
        if self._writing is None or self._writing.stat().st_size >= SEGMENT_BYTES:
            self._writing = self._new()
            self._segments.append(self._writing)
        self._append(self._writing, (pack,))

    def keep(self, packs: Iterable[Pack]) -> Path:
        """Packs that are on their way: a segment that only another process would take. What is put
        after them says that all before it is here.
        """
        segment = self._new()
        self._append(segment, packs)
        return segment

    def _new(self) -> Path:
        self._next += 1
        return self._folder / f"{self._next - 1:012}.packs"

    def _append(self, segment: Path, packs: Iterable[Pack]) -> None:
        records = map(_encode, packs)
        framed = b"".join(_FRAME.pack(len(one), crc32(one)) + one for one in records)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(segment, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(framed)
        except OSError as error:
            raise FailedError(f"{self._folder}: {error.strerror}") from None
        self.size += len(framed)

    def take(self) -> tuple[Pack, Path | None] | None:
        """The oldest pack that was not taken; with the last of a segment that segment: `drop` it
        when it has arrived.
        """
        while not self._read and self._segments:
            segment = self._segments[0]
            if segment == self._writing:
                self._writing = None
            found = list(_packs(segment))
            self._segments.popleft()
            if not found:
                self.drop(segment)
            self._taken = segment
            self._read.extend((pack, pack is found[-1]) for pack in found)
        if not self._read:
            return None
        pack, last = self._read.popleft()
        return pack, self._taken if last else None

    def drop(self, segment: Path) -> None:
        self.size -= segment.stat().st_size
        segment.unlink()


def _packs(segment: Path) -> Iterator[Pack]:
    """Up to the first that is not whole: the rest was not written when its writer ended."""
    content = segment.read_bytes()
    at = 0
    while at + _FRAME.size <= len(content):
        size, crc = _FRAME.unpack_from(content, at)
        record = content[at + _FRAME.size : at + _FRAME.size + size]
        if len(record) < size or crc32(record) != crc:
            return
        yield _decode(record)
        at += _FRAME.size + size


def rewrite(folder: Path, left: Callable[[bytes], tuple[bytes, int]], *, change: bool) -> int:
    """Leave of each pack that waits in a spool what `left` gives of its events, and their number;
    how many events go. Whoever ships stands still meanwhile.
    """
    gone = 0
    for segment in sorted(folder.glob("*.packs")):
        packs = list(_packs(segment))
        kept = []
        for pack in packs:
            payload, events = left(pack.payload)
            gone += pack.events - events
            kept.append(Pack(payload, events, pack.reached))
        if not change or kept == packs:
            continue
        beside = segment.with_name(f".{segment.name}.new")
        with beside.open("wb") as file:
            for pack in kept:
                record = _encode(pack)
                file.write(_FRAME.pack(len(record), crc32(record)) + record)
            file.flush()
            os.fsync(file.fileno())
        # Written over where it lies, before its name is another file's.
        with segment.open("r+b") as file:
            file.write(bytes(segment.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(segment)
    return gone
