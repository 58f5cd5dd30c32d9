"""The files behind one path, oldest first: the one that is written to, and those it was before.

A log is rotated by renaming it, and then the open file goes on to the end whatever its name is, or
by copying it and cutting it to nothing, and then the copy has what was not read yet. What happened
while nobody looked is found again among the files beside it, by inode and by head.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.shell.settings import WrongUseError
from pipeline.shell.ship.log_file import LogFile, Place

QUIET_S = 10.0
"""A file that was rotated away is done with when nothing was written to it for so long."""
SLACK_NS = 1_000_000_000
"""How much a file system's clock may be behind."""
SHORT_HEAD = 64
"""A head of fewer bytes says little: then the inode must be the same, too."""
MOST_FILES = 64
"""Files of one path that are held open. Beyond them the oldest is given up, and counted."""


class Tail:
    """What is to be read behind a path. `places`, by number, are files that were read before, at
    `since_ns`; `first` is the number of the first new one.

    `follow`: it is looked at again and again; otherwise it is read once, as it lies there.
    """

    def __init__(
        self, path: str, places: Mapping[int, Place], since_ns: int, first: int, *, follow: bool
    ) -> None:
        self.path = path
        self._path = Path(path)
        self._follow = follow
        self.files: list[LogFile] = []
        self.given_up = 0
        """Files that are gone, or were cut without a copy: something of them may be missed."""
        self.gone: list[int] = []
        """Numbers of files that were not found again."""
        self.broken: list[str] = []
        """Why compressed files could not be read to their ends."""
        self._next = first
        self._looked_ns = since_ns
        self._read_before: set[tuple[str, int]] = set()
        """Heads of files that were read: of a compressed copy of one we have had enough."""
        self._quiet_since: dict[LogFile, float] = {}
        try:
            self._open(places, since_ns)
        except FileNotFoundError:
            if not follow:
                raise WrongUseError(f"{path}: no such file") from None
        except OSError as error:
            raise WrongUseError(f"{path}: {error.strerror or error}") from None

    def _open(self, places: Mapping[int, Place], since_ns: int) -> None:
        for number, place in sorted(places.items()):
            file = self._find(place)
            if file is None:
                self.given_up += 1
                self.gone.append(number)
            else:
                file.number = number
                self.files.append(file)
        if places:
            known = [file.modified_ns() for file in self.files]
            self.files += self._missed(min((since_ns, *known)))
            self.files.sort(key=lambda file: (self._is_newest(file), file.modified_ns()))
        if not self._follow or (self._path.exists() and not self._holds(self._path)):
            self.files.append(self._new(self._path))

    def _new(self, path: Path) -> LogFile:
        file = LogFile(path)
        file.number, self._next = self._next, self._next + 1
        return file

    def look(self) -> None:
        """Find out what was rotated since the last time."""
        if not self._follow:
            return
        self._looked_ns = time.time_ns()
        try:
            there = self._path.stat()
        except OSError:
            return  # it was renamed, and the next one is not there yet
        newest = self.files[-1] if self.files else None
        if newest is not None and (newest.device, newest.inode) == (there.st_dev, there.st_ino):
            return
        try:
            if newest is not None:
                self.files += self._missed(newest.modified_ns())
            self.files.append(self._new(self._path))
        except OSError:
            return
        self._give_up_beyond_bound()

    def cut(self, file: LogFile) -> None:
        """`file` was cut to nothing: its copy is read to the end, if there is one, and it anew."""
        at = self.files.index(file)
        self._forget(file)
        instead: list[LogFile] = []
        since = self._looked_ns - SLACK_NS
        copy = self._find(file.place, but=self._path)
        if copy is not None:
            copy.number = file.number
            since = copy.modified_ns()
            instead.append(copy)
        elif file.offset:
            self.given_up += 1
            self._read_before.add((file.place.head, file.place.head_bytes))
        held = self.files
        self.files = [*held, *instead]
        instead += self._missed(since)  # it may have been cut more than once
        try:
            if not any((one.device, one.inode) == (file.device, file.inode) for one in held):
                instead.append(self._new(self._path))
        except OSError:
            pass  # it is being made; `look` finds it
        self.files = [*held[:at], *instead, *held[at:]]

    def is_done(self, file: LogFile) -> bool:
        """Whether nothing more is to be expected of a file that has nothing more just now."""
        if not self._follow:
            return True
        if file is self.files[-1]:
            return False
        now = time.monotonic()
        return now - self._quiet_since.setdefault(file, now) >= QUIET_S

    def heard(self, file: LogFile) -> None:
        """Something came of it."""
        self._quiet_since.pop(file, None)

    def finish(self, file: LogFile) -> None:
        """All of it was read that can be."""
        if file.broken:
            self.broken.append(file.broken)
        self._read_before.add((file.place.head, file.place.head_bytes))
        self._forget(file)

    def close(self) -> None:
        for file in self.files:
            file.close()

    def _forget(self, file: LogFile) -> None:
        self.files.remove(file)
        self._quiet_since.pop(file, None)
        file.close()

    def _give_up_beyond_bound(self) -> None:
        while len(self.files) > MOST_FILES:
            self.given_up += 1
            self._forget(self.files[0])

    def _holds(self, path: Path) -> bool:
        there = path.stat()
        return any((f.device, f.inode) == (there.st_dev, there.st_ino) for f in self.files)

    def _find(self, place: Place, but: Path | None = None) -> LogFile | None:
        """The file of a place, under whatever name; rather the same than one with its content."""
        alike: LogFile | None = None
        for path in (self._path, *self._siblings()):
            if path == but:
                continue
            try:
                file = LogFile(path, offset=place.offset, line=place.line)
            except OSError:
                continue
            same = (file.device, file.inode) == (place.device, place.inode)
            if (
                not file.is_at(place)
                or not (same or place.head_bytes >= SHORT_HEAD)
                or (not file.compressed and file.size() < place.offset)
            ):
                file.close()
            elif same:
                if alike is not None:
                    alike.close()
                return file
            elif alike is None:
                alike = file
            else:
                file.close()
        return alike

    def _missed(self, since_ns: int) -> list[LogFile]:
        """The files that came and were rotated away while nobody looked, oldest first."""
        found: list[tuple[int, LogFile]] = []
        for path in self._siblings():
            try:
                if path.stat().st_mtime_ns < since_ns or self._holds(path):
                    continue
                file = LogFile(path)
            except OSError:
                continue
            if self._was_read(file):
                file.close()
            else:
                found.append((file.modified_ns(), file))
        missed = [file for _, file in sorted(found, key=lambda one: one[0])]
        for file in missed:
            file.number, self._next = self._next, self._next + 1
        return missed

    def _is_newest(self, file: LogFile) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return False
        return (file.device, file.inode) == (there.st_dev, there.st_ino)

    def _was_read(self, file: LogFile) -> bool:
        held = {(one.place.head, one.place.head_bytes): one for one in self.files}
        for head, size in self._read_before | held.keys():
            if size >= SHORT_HEAD and file.is_at(Place(0, 0, 0, 0, head, size)):
                return True
        return not file.head

    def _siblings(self) -> Iterator[Path]:
        """Files beside it that look as if they were it: `eve.json.1`, `conn.2026-01-01.log`."""
        stem, suffix = self._path.stem, self._path.suffix
        rotated = re.compile(
            rf"{re.escape(self._path.name)}[.-].+"
            rf"|{re.escape(stem)}[.-]\d.*{re.escape(suffix)}(\.gz)?"
        )
        try:
            names = sorted(path.name for path in self._path.parent.iterdir())
        except OSError:
            return
        for name in names:
            path = self._path.with_name(name)
            if rotated.fullmatch(name) and path.is_file():
                yield path
