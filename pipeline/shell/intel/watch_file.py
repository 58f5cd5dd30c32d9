"""Watches in a file, one a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline import watch
from pipeline.shell.files import read_text
from pipeline.shell.settings import WrongUseError
from pipeline.watch import Watch


def read_watches(path: Path) -> list[Watch]:
    """The newest of each id; a `WrongUseError` names the first line that is none."""
    found: dict[str, Watch] = {}
    for number, line in enumerate(read_text(path).encode().splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = watch.decode(line)
        except msgspec.DecodeError as error:
            raise WrongUseError(f"{path}:{number}: no watch: {error}") from None
        found[one.id] = one
    return list(found.values())


def write_watches(path: Path, watches: Iterable[Watch]) -> None:
    try:
        with path.open("wb") as file:
            file.writelines(watch.encode(one) + b"\n" for one in watches)
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
