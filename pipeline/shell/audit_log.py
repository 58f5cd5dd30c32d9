"""The audit log on disk: appended to by one writer at a time, and never changed.

Beside the log `audit.jsonl` lie its lock, `audit.salt` (indicators are told by digests under it),
`audit.checkpoints.jsonl`, and the key that signs those, `audit.key.pem`, with its public half
`audit.public.pem` for whoever verifies. Key and salt are for their owner alone.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.share import audit
from pipeline.share.audit import Checkpoint, Entry, Fact, Fault
from pipeline.shell.files import state_folder
from pipeline.shell.settings import FailedError, Settings, WrongUseError
from pipeline.shell.signing import (
    make_key,
    read_private_key,
    read_public_key,
    sync_folder,
    write_down,
)

CHECKPOINT_EVERY: Final = 64
"""Entries after which the chain is signed again; what a forger with the file alone may reach."""
_SALT_BYTES: Final = 32


def _now() -> int:
    return time.time_ns() // 1_000_000


class AuditLog:
    """Any number of processes and threads may have one of the same path.

    `append` waits for the disk: in a coroutine, call it by `asyncio.to_thread`.
    """

    def __init__(self, path: Path, now: Callable[[], int] = _now) -> None:
        """`now`: ms since the epoch."""
        self.path = path
        self._now = now
        self._thread = threading.Lock()
        self._last: Entry | None = None
        self._size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._locked():
                self._key = _key_of(path)
                self._salt = _salt_of(path)
        except OSError as error:
            raise FailedError(f"{error.filename or path}: {error.strerror}") from None

    def digest(self, kind: str, value: str) -> str:
        """How an indicator is named in this log."""
        return audit.digest(self._salt, kind, value)

    def append(self, actor: str, action: str, about: str, **facts: Fact) -> Entry:
        """Write down that it was done; it is on disk when this returns."""
        return self._write(actor, action, about, facts)

    def checkpoint(self) -> Checkpoint | None:
        """Sign how far the chain has come; None for an empty one."""
        with self._opened() as file:
            self._catch_up(file)
            return self._sign()

    def _write(self, actor: str, action: str, about: str, facts: dict[str, Fact]) -> Entry:
        with self._opened() as file:
            self._catch_up(file)
            entry = self._put(file, actor, action, about, facts)
            if entry.sequence % CHECKPOINT_EVERY == 0:
                self._sign()
            return entry

    def _put(self, file: int, actor: str, action: str, about: str, facts: dict[str, Fact]) -> Entry:
        entry = audit.next_entry(self._last, self._now(), actor, action, about, facts)
        _write_all(file, audit.encode(entry) + b"\n")
        self._last, self._size = entry, os.fstat(file).st_size
        return entry

    def _catch_up(self, file: int) -> None:
        """Learn what others appended; cut off what a writer that died left half written."""
        size = os.fstat(file).st_size
        if size == self._size:
            return
        if size < self._size:
            raise FailedError(f"{self.path}: it was cut while it was in use; nothing is added")
        tail = os.pread(file, 2 * audit.MAX_LINE + 2, max(size - 2 * audit.MAX_LINE - 2, 0))
        whole = tail[: tail.rfind(b"\n") + 1]
        torn = len(tail) - len(whole)
        if torn > audit.MAX_LINE or (torn and torn == len(tail) and size > torn):
            raise FailedError(f"{self.path}: it does not end as an audit log does")
        lines = whole.splitlines(keepends=True)
        self._last = self._entry(lines[-1]) if lines else None
        if torn:
            os.ftruncate(file, size - torn)
        self._size = size - torn
        self._hold_checkpoint()
        if torn:
            self._put(file, "audit-log", "repaired", "audit-log", {"bytes": torn})

    def _entry(self, line: bytes) -> Entry:
        entry = audit.decode(line[:-1])
        if isinstance(entry, str):
            raise FailedError(f"{self.path}: the last line: {entry}; `sightline audit verify`")
        return entry

    def _hold_checkpoint(self) -> None:
        """Nothing is appended to a log of which the end is gone."""
        known = read_checkpoints(self.path)
        if known and known[-1].sequence > (self._last.sequence if self._last else 0):
            raise FailedError(
                f"{self.path}: entries up to {known[-1].sequence} are missing; "
                "`sightline audit verify`"
            )

    def _sign(self) -> Checkpoint | None:
        if self._last is None:
            return None
        signed = audit.sign(self._last, self._now(), self._key)
        with _appending(checkpoints_path(self.path)) as file:
            size = os.fstat(file).st_size
            tail = os.pread(file, audit.MAX_LINE, max(size - audit.MAX_LINE, 0))
            if torn := len(tail) - tail.rfind(b"\n") - 1:
                os.ftruncate(file, size - torn)  # its writer died, and nobody was told of it
            _write_all(file, audit.encode(signed) + b"\n")
        return signed

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            with self._thread, self._locked(), _appending(self.path) as file:
                yield file
        except OSError as error:
            raise FailedError(f"{error.filename or self.path}: {error.strerror}") from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(
            self.path.with_name(f"{self.path.name}.lock"),
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
            0o600,
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@contextmanager
def _appending(path: Path) -> Iterator[int]:
    new = not path.exists()
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if new:
            sync_folder(path.parent)
        yield file
    finally:
        os.close(file)


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
    os.fsync(file)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.stem}.{what}")


def audit_path(settings: Settings) -> Path:
    """Where the log of this installation is."""
    return Path(settings.audit_log) if settings.audit_log else state_folder() / "audit.jsonl"


def entries(path: Path, *actions: str) -> Iterator[Entry]:
    """Those of some actions, oldest first, that are what their hashes say; none without a log."""
    marks = tuple(f'"{action}"'.encode() for action in actions)
    try:
        with path.open("rb") as lines:
            for line in lines:
                if any(mark in line for mark in marks):
                    entry = audit.decode(line.rstrip(b"\n"))
                    if isinstance(entry, Entry) and entry.action in actions:
                        yield entry
    except FileNotFoundError:
        return
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror}") from None


def actor() -> str:
    """Who acts on this command line: the login's name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def checkpoints_path(path: Path) -> Path:
    return _beside(path, "checkpoints.jsonl")


