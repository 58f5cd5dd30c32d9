"""`make soak`: a long run under SIGKILLs on a real Kafka, and what it says of the promises.

By environment: SOAK_KILLS (100; 0 for none, then it runs for SOAK_SECONDS), SOAK_SEED (1),
SOAK_SECONDS (no kill is begun after so many; 3600), SOAK_EVENTS (fed around each kill, 6000),
SOAK_WORKERS (2), SOAK_HORIZON (what campaigns remember, 7d: memory grows until it is full; six
thousand events are an hour), SOAK_LOGS (a folder for the workers' logs; else they are thrown away).

Each kill comes in the midst of work, and more is fed at once; the time is taken from there until no
stage has anything left to do. One in ten kills a whole worker, in whose place another is started. The
last line on stdout is one JSON object. Status 1 if an alert is missing, extra or double; a failure if
the counts of a worker do not add up.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child
from tests.integration import traffic
from tests.integration.faults import Fed, adds_up, kill_one, stages

AGAIN = 0.15  # chance that another process is killed at once
WHOLE = 0.1  # chance that it is a whole worker: its partitions go to others, not to its successor


def setting(name: str, default: int) -> int:
    return int(os.environ.get(f"SOAK_{name}", default))


def main() -> int:
    kills, seed, seconds = setting("KILLS", 100), setting("SEED", 1), setting("SECONDS", 3600)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sightline-soak-")))
        logs = Path(os.environ.get("SOAK_LOGS", folder))
        logs.mkdir(parents=True, exist_ok=True)
        broker = stack.enter_context(
            Child("-m", "pipeline.shell.broker", "--port", "0", ready_within=300)
        )
        horizon = os.environ.get("SOAK_HORIZON", "7d")
        pipeline = Fed(broker.ready, "", folder, campaign_horizon=horizon)
        soak = Soak(pipeline, Random(seed), setting("EVENTS", 6000), kills, logs)
        stack.callback(soak.stop)
        for _ in range(setting("WORKERS", 2)):
            soak.start()
        soak.run(seed, seconds)
        result = soak.result()
    show(result)
    print(json.dumps(result), flush=True)
    return 0 if result["exact"] else 1


class Soak:
    def __init__(self, pipeline: Fed, random: Random, events: int, kills: int, logs: Path) -> None:
        self.pipeline, self._random, self._events, self._kills = pipeline, random, events, kills
        self._logs = logs
        self._workers: list[Child] = []
        self._ports: list[int] = []
        self._started = 0
        self._received = 0
        self._killed: dict[str, int] = {}
        self._recovered: list[float] = []
        self._resident: dict[str, list[tuple[float, float]]] = {}
        self._began = time.monotonic()

    def start(self) -> None:
        """One worker more."""
        self._started += 1
        port = free_port()
        log = self._logs / f"worker-{self._started}.log"
        worker = self.pipeline.worker(metrics_port=port, log=log)
        worker.start()
        self._workers.append(worker)
        self._ports.append(port)

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def run(self, seed: int, seconds: float) -> None:
        rounds = self._kills or int(seconds)
        arriving = traffic.endless(seed)
        for number in range(rounds):
            enough = self._kills and sum(self._killed.values()) >= self._kills
            if enough or time.monotonic() - self._began > seconds:
                break
            self.pipeline.feed(islice(arriving, self._events // 2))
            killed = self._kill_some(number) if self._kills else time.monotonic()
            self.pipeline.feed(islice(arriving, self._events - self._events // 2))
            self.pipeline.caught_up()
            self._recovered.append(time.monotonic() - killed)
            say(f"  caught up after {self._recovered[-1]:.1f} s")
            self._measure()

    def _kill_some(self, number: int) -> float:
        self.pipeline.partly_done(
            self._random.choice(["intake", "correlate"]), self._random.random() * 0.9
        )
        began = time.monotonic()
        victims = [self._kill()]
        while self._random.random() < AGAIN:
            victims.append(self._kill())
        say(f"round {number + 1}: SIGKILL to {' and '.join(victims)}")
        return began

    def _kill(self) -> str:
        if self._random.random() < WHOLE:
            at = self._random.randrange(len(self._workers))
            self._received += received(adds_up(self._ports.pop(at)))
            self._workers.pop(at).kill()
            self._killed["worker"] = self._killed.get("worker", 0) + 1
            self.start()
            return "a whole worker"
        _, stage, _ = kill_one(self._workers, self._random)
        self._killed[stage] = self._killed.get(stage, 0) + 1
        return stage

    def _measure(self) -> None:
        for worker in self._workers:
            for stage, pid in stages(worker).items():
                asked = ["ps", "-o", "rss=", "-p", str(pid)]
                said = subprocess.run(asked, check=False, capture_output=True, text=True).stdout
                if said.strip():
                    measured = time.monotonic() - self._began, int(said) / 1024
                    self._resident.setdefault(stage, []).append(measured)

    def result(self) -> dict[str, object]:
        accounts = [adds_up(port) for port in self._ports]
        verdict = self.pipeline.verdict()
        for kind in ("missing", "extra", "double"):
            for key in getattr(verdict, kind):
                say(f"{kind}: {key}")
        return {
            "kills": sum(self._killed.values()),
            "killed": self._killed,
            "seconds": round(time.monotonic() - self._began),
            "events": len(self.pipeline.fed),
            # At the least: what a worker counted between its last word and its death is unknown.
            "received": self._received + sum(map(received, accounts)),
            "late": int(sum(seen.get("sightline_sightings_late_total", 0) for seen in accounts)),
            "alerts": verdict.alerts,
            "closed": verdict.closed,
            "exact": verdict.exact,
            "missing": len(verdict.missing),
            "extra": len(verdict.extra),
            "double": len(verdict.double),
            "recovery_s": quantiles(self._recovered),
            "resident_mb": {
                stage: {
                    "max": round(max(mb for _, mb in samples), 1),
                    "slope_per_hour": round(slope(samples) * 3600, 1),
                }
                for stage, samples in sorted(self._resident.items())
            },
        }


def received(seen: dict[str, float]) -> int:
    return int(seen.get("sightline_events_received_total", 0))


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        "p50": round(ordered[len(ordered) // 2], 1),
        "p95": round(ordered[min(len(ordered) * 95 // 100, len(ordered) - 1)], 1),
        "max": round(ordered[-1], 1),
    }


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """MB a second, over the second half of the run: the first fills the state."""
    later = samples[len(samples) // 2 :]
    if len(later) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*later, strict=True)).slope


def show(result: dict[str, object]) -> None:
    table = Table(show_header=False)
    for name, value in result.items():
        shown = (
            ", ".join(f"{k} {v}" for k, v in value.items())
            if isinstance(value, dict)
            else f"{value}"
        )
        table.add_row(name.replace("_", " "), shown)
    Console(stderr=True).print(table)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
