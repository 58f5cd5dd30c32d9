"""`sightline ship`: read, convert, pack, send; and keep what was acknowledged.

While the broker is away packs go to the spool, as far as that reaches. Beyond it reading pauses:
the log is the buffer then. A file that is renamed meanwhile is held open; one that is cut has lost
what was not read, unless it was copied.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from pipeline.adapter.conversion import Counts, Rejected
from pipeline.shell.converting import RejectedRecord
from pipeline.shell.printable import printable
from pipeline.shell.settings import FailedError, WrongUseError
from pipeline.shell.ship.log_file import Place
from pipeline.shell.ship.pack import Pack
from pipeline.shell.ship.reader import FileReader, StdinReader, Understanding, add
from pipeline.shell.ship.sender import Sender
from pipeline.shell.ship.spool import Spool
from pipeline.shell.ship.state import Kept, State
from pipeline.shell.ship.tail import Tail

LOOK_S = 0.2
"""How often logs are looked at that had nothing new."""
ANSWER_S = 15.0
LEAVE_S = 5.0
"""How long what is on its way may take to arrive when we are told to stop."""
MAX_REJECTS = 16 << 20


class Shipping(Struct, frozen=True):
    """What was asked for. `client` is how librdkafka reaches the broker."""

    client: Mapping[str, Any]
    topic: str
    sensor: str
    files: Sequence[str]
    follow: bool
    how: Understanding
    state: Path
    buffer_bytes: int
    compression: str
    rejects: Path | None


class Rejects:
    """What was rejected, one a line; the file before it is kept as `.1` when it is full."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = self._open() if path else None

    def _open(self) -> IO[bytes]:
        assert self._path is not None
        try:
            return self._path.open("ab")
        except OSError as error:
            raise WrongUseError(f"{self._path}: {error.strerror}") from None

    def add(self, name: str, one: Rejected) -> None:
        if self._file is None or self._path is None:
            return
        row = RejectedRecord(name, one.line, one.rejection.reason, one.rejection.detail)
        self._file.write(msgspec.json.encode(row) + b"\n")
        if self._file.tell() > MAX_REJECTS:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._file = self._open()

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()