def public_key_path(path: Path) -> Path:
    return _beside(path, "public.pem")


def _key_of(path: Path) -> Ed25519PrivateKey:
    """The log's key; made, when the log is."""
    private = _beside(path, "key.pem")
    if not private.exists():
        if path.exists() and path.stat().st_size:
            raise FailedError(f"{private}: it is gone; no other can sign for {path}")
        make_key(private, public_key_path(path))
    return read_private_key(private)


def _salt_of(path: Path) -> bytes:
    salt = _beside(path, "salt")
    if not salt.exists():
        write_down(salt, secrets.token_bytes(_SALT_BYTES))
    return salt.read_bytes()


def read_checkpoints(path: Path) -> list[Checkpoint]:
    """The checkpoints beside a log; lines that are none are left to `verify`."""
    try:
        lines = checkpoints_path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FailedError(f"{checkpoints_path(path)}: {error.strerror}") from None
    found = [audit.decode_checkpoint(line) for line in lines]
    return [one for one in found if isinstance(one, Checkpoint)]


def verify(
    path: Path, key: Path | None = None, kept: Path | None = None
) -> tuple[int, list[Fault]]:
    """How many entries there are, and what is wrong. `kept`: checkpoints kept elsewhere."""
    faults: list[Fault] = []
    checkpoints: list[Checkpoint] = []
    for source in (checkpoints_path(path), *((kept,) if kept else ())):
        if not source.exists() and source is not kept:
            continue
        try:
            told = source.read_bytes()
        except OSError as error:
            raise WrongUseError(f"{source}: {error.strerror}") from None
        for number, line in enumerate(told.splitlines(keepends=True), 1):
            whole = line.endswith(b"\n")
            checkpoint = audit.decode_checkpoint(line[:-1]) if whole else "its end is missing"
            if isinstance(checkpoint, str):
                faults.append(Fault(None, f"{source.name}, line {number}: {checkpoint}"))
            else:
                checkpoints.append(checkpoint)
    public = read_public_key(key or public_key_path(path))
    try:
        with path.open("rb") as file:
            lines = iter(lambda: file.readline(audit.MAX_LINE + 2), b"")
            count, wrong = audit.verify(lines, checkpoints, public)
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    return count, faults + wrong
