"""One log file that is being read: where we are in it, and whether it is still the same file.

A file is told by its inode and by the first bytes of it (its head): an inode is used again after a
file is gone, and a file that was cut to nothing and filled again keeps it.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import IO

from msgspec import Struct

from pipeline.adapter.catalogue import FORMATS
from pipeline.adapter.record import MAX_RECORD_BYTES

HEAD_BYTES = 1024
BLOCK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
LONGEST = max(MAX_RECORD_BYTES, *(one.longest for one in FORMATS))
"""Bytes of a line that are kept: more of it than any record may have is enough to reject it."""


class Place(Struct, frozen=True):
    """How far a file was read: `offset` bytes, which are `line` lines.

    `head` is the digest of its first `head_bytes` bytes.
    """

    device: int
    inode: int
    offset: int
    line: int
    head: str
    head_bytes: int


def digest(head: bytes) -> str:
    return blake2b(head, digest_size=16).hexdigest()


class LogFile:
    """An open file. `offset` and `line` say what of it was given out, in whole lines."""

    def __init__(self, path: Path, *, offset: int = 0, line: int = 0) -> None:
        self._plain: IO[bytes] = path.open("rb", buffering=0)
        status = os.fstat(self._plain.fileno())
        self.device, self.inode = status.st_dev, status.st_ino
        self.compressed = self._plain.read(2) == _GZIP
        self._plain.seek(0)
        self._file = gzip.GzipFile(fileobj=self._plain) if self.compressed else self._plain
        self.broken = ""
        """Why nothing behind what was read of a compressed file can be; "" where all can."""
        self._broken_size = self._broken_at = 0
        self.head = self._read_at(0, HEAD_BYTES)
        self.offset, self.line = offset, line
        self.number = 0
        """Among the files behind one path; given by those who know of the others."""
        self._rest = b""
        """What was read behind `offset`: the beginning of a line."""
        self._skipping = False
        """The rest of a line that is too long is passed over."""

    @property
    def place(self) -> Place:
        return self.place_at(self.offset, self.line)

    def place_at(self, offset: int, line: int) -> Place:
        head = digest(self.head)
        return Place(self.device, self.inode, offset, line, head, len(self.head))

    def is_at(self, place: Place) -> bool:
        """Whether this is the file of a place, or begins as it does."""
        head = self._read_at(0, place.head_bytes)
        return len(head) == place.head_bytes and digest(head) == place.head

    def size(self) -> int:
        """Bytes of it as it lies there."""
        return os.fstat(self._plain.fileno()).st_size

    def modified_ns(self) -> int:
        return os.fstat(self._plain.fileno()).st_mtime_ns

    def was_cut(self) -> bool:
        """Whether it begins in another way than it did, or is shorter than what was read."""
        if self.compressed:
            return False
        read = self.offset + len(self._rest)
        return self.size() < read or self._read_at(0, len(self.head)) != self.head

    def lines(self) -> list[bytes] | None:
        """The next whole lines; none of them where there is nothing more yet; None if the file
        was cut meanwhile: what was read then may be anything.
        """
        block = self._read_at(self.offset + len(self._rest), BLOCK_BYTES)
        if not self.compressed:
            if self.was_cut():
                return None
            if len(self.head) < HEAD_BYTES:
                self.head = self._read_at(0, HEAD_BYTES)
        if self._skipping:
            block = self._skip(block)
        end = block.rfind(b"\n") + 1
        if not end:
            self._rest += block
            # More of a line than any record may have: it is rejected for what is there.
            return self._give([self._rest], skip=True) if len(self._rest) > LONGEST else []
        lines = io.BytesIO(block[:end]).readlines()
        lines[0] = self._rest + lines[0]
        return self._give(lines, block[end:])

    def _give(self, lines: list[bytes], rest: bytes = b"", *, skip: bool = False) -> list[bytes]:
        self.offset += sum(map(len, lines))
        self.line += len(lines)
        self._rest, self._skipping = rest, skip
        return lines

    def _skip(self, block: bytes) -> bytes:
        """What comes behind the line that is passed over."""
        end = block.find(b"\n") + 1
        self._skipping = not end
        self.offset += end or len(block)
        return block[end:] if end else b""

    def last_line(self) -> list[bytes]:
        """What stands behind the last line's end, of a file that nobody writes to any more."""
        return self._give([self._rest]) if self._rest else []

    def first_lines(self, offset: int) -> list[bytes]:
        """The lines before `offset`, or a block of them: a header that was read is among them."""
        return io.BytesIO(self._read_at(0, min(offset, BLOCK_BYTES))).readlines()

    def close(self) -> None:
        self._file.close()
        self._plain.close()

    def _read_at(self, offset: int, size: int) -> bytes:
        if self.compressed:
            return self._unpacked_at(offset, size)
        self._file.seek(offset)
        found = self._file.read(size) or b""
        while 0 < len(found) < size and (more := self._file.read(size - len(found))):
            found += more
        return found

    def _unpacked_at(self, offset: int, size: int) -> bytes:
        """What can be read of a compressed file; `broken` says what is in the way of the rest.

        One that is just being written ends before it is whole, and has more the next time.
        """
        if self.broken:
            if self.size() == self._broken_size and offset >= self._broken_at:
                return b""
            self._plain.seek(0)  # what a reader has stumbled over it does not read on from
            self._file, self.broken = gzip.GzipFile(fileobj=self._plain), ""
        assert isinstance(self._file, gzip.GzipFile)
        found = b""
        try:
            self._file.seek(offset)
            while len(found) < size and (more := self._file.read1(size - len(found))):
                found += more
        except EOFError:
            self.broken = "it ends before it is whole"
        except (gzip.BadGzipFile, zlib.error):
            self.broken = "it is damaged"
        if self.broken:
            self._broken_size, self._broken_at = self.size(), offset + len(found)
        return found
