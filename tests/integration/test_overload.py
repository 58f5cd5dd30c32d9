"""Twice as much as the workers take: lag grows, memory does not, nothing is lost, they catch up.

The worker is slowed down from outside, by a `sitecustomize` of its own, so that the machine can
feed it more than it takes. OVERLOAD_SECONDS is how long it is fed; `make overload` takes 120.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from pipeline.shell import observe
from pipeline.shell.ports import free_port
from pipeline.shell.processes import until
from tests.integration import traffic
from tests.integration.conftest import MISSING, Broker
from tests.integration.faults import Event, Fed, adds_up

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason="the embedded broker keeps everything in memory"),
]

SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "6"))
FIRST = 6_000
GROWTH_BYTES = 64 << 20
"""What a stage may grow by, from when it is warm to the end: caches, a fuller fetch."""

SLOW = """
import sys, time

if "pipeline.shell.worker" in sys.orig_argv:
    from pipeline import intake

    read_all = intake.Intake.read_all

    def slow_read(self, messages, came_in):
        until = time.perf_counter() + 0.0003 * len(messages)
        while time.perf_counter() < until:
            pass
        return read_all(self, messages, came_in)

    intake.Intake.read_all = slow_read
"""


def peak(seen: dict[str, float], stage: str) -> float:
    return seen[f'sightline_peak_resident_bytes{{stage="{stage}"}}']


def test_twice_as_much_as_the_workers_take(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    pipeline = Fed(broker.bootstrap, "overload.", tmp_path)
    port = free_port()
    events = traffic.endless(8)
    with pipeline.worker(metrics_port=port, log=tmp_path / "log", PYTHONPATH=str(tmp_path)):
        pipeline.feed(islice(events, FIRST))
        pipeline.caught_up()
        warm = observe.metrics(port)
        lags = list(overload(pipeline, port, events))
        done, end = pipeline.done("intake")
        pipeline.caught_up(within=SECONDS * 10 + 120)
        seen = adds_up(port)
    assert lags[-1] > lags[0], "it was no overload"
    assert end - done > (end - FIRST) / 4
    assert seen["sightline_events_received_total"] == len(pipeline.fed)
    assert peak(seen, "intake") - peak(warm, "intake") < GROWTH_BYTES
    # What correlate remembers is of the last hours, however long it goes on.
    assert peak(seen, "correlate") - peak(warm, "correlate") < 2 * GROWTH_BYTES
    verdict = pipeline.verdict()
    assert verdict.exact, verdict


def overload(pipeline: Fed, port: int, events: Iterator[Event]) -> Iterator[int]:
    """Feed two events for each that was taken; how many wait, each time."""

    def more_than(before: int) -> int:
        taken = int(observe.metrics(port)["sightline_events_received_total"])
        return taken if taken > before else 0

    ends_at = time.monotonic() + SECONDS
    before = more_than(0)
    pipeline.feed(islice(events, FIRST))
    while time.monotonic() < ends_at:
        now = until(partial(more_than, before), "something is taken")
        pipeline.feed(islice(events, 2 * (now - before)))
        before = now
        yield len(pipeline.fed) - before
