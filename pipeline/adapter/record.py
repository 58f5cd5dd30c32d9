"""A file's lines to records: most often a line is one. No I/O here.

JSON also comes printed over several lines, and as one array over a whole file. A bare `{` opens a
record that the brace that belongs to it ends, or, where braces are missing, one of the same
indentation; what only frames is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from pipeline.decode import Reason, Rejection

MAX_RECORD_BYTES = 1024 * 1024

Record = tuple[int, bytes]
"""The number of its first line, from 1, and its bytes."""

_BLANK = b" \t\r\n"
_FRAME = frozenset({b"", b"[", b"]", b",", b"],"})
_BRACES = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]').findall
# Two backslashes are one; a pair is whole; what is left is a half.
_ESCAPES = re.compile(
    rb"\\\\|\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    rb"|(\\u[Dd][89A-Fa-f][0-9A-Fa-f]{2})"
)
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Broken(Struct, frozen=True):
    """A record that was given up."""

    line: int
    rejection: Rejection


def text_line(
    line: bytes, number: int, longest: int = MAX_RECORD_BYTES
) -> Sequence[Record | Broken]:
    """A record of a format whose records are lines."""
    line = line.rstrip(b"\r\n")
    if not line.strip(_BLANK):
        return ()
    if len(line) > longest:
        return (Broken(number, _too_large(line, longest)),)
    return ((number, line.removeprefix(b"\xef\xbb\xbf")),)


class JsonLines:
    """Cuts the lines of one file; ask `end` when there are no more.

    With `text`, a line that is of no JSON is a record as it stands.
    """

    def __init__(self, *, text: bool = False, longest: int = MAX_RECORD_BYTES) -> None:
        self._text = text
        self._longest = longest
        self._lines: list[bytes] = []
        self._size = 0
        self._first = 0
        self._closing = b""
        self._depth = 0

    def feed(self, line: bytes, number: int) -> Sequence[Record | Broken]:
        if not self._lines and line[:2] == b'{"' and line[-2:] == b"}\n":
            if len(line) > self._longest:
                return (Broken(number, _too_large(line, self._longest)),)
            return ((number, line),)  # as nearly all are
        if self._lines:
            return self._gather(line, number)
        stripped = line.removeprefix(b"\xef\xbb\xbf").strip(_BLANK)
        if stripped in _FRAME:
            return ()
        if self._text and stripped[:1] not in b"{[,":
            return text_line(line, number, self._longest)
        if len(stripped) > self._longest and stripped[:1] != b"[":
            return (Broken(number, _too_large(stripped, self._longest)),)
        if stripped in {b"{", b"[{", b",{"}:
            self._lines, self._first, self._size, self._depth = [b"{"], number, len(line), 1
            self._closing = line[: len(line) - len(line.lstrip(_BLANK))] + b"}"
            return ()
        return self._one_line(stripped, number)

    def are_plain(self, lines: Sequence[bytes]) -> bool:
        """Whether each of these lines is a record by itself, as nearly all are."""
        return (
            not self._lines
            # A list: half of what a generator takes.
            and all([line[:2] == b'{"' and line[-2:] == b"}\n" for line in lines])  # noqa: C419
            and max(map(len, lines)) <= self._longest
        )

    @property
    def is_within(self) -> bool:
        """Whether a record has begun and not ended."""
        return bool(self._lines)

    def end(self) -> Sequence[Record | Broken]:
        """What was begun and not ended."""
        if not self._lines:
            return ()
        raw = b"\n".join(self._lines)
        self._lines = []
        return (Broken(self._first, Rejection(Reason.NOT_JSON, "it ends before its brace", raw)),)

    def _gather(self, line: bytes, number: int) -> Sequence[Record | Broken]:
        line = line.rstrip(_BLANK)
        self._lines.append(line)
        self._size += len(line)
        self._depth += _deeper(line)
        if self._depth <= 0 or line in {
            self._closing,
            self._closing + b",",
            self._closing + b"]",
        }:
            last = line.strip(b", \t")
            if last.endswith(b"]") and self._depth < 0:  # that of the array around it
                last = last[:-1].strip(_BLANK)
            record = (self._first, b"\n".join([*self._lines[:-1], last]))
            self._lines = []
            return (record,)
        if self._size > self._longest:
            raw = b"\n".join(self._lines)
            self._lines = []
            return (Broken(self._first, _too_large(raw, self._longest)),)
        if line[:2] == b'{"':  # no line of a printed object begins so: the one before broke off
            broken = self.end()
            return (*broken, *self.feed(line, number))
        return ()

    def _one_line(self, stripped: bytes, number: int) -> Sequence[Record | Broken]:
        if stripped[:1] == b"[":
            if stripped[-1:] == b"]":
                try:
                    return [(number, bytes(part)) for part in _array(stripped)]
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    pass  # then as a line of an array that goes on
            stripped = stripped[1:].lstrip(_BLANK)
        elif stripped[-2:] == b"}]":
            stripped = stripped[:-1]
        stripped = stripped.removeprefix(b",").removesuffix(b",").strip(_BLANK)
        if len(stripped) > self._longest:
            return (Broken(number, _too_large(stripped, self._longest)),)
        return ((number, stripped),)


def without_halves(raw: bytes) -> bytes:
    """JSON with the replacement character for each half of a surrogate pair. Programs in Python
    write such halves for bytes that are no text, and no strict reader takes them.
    """
    return _ESCAPES.sub(lambda found: b"\\ufffd" if found[1] else found[0], raw)


def _deeper(line: bytes) -> int:
    """How many more braces and brackets a line opens than it closes, outside of texts."""
    found = _BRACES(line)
    return sum(one in (b"{", b"[") for one in found) - sum(one in (b"}", b"]") for one in found)


def _too_large(raw: bytes, longest: int) -> Rejection:
    detail = f"a record of {len(raw)} bytes; {longest} are allowed"
    return Rejection(Reason.TOO_LARGE, detail, raw)
