"""Forgetting in what lies on this machine: what waits to be sent, evidence, the read store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from pipeline.share.erasure import Sought, of_pack
from pipeline.share.evidence import ENVELOPE
from pipeline.shell.files import state_folder
from pipeline.shell.held import is_held, lock_of
from pipeline.shell.key_ring import shred
from pipeline.shell.serve.part import folder_of as parts_of
from pipeline.shell.settings import FailedError, Settings
from pipeline.shell.ship.spool import rewrite


class Local(Struct, frozen=True):
    """What was found: events in spools, packs of evidence, read stores."""

    spools: dict[Path, int]
    packs: tuple[Path, ...]
    stores: tuple[Path, ...]


def at_work(settings: Settings) -> list[str]:
    """Those of this machine that remember what they have read."""
    found = []
    if is_held(lock_of(Path(settings.serve_store))):
        found.append("sightline serve")
    for folder in sorted(state_folder().glob("*.spool")):
        locks = folder.parent.glob(f"{folder.stem}*.lock")
        found += [
            f"sightline ship ({lock.name.removesuffix('.lock')})" for lock in locks if is_held(lock)
        ]
    return found


def look(settings: Settings, sought: Sought, evidence: tuple[Path, ...]) -> Local:
    """What there is; nothing is changed. Packs are looked for below the folders of `evidence`."""
    spools = {}
    for folder in sorted(state_folder().glob("*.spool")):
        if count := rewrite(folder, lambda payload: of_pack(payload, sought), change=False):
            spools[folder] = count
    packs = tuple(
        pack
        for folder in evidence
        for pack in sorted(one.parent for one in folder.rglob(ENVELOPE))
        if any(_in_file(path, sought) for path in pack.rglob("*") if path.is_file())
    )
    stores = tuple(path for path in _stores(settings) if path.exists())
    return Local(spools, packs, stores)


def erase(found: Local, sought: Sought) -> None:
    """A pack is signed as a whole: what of it can be forgotten is all of it. A read store is made
    anew from the topics by whoever serves it next.
    """
    for folder in found.spools:
        rewrite(folder, lambda payload: of_pack(payload, sought), change=True)
    for pack in found.packs:
        for path in sorted(pack.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif path.is_symlink():
                path.unlink()
            else:
                shred(path)
        pack.rmdir()
    for path in found.stores:
        shred(path)


def _stores(settings: Settings) -> Iterator[Path]:
    for suffix in ("", "-wal", "-shm"):
        yield Path(settings.serve_store + suffix)
        yield Path(f"{settings.serve_store}.taxii{suffix}")
    yield from parts_of(settings.serve_store).glob("*")


def _in_file(path: Path, sought: Sought) -> bool:
    try:
        return any(sought.in_bytes(line) for line in path.read_bytes().splitlines())
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror}") from None