class _Ship:
    def __init__(self, asked: Shipping, state: State, kept: Kept) -> None:
        self._asked = asked
        self._state = state
        self.sender = Sender(
            asked.client, asked.topic, asked.sensor, asked.compression, self._arrived
        )
        self._spool = Spool(asked.state.with_suffix(".spool"), asked.buffer_bytes)
        self._rejects = Rejects(asked.rejects)
        self._next: Iterator[Pack] = iter(())
        self._held: Pack | None = None
        self.stop = threading.Event()
        self.acknowledged = 0
        self._away = self._full = self._kept = False
        self.readers = [self._reader(name, kept) for name in asked.files or ("-",)]

    def _reader(self, name: str, kept: Kept) -> FileReader | StdinReader:
        if name == "-":
            return StdinReader(self._asked.how, self._rejects.add)
        path = str(Path(name).absolute())
        places: dict[int, Place] = dict(kept.files.get(path, {})) if self._asked.follow else {}
        numbers = set(kept.files.get(path, ()))
        for pack in self._spool.all():
            reached = pack.reached
            if reached is not None and reached.path == path:
                numbers.add(reached.file)
                places[reached.file] = reached.place
        first = max(numbers, default=-1) + 1
        tail = Tail(path, places, kept.written_ns, first, follow=self._asked.follow)
        self._state.forget(path, tail.gone if self._asked.follow else numbers)
        for file in tail.files:
            self._state.begin(path, file.number, file.place)
        return FileReader(tail, self._asked.how, self._rejects.add)

    def _arrived(self, pack: Pack, segments: list[Path]) -> None:
        self.acknowledged += pack.events
        if pack.reached is not None:
            self._state.acknowledged(pack.reached)
        if segments:
            self._state.save(now=True)
        for segment in segments:
            self._spool.drop(segment)

    def run(self) -> None:
        """Until everything has arrived, or for ever with `follow`; or until told to stop."""
        while not self.stop.is_set():
            self.sender.poll(0)
            self._say_whether_away()
            self._state.save()
            if self.sender.away or not self.sender.room:
                if not self.sender.away or not self._put_aside():
                    self.sender.poll(LOOK_S)
            elif not self._spool.empty:
                if (taken := self._spool.take()) is not None:
                    self.sender.send(*taken)
            elif (pack := self._pack()) is not None:
                self.sender.send(pack)
            elif any(reader.left for reader in self.readers) or not self.sender.idle:
                self._rejects.flush()
                self.sender.poll(LOOK_S)
            elif not self._asked.follow:
                return
            else:
                self.stop.wait(LOOK_S)

    def _pack(self) -> Pack | None:
        """The next pack of any log; None where there is nothing new."""
        held, self._held = self._held, None
        if held is not None:
            return held
        for _ in self.readers:
            pack = next(self._next, None)
            if pack is not None:
                return pack
            reader = self.readers.pop(0)  # each in its turn
            self.readers.append(reader)
            self._next = reader.next() or iter(())
        return next(self._next, None)

    def _put_aside(self) -> bool:
        """Spool the next pack; False where there is none, or no room for it."""
        pack = self._pack()
        if pack is None:
            return False
        if self._spool.takes(pack):
            self._full = False
            if not self._kept:
                self._kept = True
                self.sender.ends(self._spool.keep(self.sender.waiting))
            self._spool.put(pack)
            return True
        self._held = pack
        if not self._full:
            self._full = True
            _say("the buffer is full: reading pauses until the broker is back")
        for reader in self.readers:
            if isinstance(reader, FileReader):
                reader.tail.look()  # what is renamed meanwhile is held open
        return False

    def _say_whether_away(self) -> None:
        away = self.sender.away
        if away != self._away:
            self._away = away
            self._full, self._kept = self._full and away, False
            _say("the broker does not answer: events wait" if away else "the broker is back")

    def leave(self) -> bool:
        """Let arrive what is on its way, for a moment; whether all that was read has."""
        until = time.monotonic() + LEAVE_S
        while not self.sender.idle and not self.sender.away and time.monotonic() < until:
            self.sender.poll(0.05)
        left = self.sender.waiting + ([self._held] if self._held else []) + list(self._next)
        if any(isinstance(reader, StdinReader) for reader in self.readers):
            for pack in left:  # it cannot be read again
                if self._spool.takes(pack):
                    self._spool.put(pack)
        self._state.save(now=True)
        self._rejects.flush()
        return not left and self._spool.empty

    def counts(self) -> Counts:
        total = Counts()
        for reader in self.readers:
            add(total, reader.all_counts())
        return total

    def broken(self) -> list[str]:
        """By path, why what is behind it was not all read."""
        tails = [reader.tail for reader in self.readers if isinstance(reader, FileReader)]
        return [f"{tail.path}: {why}" for tail in tails for why in tail.broken]

    def given_up(self) -> int:
        return sum(r.tail.given_up for r in self.readers if isinstance(r, FileReader))


def run(asked: Shipping) -> int:
    """The exit status: 0, or 1 where it was stopped before all of a file had arrived, or where not
    all of one can be read.
    """
    with State(asked.state, asked.sensor) as state:
        ship = _Ship(asked, state, state.load())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ship.stop.set())
        if not ship.sender.check(ANSWER_S if not asked.follow else 2.0):
            why = f"no Kafka answers at {asked.client['bootstrap.servers']}"
            if not asked.follow:
                raise FailedError(why)
            _say(f"{why}: events wait")
        state.save(now=True)
        print(f"ready {asked.topic}", flush=True)
        try:
            ship.run()
        finally:
            whole = ship.leave()
            counts = ship.counts()
            _say(
                f"{counts.records} records: {counts.events} events, {counts.rejected} rejected, "
                f"{counts.without_event} headers and comments; {ship.acknowledged} events "
                "acknowledged by the broker"
            )
            if gone := ship.given_up():
                _say(f"{gone} files were gone or cut before all of them was read")
            for why in (broken := ship.broken()):
                _say(f"{why}: what could be read of it was sent")
        return 0 if (whole and not broken) or asked.follow else 1


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)
