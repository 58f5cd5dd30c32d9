"""Worker processes as a user would run them, and what they count."""

from __future__ import annotations

import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import inf

from pipeline.shell import observe
from pipeline.shell.bench import cost
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child
from pipeline.shell.settings import FailedError, Settings


class Worker:
    """A `sightline worker` of one stage, and what it counts."""

    def __init__(self, stage: str, settings: Settings) -> None:
        self.port = free_port()
        self.child = Child(
            *("-m", "pipeline", "worker", "--stage", stage),
            environment=settings.environment() | {"SIGHTLINE_METRICS_PORT": str(self.port)},
            ready_within=None,
            name=stage,
        )

    def metrics(self) -> dict[str, float]:
        if not self.child.running:
            raise FailedError(f"a worker ended in mid-run: {self.child.tail()}")
        try:
            return observe.metrics(self.port)
        except OSError:
            return {}  # not up yet

    def ready(self) -> bool:
        """Has it read back what it was assigned?"""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as said:
                return bool(said.status == HTTPStatus.OK)
        except OSError:
            return False  # not yet, or not up yet

    def stage_process(self) -> int:
        """The process that does the work; the other one is its supervisor."""
        return cost.tree(self.child.pid, cost.processes())[1]


def settled(child: Child) -> bool:
    """Is it ready, or is it no more?"""
    return bool(child.ready) or not child.running


def total(workers: Sequence[Worker], metric: str) -> float:
    """Of all of them together."""
    return sum(worker.metrics().get(metric, 0.0) for worker in workers)


def longest_block_ms(measured: Sequence[Mapping[str, float]]) -> float | None:
    """The least bucket's bound, ms, that no step of a checkpoint took longer than."""
    name = "sightline_checkpoint_block_seconds"
    steps = sum(seen.get(f"{name}_count", 0.0) for seen in measured)
    within: dict[float, float] = defaultdict(float)
    for seen in measured:
        for key, count in seen.items():
            if key.startswith(f"{name}_bucket{{"):
                within[float(key.partition('le="')[2].rstrip('"}'))] += count
    fit = [bound for bound, count in within.items() if count >= steps and bound < inf]
    return round(min(fit) * 1000, 1) if fit else None


def peak(stage: str) -> str:
    """The metric of the most memory that a process of a stage has had."""
    return f'sightline_peak_resident_bytes{{stage="{stage}"}}'
