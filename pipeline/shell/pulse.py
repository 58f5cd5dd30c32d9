"""The pulse of a stage's event loop: that it comes round, how late, and what it can say of itself.

The supervisor hears it through a file of the folder that they share, for `/livez` and `/readyz`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.shell import exemplars, health, metrics
from pipeline.shell.memory_use import MemoryUse

STEP_S = 0.1
STEPS = 10  # so many, and it is told


class Pulse:
    """Of one stage. `assigned` is to be set once it has been told what its partitions are."""

    def __init__(self, stage: str, folder: Path, recovered: Callable[[], bool]) -> None:
        self.assigned = False
        self._stage = stage
        self._folder = folder
        self._recovered = recovered
        self._memory = MemoryUse(stage)

    async def beat(self) -> None:
        """Until it is cancelled."""
        lag = metrics.LOOP_LAG_SECONDS.labels(self._stage)
        while True:
            self._tell()
            for _ in range(STEPS):
                started = time.perf_counter()
                await asyncio.sleep(STEP_S)
                lag.observe(max(time.perf_counter() - started - STEP_S, 0))

    def _tell(self) -> None:
        now = time.time()
        metrics.LOOP_BEAT.labels(self._stage).set(now)
        self._memory.note()
        exemplars.ALERT_LATENCY.write(self._folder, self._stage)
        state = health.State(now, self.assigned, self.assigned and self._recovered())
        health.write(self._folder, self._stage, state)
