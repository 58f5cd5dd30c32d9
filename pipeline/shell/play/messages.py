"""What the playground says, in the learner's language: one file for each.

`pipeline/data/messages/LANGUAGE.toml`; a file that is put there is a language more. What a file
does not say is said in English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pipeline.shell.files import carried, read_text
from pipeline.shell.printable import printable
from pipeline.shell.settings import WrongUseError

ENGLISH = "en"


def folder() -> Path:
    return carried("messages")


def languages(of: Path | None = None) -> list[str]:
    """Those that there is a file of."""
    return sorted(path.stem for path in (of or folder()).glob("*.toml"))


@lru_cache
def texts(language: str, of: Path | None = None) -> Mapping[str, str]:
    """A file's messages by name, `task.liar.title` and the like."""
    path = (of or folder()) / f"{language}.toml"
    try:
        return dict(_flat(tomllib.loads(read_text(path))))
    except tomllib.TOMLDecodeError as error:
        raise WrongUseError(f"{path}: {error}") from None


def _flat(table: Mapping[str, object], above: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, of in table.items():
        if isinstance(of, Mapping):
            found += _flat(of, f"{above}{key}.")
        else:
            found.append((f"{above}{key}", str(of).strip("\n")))
    return found


def missing(language: str, of: Path | None = None) -> list[str]:
    """What this language does not say, and English is said for."""
    return sorted(texts(ENGLISH).keys() - texts(language, of).keys())


class Messages:
    """One language's."""

    def __init__(self, language: str, of: Path | None = None) -> None:
        if language not in languages(of):
            known = ", ".join(languages(of))
            raise WrongUseError(f"--language: {printable(language)!r} is none of {known}")
        self.language = language
        self._texts = {**texts(ENGLISH), **texts(language, of)}

    def __call__(self, key: str, **values: object) -> str:
        """A message with what it is about put in: `{name}`."""
        return self._texts[key].format(**values)


def language_of(environment: Mapping[str, str]) -> str:
    """The language that the terminal is set to, if there is a file of it; else English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if wanted := environment.get(name):
            short = wanted.partition("_")[0].partition(".")[0].lower()
            return short if short in languages() else ENGLISH
    return ENGLISH
