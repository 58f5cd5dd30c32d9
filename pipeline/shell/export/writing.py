"""Files that others read while they are written: they find the old one or the new one, whole."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.shell.settings import FailedError


def write(path: Path, content: bytes) -> None:
    """Replace a file, or make it; a `FailedError` when that cannot be done."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise FailedError(f"{path}: {error.strerror}") from None


def folder(path: Path) -> Path:
    """The folder, made if it is not there; a `FailedError` when it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror}") from None
    return path
