"""The keys of pseudonyms on disk: a folder with `ring.toml` and, for each epoch, `<epoch>.key`.

Whoever holds the ring makes it and hands the folder, on a way that nobody else can read, to those
who are to speak of the same values by the same pseudonyms. Files are for their owner alone.
"""

from __future__ import annotations

import os
import secrets
import time
import tomllib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from pipeline.share.pseudonym import KEY_BYTES, Epochs, Ring
from pipeline.shell.files import read_text
from pipeline.shell.settings import FailedError, WrongUseError, milliseconds
from pipeline.shell.signing import refuse_readable, sync_folder, write_down

RING: Final = "ring.toml"
MOST_EPOCHS: Final = 1_000  # keys in one folder


class Terms(Struct, frozen=True, forbid_unknown_fields=True):
    """What all who share a ring must agree on. Durations are texts, such as `7d`."""

    first: int
    """The first epoch that has a key."""
    epoch: str
    overlap: str
    """The longest window of a rule, and the lateness allowed: so long two epochs are spoken."""
    keep: str
    """A key is destroyed so long after its epoch has ended."""

    @property
    def epochs(self) -> Epochs:
        return Epochs(milliseconds("epoch", self.epoch), milliseconds("overlap", self.overlap))

    @property
    def keep_ms(self) -> int:
        return milliseconds("keep", self.keep)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def make(folder: Path, epoch: str, overlap: str, keep: str, ahead: int) -> Terms:
    """A new ring whose first epoch is that of now, and keys for so many after it."""
    if (folder / RING).exists():
        raise WrongUseError(f"{folder}: there is a ring already; `sightline pseudonym extend`")
    length = milliseconds("epoch", epoch)
    if length < 60_000:
        raise WrongUseError("--epoch: a minute at the least")
    terms = Terms(now_ms() // length, epoch, overlap, keep)
    if terms.epochs.overlap > length:
        raise WrongUseError(f"--epoch {epoch}: it must be longer than the overlap, {overlap}")
    if terms.keep_ms < terms.epochs.overlap:
        raise WrongUseError(f"--keep {keep}: keys are needed for the overlap, {overlap}, at least")
    said = "# What all who share these keys must agree on. Keys: one a file, for its owner alone.\n"
    for name, value in msgspec.structs.asdict(terms).items():
        said += f"{name} = {value}\n" if isinstance(value, int) else f'{name} = "{value}"\n'
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_down(folder / RING, said.encode())
    extend(folder, ahead)
    return terms


def extend(folder: Path, ahead: int) -> list[int]:
    """Make the keys that are missing, up to so many epochs after that of now; which they are."""
    terms = terms_of(folder)
    current = now_ms() // terms.epochs.length
    if not 0 <= ahead < MOST_EPOCHS:
        raise WrongUseError(f"--ahead: 0 to {MOST_EPOCHS - 1}")
    made = []
    for epoch in range(max(current, terms.first), current + ahead + 1):
        if not (path := _path(folder, epoch)).exists():
            write_down(path, secrets.token_hex(KEY_BYTES).encode() + b"\n")
            made.append(epoch)
    return made


def terms_of(folder: Path) -> Terms:
    try:
        terms = msgspec.convert(tomllib.loads(read_text(folder / RING)), Terms)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise WrongUseError(f"{folder / RING}: {error}") from None
    if terms.epochs.length < 60_000 or terms.keep_ms < terms.epochs.overlap:
        raise WrongUseError(f"{folder / RING}: the epoch is too short, or the keys not kept enough")
    return terms


def read(folder: Path) -> Ring:
    """The ring, with the keys that there are."""
    terms = terms_of(folder)
    keys = {}
    for path in _keys(folder):
        refuse_readable(path)
        try:
            key = bytes.fromhex(read_text(path))
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise WrongUseError(f"{path}: no key of {KEY_BYTES} bytes in hex")
        keys[int(path.stem)] = key
    return Ring(terms.epochs, keys, terms.first)


def destroy_old(folder: Path) -> list[int]:
    """Destroy the keys that were kept long enough; the epochs they were of.

    Each is written over before it is removed. What a file system or a disk has put elsewhere, and
    what is in a backup, is out of our reach.
    """
    terms = terms_of(folder)
    now = now_ms()
    gone = []
    for path in _keys(folder):
        epoch = int(path.stem)
        if (epoch + 1) * terms.epochs.length + terms.keep_ms <= now:
            shred(path)
            gone.append(epoch)
    return gone


def shred(path: Path) -> None:
    """Write a file over and remove it."""
    try:
        descriptor = os.open(path, os.O_WRONLY)
        try:
            left = os.fstat(descriptor).st_size
            while left > 0:
                left -= os.write(descriptor, bytes(min(left, 1 << 20)))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror}") from None


def _keys(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("*.key") if path.stem.isdecimal()]
    if len(found) > MOST_EPOCHS:
        raise WrongUseError(f"{folder}: more than {MOST_EPOCHS} keys")
    return sorted(found)


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch}.key"
