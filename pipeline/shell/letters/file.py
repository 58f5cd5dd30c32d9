"""Dead letters as lines of JSON: to be read, kept, mended by hand and sent in again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import UNSET, Struct, UnsetType

from pipeline.dead_letter import DeadLetter
from pipeline.decode import MAX_MESSAGE_BYTES, Reason
from pipeline.problem import Problem
from pipeline.shell.letters.reading import Filed, place_of
from pipeline.shell.settings import WrongUseError

LONGEST_LINE = 4 * MAX_MESSAGE_BYTES  # base64, and the rest of it


class Line(Struct, omit_defaults=True, rename={"raw": "bytes"}):
    """One letter. What was rejected stands in one of three: `event` where it is JSON on one line,
    `text` where it is other text, `bytes` (base64) where it is none.
    """

    key: str
    """What sending it settles, whatever of the rest was mended."""
    reason: Reason
    topic: str
    partition: int
    offset: int
    index: int
    ingested: int
    letter: str = ""
    """Its place among the dead letters, PARTITION/OFFSET."""
    detail: str = ""
    truncated: bool = False
    resent: int = 0
    settled: bool = False
    """It was sent in again since."""
    event: msgspec.Raw | UnsetType = UNSET
    text: str | UnsetType = UNSET
    raw: bytes | UnsetType = UNSET


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode
_json = msgspec.json.Decoder(msgspec.Raw).decode


def line_of(filed: Filed) -> bytes:
    """A letter as a line of JSON, without its end."""
    letter = filed.letter
    line = Line(
        key=filed.key,
        reason=letter.reason,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        index=letter.index,
        ingested=letter.ingested,
        letter=str(filed.place) if filed.place else "",
        detail=letter.detail,
        truncated=letter.truncated,
        resent=letter.resent,
        settled=filed.settled,
    )
    raw = letter.raw
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        line.raw = raw
        return _encode(line)
    if b"\n" not in raw and b"\r" not in raw and _is_json(raw):
        line.event = msgspec.Raw(raw)
    else:
        line.text = text
    return _encode(line)


def _is_json(raw: bytes) -> bool:
    try:
        _json(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def letters_of(path: Path) -> Iterator[Filed]:
    """The letters of an export, mended or not; a `WrongUseError` names the line that is wrong."""
    try:
        with path.open("rb") as lines:
            number = 0
            while line := lines.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise WrongUseError(f"{path}:{number}: longer than {LONGEST_LINE} bytes")
                if line.strip():
                    yield _filed(line, path, number)
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None


def _filed(encoded: bytes, path: Path, number: int) -> Filed:
    try:
        line = _decode(encoded)
        place = place_of(line.letter) if line.letter else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, WrongUseError) as error:
        raise WrongUseError(str(Problem(str(path), number, str(error)))) from None
    bodies = (line.event, line.text, line.raw)
    given = [body for body in bodies if not isinstance(body, UnsetType)]
    if len(given) != 1:
        message = "one of event, text, bytes must be there: what to send"
        raise WrongUseError(str(Problem(str(path), number, message)))
    body = given[0]
    letter = DeadLetter(
        reason=line.reason,
        detail=line.detail,
        topic=line.topic,
        partition=line.partition,
        offset=line.offset,
        index=line.index,
        ingested=line.ingested,
        truncated=line.truncated,
        raw=body.encode() if isinstance(body, str) else bytes(body),
        resent=line.resent,
    )
    return Filed(place, line.key, letter, line.settled)


def create(path: str) -> BinaryIO:
    """A new file that only we may read: letters hold what sensors sent, secrets among it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WrongUseError(f"{path} is there already: it is not written over") from None
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    return os.fdopen(descriptor, "wb")
