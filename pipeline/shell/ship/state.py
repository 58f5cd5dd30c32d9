"""What the broker has acknowledged, kept over restarts: how far each file is."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from pipeline.shell.settings import FailedError, WrongUseError
from pipeline.shell.ship.log_file import Place
from pipeline.shell.ship.pack import Reached

SAVE_S = 0.5


class Kept(Struct):
    """The file's content: by path, and by the number of each file behind it, how far it is."""

    sensor: str
    written_ns: int = 0
    files: dict[str, dict[int, Place]] = {}


class State:
    """Used with `with`: one process at a time has it."""

    def __init__(self, path: Path, sensor: str) -> None:
        self._path = path
        self._sensor = sensor
        self._kept = Kept(sensor)
        self._done: set[tuple[str, int]] = set()
        self._changed = False
        self._saved_at = 0.0

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(
                self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600
            )
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongUseError(
                f"{self._path}: another `sightline ship` has it; --state for one of its own"
            ) from None
        except OSError as error:
            raise FailedError(f"{self._path}: {error.strerror}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    def load(self) -> Kept:
        """What was kept; nothing where there is no file yet."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return self._kept
        except OSError as error:
            raise FailedError(f"{self._path}: {error.strerror}") from None
        except msgspec.DecodeError as error:
            raise WrongUseError(f"{self._path}: {error}: it is not the state of a ship") from None
        if kept.sensor != self._sensor:
            raise WrongUseError(f"{self._path}: it is of sensor {kept.sensor!r}; --state")
        self._kept = kept
        return kept

    def forget(self, path: str, gone: Iterable[int]) -> None:
        """These files of a path are not there any more."""
        for file in gone:
            self._kept.files.get(path, {}).pop(file, None)
            self._changed = True

    def begin(self, path: str, file: int, place: Place) -> None:
        """A file is to be read: what was written to it is found, though nothing of it arrives."""
        self._kept.files.setdefault(path, {}).setdefault(file, place)
        self._changed = True

    def acknowledged(self, reached: Reached) -> None:
        """The broker has all up to here."""
        places = self._kept.files.setdefault(reached.path, {})
        places[reached.file] = reached.place
        if reached.done:
            self._done.add((reached.path, reached.file))
        # The last of a path is kept though it is done: what comes after it is found by it.
        for file in [file for file in places if len(places) > 1]:
            if (reached.path, file) in self._done:
                del places[file]
                self._done.remove((reached.path, file))
        self._changed = True

    def save(self, *, now: bool = False) -> None:
        """Write it, as a whole, if it has changed and was not written just before."""
        if not self._changed or (not now and time.monotonic() - self._saved_at < SAVE_S):
            return
        self._kept.written_ns = time.time_ns()
        content = msgspec.json.encode(self._kept)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise FailedError(f"{self._path}: {error.strerror}") from None
        self._changed, self._saved_at = False, time.monotonic()
