"""What goes before a message in a syslog line: RFC 5424, RFC 3164, and what stands in files.

Files have neither the priority nor, often, the year; rsyslog's newer default has an ISO time. No
header is wrong here: whether the message says something is for its own format.
"""

from __future__ import annotations

import re

from msgspec import Struct


class Message(Struct, frozen=True):
    """`time` as it stands; `program` without its process id; `text` without a byte order mark."""

    time: str
    host: str
    program: str
    text: str


_PRIORITY = r"(?:<\d{1,3}>)?"
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_BSD = r"[A-Z][a-z]{2} +\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?"
# As `date` prints it, and with the year in front.
_CTIME = r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d \d{4}"
_YEAR_FIRST = r"\d{4} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d"
# Files often leave out the priority, and the version with it: then the structured data, or the dash
# in its place, tells it from what follows.
_5424 = re.compile(
    rf"(?:<\d{{1,3}}>\d{{1,2}} ({_ISO}|-)"
    rf"|(?:\d{{1,2}} )?({_ISO})(?= \S+ \S+ \S+ \S+ (?:-|\[[^\s=\]\"]+[ \]])))"
    r" (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) ?(.*)",
    re.DOTALL | re.ASCII,
).fullmatch
_HEADER = re.compile(
    rf"{_PRIORITY}(?:\d{{1,9}}: )?({_ISO}|{_CTIME}|{_YEAR_FIRST}|{_BSD}):? (.*)",
    re.DOTALL | re.ASCII,
).fullmatch
# The length that goes before a message in a stream (RFC 6587), where a file was made of one.
_COUNTED = re.compile(r"^\d{1,6} (?=<\d{1,3}>)", re.ASCII).sub
_TAG = re.compile(r"([\w./-]{1,64})(?:\[[^\]]{0,64}\])?: ?(.*)", re.DOTALL).fullmatch
_ELEMENT = re.compile(
    r'\[[^\s=\]"]{1,64}(?: [^\s=\]"]{1,64}="(?:[^"\\\]]|\\.)*")*\]', re.DOTALL
).match


def parse(line: str) -> Message | None:
    """The header and the message; None if it begins with no time."""
    line = _COUNTED("", line, 1)
    match = _5424(line)
    if match:
        time, host, program, rest = match[1] or match[2], match[3], match[4], match[7]
        return Message(time, host, program, _without_structure(rest).removeprefix("\ufeff"))
    match = _HEADER(line)
    if not match:
        return None
    time, rest = match[1], match[2]
    # A host, unless the tag follows at once, as from some devices.
    host, _, after = rest.partition(" ")
    if after.startswith(f"{host} "):  # a relay wrote it again
        after = after[len(host) + 1 :]
    tag = _TAG(after)
    if tag and not host.endswith(":"):
        return Message(time, host, tag[1], tag[2])
    tag = _TAG(rest)
    if tag:
        return Message(time, "", tag[1], tag[2])
    return Message(time, host, "", after)


def _without_structure(rest: str) -> str:
    if rest.startswith("-"):
        return rest[1:].lstrip(" ")
    while element := _ELEMENT(rest):
        rest = rest[element.end() :]
    return rest.lstrip(" ")
