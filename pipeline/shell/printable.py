"""Text from outside, fit for a terminal, a log or a pipe.

Whatever came from a sensor, a file or the broker passes through here before it is printed: escape
sequences, line breaks, characters that turn the direction of writing or cannot be seen are
written out, as Python would write them.
"""

from __future__ import annotations

import re

_NOT_PLAIN = re.compile(r"[^\n\x20-\x7e]")


def printable(text: str) -> str:
    """One line with all that could steer a terminal written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


def printable_lines(text: str) -> str:
    """As `printable`, of a text whose line breaks are ours."""
    return "\n".join(map(printable, text.split("\n")))


def printable_bytes(raw: bytes) -> str:
    """Bytes as one such line; what is no UTF-8 as hexadecimal escapes."""
    return printable(raw.decode("utf-8", "backslashreplace"))


def plain_json(encoded: bytes) -> str:
    """The same JSON in printable ASCII, each line break kept: it means what it meant."""
    return _NOT_PLAIN.sub(_escape, encoded.decode("utf-8"))


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))


def cut(text: str, length: int) -> str:
    """At most so many characters, the last one an ellipsis where some are missing."""
    return text if len(text) <= length else text[: length - 1] + "…"
