"""How much memory a stage's process has, had, and may have."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from pipeline.shell import metrics

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_PAGE = os.sysconf("SC_PAGE_SIZE")
_UNLIMITED = 1 << 60  # what a cgroup of the first kind says where it has no limit


class MemoryUse:
    """Of one stage's process; made before the process remembers anything."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._begun_with = _resident()
        metrics.STATE_LIMIT.labels(stage).set(limit() - self._begun_with)

    def note(self) -> None:
        """What it has now, and the most it has had."""
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        metrics.PEAK_RESIDENT.labels(self._stage).set(peak)
        metrics.STATE_BYTES.labels(self._stage).set(max(_resident() - self._begun_with, 0))


def limit() -> int:
    """Bytes that all processes of this container, or else of this machine, may have."""
    physical = os.sysconf("SC_PHYS_PAGES") * _PAGE
    for path in _CGROUP_LIMITS:
        try:
            allowed = int(path.read_text("ascii"))
        except (OSError, ValueError):  # not there, or "max"
            continue
        if allowed < _UNLIMITED:
            return min(allowed, physical)
    return physical


def _resident() -> int:
    """What the process has now; where no /proc tells, the most it has had."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
