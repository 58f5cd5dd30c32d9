"""What is wrong with a file that a person wrote, where it stands, and what was probably meant.

Pure: text in, values out. Files of settings (sensors, rules) are read to a value and a list of
problems; nothing in them raises.
"""

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Final

import msgspec

SHOWN: Final = 60  # characters of a person's text that a message repeats
LISTED: Final = 100  # problems of one file that are told one by one


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong in one file.

    `where` is the file's name as the reader knows it; `line` counts from 1 and is None where no
    line can be named; `message` is one line, with what to do.
    """

    where: str
    line: int | None
    message: str

    def __str__(self) -> str:
        if self.line is None:
            return f"{self.where}: {self.message}"
        return f"{self.where}:{self.line}: {self.message}"


def in_order(problems: list[Problem]) -> list[Problem]:
    """One file's problems by line, those of no line first; past `LISTED` only how many more."""
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    if len(ordered) <= LISTED:
        return ordered
    more = f"and {len(ordered) - LISTED} more problems in this file"
    return [*ordered[:LISTED], Problem(ordered[0].where, None, more)]


def quoted(text: str) -> str:
    """The text as a message may repeat it: in quotes, cut, every control character escaped."""
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the nearest known word, or nothing when none is near."""
    near = difflib.get_close_matches(word[:SHOWN].lower(), known, n=1, cutoff=0.7)
    return f"; did you mean {quoted(near[0])}?" if near else ""


def has_control(text: str) -> bool:
    """Whether a control character or a line break of any kind is in the text."""
    return any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text)
