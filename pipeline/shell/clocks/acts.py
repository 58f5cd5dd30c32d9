"""The acts that clocks count from, on disk, and the policies that say how.

One file of acts, one a line, only ever added to: a restart changes no deadline. A correction is an
act of its own.
"""

from __future__ import annotations

import fcntl
import os
import tomllib
from pathlib import Path

import msgspec

from pipeline.share.deadline import Act, Policy, decode_act, encode_act, read_policy
from pipeline.shell.files import carried, read_text, state_folder
from pipeline.shell.settings import FailedError, Settings, WrongUseError


def acts_path(settings: Settings) -> Path:
    return Path(settings.clocks) if settings.clocks else state_folder() / "clocks.jsonl"


def read_acts(path: Path) -> list[Act]:
    """All acts, oldest first; of a writer that died, a half line is not one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    acts = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            acts.append(decode_act(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FailedError(f"{path}:{number}: no act: {error}") from None
    return acts


def write_act(path: Path, act: Act) -> None:
    """Add an act; it is on disk when this returns."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            whole = os.pread(file, os.fstat(file).st_size, 0)
            os.ftruncate(file, whole.rfind(b"\n") + 1)
            os.write(file, encode_act(act) + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror}") from None


def policies(settings: Settings) -> dict[str, Policy]:
    """By regime: the project's, and over them those of the folder `clock_policies`."""
    found: dict[str, Policy] = {}
    folders = [carried("clocks")]
    if settings.clock_policies:
        folders.append(Path(settings.clock_policies))
    for folder in folders:
        if not folder.is_dir():
            raise WrongUseError(f"{folder}: no folder")
        for path in sorted(folder.glob("*.toml")):
            try:
                policy = read_policy(tomllib.loads(read_text(path)))
            except tomllib.TOMLDecodeError as error:
                raise WrongUseError(f"{path}: {error}") from None
            if isinstance(policy, str):
                raise WrongUseError(f"{path}: {policy}")
            found[policy.regime] = policy
    return found
