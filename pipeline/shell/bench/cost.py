"""What a run took: CPU seconds by process, and on what machine. Linux's /proc, or else `ps`."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.shell.settings import WrongUseError

_PROC = Path("/proc")
# `ps` writes [[days-]hours:]minutes:seconds[.hundredths].
_TIME = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)")


class Process(NamedTuple):
    """A process as it is now: who started it, and the CPU seconds it has used."""

    parent: int
    cpu_s: float


def processes() -> dict[int, Process]:
    """Every process by its id; those that we may not look at are left out."""
    if (_PROC / "self/stat").exists():
        return dict(_of_proc())
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,time="], check=True, capture_output=True)
    return dict(of_ps(said.stdout.decode()))


def _of_proc() -> Iterator[tuple[int, Process]]:
    tick = os.sysconf("SC_CLK_TCK")
    for path in _PROC.iterdir():
        if not path.name.isdecimal():
            continue
        try:
            text = (path / "stat").read_text()
        except OSError:
            continue  # it ended meanwhile
        # The name of the program stands in brackets and may hold anything.
        fields = text.rpartition(")")[2].split()
        # User and system time, its own and that of its children that have ended.
        yield int(path.name), Process(int(fields[1]), sum(map(int, fields[11:15])) / tick)


def of_ps(text: str) -> Iterator[tuple[int, Process]]:
    """The same from what `ps` says, to a hundredth of a second on macOS."""
    for line in text.splitlines():
        pid, parent, spent = line.split()
        match = _TIME.fullmatch(spent)
        if match:
            days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
            total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
            yield int(pid), Process(int(parent), total)


def tree(root: int, known: Mapping[int, Process]) -> list[int]:
    """A process and all that it started, directly or not; itself first."""
    found = [root]
    for one in found:
        found += [pid for pid, process in known.items() if process.parent == one]
    return found


def cpu_s(roots: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """By name, the CPU seconds so far of some processes with all that they started."""
    known = processes()
    return {
        name: sum(known[pid].cpu_s for root in pids for pid in tree(root, known) if pid in known)
        for name, pids in roots.items()
    }


def usable_cpus() -> list[int]:
    """The CPUs that processes can be kept on; none where that cannot be done."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextmanager
def kept_on(cpus: str) -> Iterator[None]:
    """What is started meanwhile stays on these CPUs, as in `0,1`; on any if it is empty."""
    if not cpus:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise WrongUseError("--cpus: processes can be kept on CPUs on Linux only")
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    except (OSError, ValueError):
        usable = ",".join(map(str, sorted(before)))
        raise WrongUseError(f"--cpus is {cpus!r}: choose from {usable}") from None
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine() -> dict[str, object]:
    """What it ran on, and how busy that was."""
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 2),
    }
