"""The folder of alliances: `<id>/1.json`, `<id>/2.json`, …, each version a signed envelope.

A folder that does not verify is no alliance, and nothing is released to it; nor to one that has
lost a version that was made here, or by which something was released, as the audit log tells: an
older copy would let in again who was put out, and another of the same name whoever founded it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from pipeline.share.alliance import Alliance, digest_of, verified
from pipeline.shell.audit_log import audit_path, entries
from pipeline.shell.settings import FailedError, Settings, WrongUseError
from pipeline.shell.signing import sync_folder

MADE, RELEASED = "alliance", "released"
"""What the audit log calls it that a version was made, and that something was released by one."""
MOST: Final = 1_000
"""Alliances in a folder, and versions of one."""


class Read(Struct, frozen=True):
    """What lies in the folder: the versions of each alliance, oldest first; and what is wrong, by
    the name of the folder that it is in.
    """

    alliances: dict[str, list[Alliance]]
    wrong: dict[str, str]

    @property
    def current(self) -> dict[str, Alliance]:
        """The newest version of each."""
        return {name: versions[-1] for name, versions in self.alliances.items()}


def folder_of(settings: Settings) -> Path:
    """Where they lie; a `WrongUseError` if that is not set."""
    if not settings.alliances:
        raise WrongUseError("alliances is not set: it names the folder that they are kept in")
    return Path(settings.alliances)


def read(settings: Settings) -> Read:
    """All alliances; none if no folder is set."""
    if not settings.alliances:
        return Read({}, {})
    folder = Path(settings.alliances)
    try:
        names = sorted(each.name for each in folder.iterdir() if each.is_dir())[:MOST]
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise FailedError(f"{folder}: {error.strerror}") from None
    found = Read({}, {})
    known = _known(settings)
    for name in names:
        versions = verified(contents(folder, name))
        if not isinstance(versions, str) and versions[-1].id != name:
            versions = f"it is the alliance {versions[-1].id!r}"
        if not isinstance(versions, str) and name in known and not _holds(versions, *known[name]):
            versions = (
                f"version {known[name][0]} was made or released by here, and is not in the folder: "
                "somebody has put an older copy, or another alliance, in its place"
            )
        if isinstance(versions, str):
            found.wrong[name] = versions
        else:
            found.alliances[name] = versions
    return found


def _known(settings: Settings) -> dict[str, tuple[int, str]]:
    """By alliance, the newest version that is known to have been, and its digest."""
    found: dict[str, tuple[int, str]] = {}
    for entry in entries(audit_path(settings), MADE, RELEASED):
        facts = entry.facts
        name = entry.about if entry.action == MADE else facts.get("alliance")
        of = facts.get("digest" if entry.action == MADE else "signed")
        version = facts.get("version")
        if not (isinstance(name, str) and isinstance(version, int) and isinstance(of, str)):
            continue
        # Whoever makes one here may found it anew.
        if entry.action == MADE or version >= found.get(name, (0, ""))[0]:
            found[name] = version, of
    return found


def _holds(versions: Sequence[Alliance], version: int, of: str) -> bool:
    return len(versions) >= version and digest_of(versions[version - 1]) == of


def contents(folder: Path, name: str) -> list[bytes]:
    """What was signed of one alliance, as far as the versions follow on each other."""
    found: list[bytes] = []
    for number in range(1, MOST + 1):
        try:
            found.append(_path(folder, name, number).read_bytes())
        except FileNotFoundError:
            break
        except OSError as error:
            raise FailedError(f"{error.filename}: {error.strerror}") from None
    return found


def add(settings: Settings, before: Sequence[bytes], alliance: Alliance, content: bytes) -> Path:
    """Write one version more, never over one that is there. It must verify; a `WrongUseError` says
    why it does not.
    """
    folder = folder_of(settings)
    checked = verified([*before, content])
    if isinstance(checked, str):
        raise WrongUseError(f"{alliance.id}: {checked}")
    path = _path(folder, alliance.id, alliance.version)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(content)
        try:
            os.link(beside, path)
        finally:
            beside.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise WrongUseError(f"{path}: somebody has made this version meanwhile") from None
    except OSError as error:
        raise FailedError(f"{error.filename or path}: {error.strerror}") from None
    return path


def looks(settings: Settings) -> tuple[tuple[str, int, int], ...]:
    """What another content of the folder shows in."""
    if not settings.alliances:
        return ()
    found: list[tuple[str, int, int]] = []
    for path in sorted(Path(settings.alliances).glob("*/*.json")):
        try:
            status = path.stat()
        except OSError:
            continue  # it is being written
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


def _path(folder: Path, name: str, number: int) -> Path:
    return folder / name / f"{number}.json"
