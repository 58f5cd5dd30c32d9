"""Whatever dies, or is held up: the alerts of the offline run, each under one id; all counted."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child, until
from tests.integration import traffic
from tests.integration.conftest import MISSING, Broker
from tests.integration.faults import (
    Event,
    Fed,
    Verdict,
    adds_up,
    kill_one,
    own_kafka,
    stage,
)

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason="the embedded broker forgets, and restarts nothing"),
]

HOUR_MS = 3_600_000
KILLS = 5


def chunks(count: int, seed: int, events: int = 6_000) -> list[list[Event]]:
    """Traffic in equal parts, each of about an hour."""
    whole = list(traffic.traffic(seed, count * events, count * HOUR_MS))
    return [whole[n * events : (n + 1) * events] for n in range(count)]


def held(pipeline: Fed, ports: Sequence[int] = ()) -> Verdict:
    """What must be true after each of these runs."""
    verdict = pipeline.verdict()
    assert verdict.exact, (len(verdict.missing), len(verdict.extra), len(verdict.double), verdict)
    assert verdict.alerts > 100, "too little happened for this to show anything"
    return verdict


def test_kills_of_whatever_stage(broker: Broker, tmp_path: Path) -> None:
    pipeline = Fed(broker.bootstrap, "kills.", tmp_path)
    random = Random(20260101)
    ports = free_port(), free_port()
    with (
        pipeline.worker(metrics_port=ports[0], log=tmp_path / "one") as one,
        pipeline.worker(metrics_port=ports[1], log=tmp_path / "two") as two,
    ):
        first, *rest = chunks(KILLS + 1, seed=1)
        pipeline.feed(first)
        for chunk in rest:
            pipeline.partly_done(random.choice(["intake", "correlate"]), random.random())
            kill_one([one, two], random)
            pipeline.feed(chunk)
        pipeline.caught_up()
        received = sum(adds_up(port)["sightline_events_received_total"] for port in ports)
    assert received >= len(pipeline.fed)  # what was read again is counted again
    verdict = held(pipeline)
    # Time goes on after a kill: all but the last two hours, the lateness, are closed.
    assert verdict.closed > verdict.alerts / 2


def test_one_worker_then_four_then_one(broker: Broker, tmp_path: Path) -> None:
    pipeline = Fed(broker.bootstrap, "scale.", tmp_path)
    parts = iter(chunks(4, seed=2))
    received = 0.0
    with ExitStack() as stack:
        ports = [free_port() for _ in range(4)]
        workers: list[Child] = []
        for n, port in enumerate(ports):
            worker = pipeline.worker(metrics_port=port, log=tmp_path / f"{n}")
            workers.append(stack.enter_context(worker))
            if n != 2:
                pipeline.feed(next(parts))
        for worker, port in zip(workers[:3], ports[:3], strict=True):
            pipeline.partly_done("correlate", 0.3)
            received += adds_up(port)["sightline_events_received_total"]
            assert worker.stop() == 0
        pipeline.feed(next(parts))
        pipeline.caught_up()
        received += adds_up(ports[3])["sightline_events_received_total"]
    assert received > 0
    held(pipeline)


def test_the_broker_is_killed_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with own_kafka(tmp_path / "kafka") as broker:
        pipeline = Fed(broker.bootstrap, "restart.", tmp_path)
        before, after = chunks(2, seed=3)
        with pipeline.worker(metrics_port=port, log=tmp_path / "worker"):
            pipeline.feed(before)
            pipeline.partly_done("correlate", 0.3)
            broker.kill()
            broker.start()
            pipeline.feed(after)
            pipeline.caught_up()
            assert adds_up(port)["sightline_events_received_total"] >= len(pipeline.fed)
        held(pipeline)


def test_a_zombie_that_wakes_up(broker: Broker, tmp_path: Path) -> None:
    """Stopped in the midst of its work for longer than the session, while another takes over."""
    pipeline = Fed(broker.bootstrap, "zombie.", tmp_path)
    ports = free_port(), free_port()
    before, while_stopped, after = chunks(3, seed=4)
    with (
        pipeline.worker(metrics_port=ports[0], log=tmp_path / "one") as one,
        pipeline.worker("--stage", "correlate", metrics_port=ports[1], log=tmp_path / "two"),
    ):
        zombie = stage(one, "correlate")
        pipeline.feed(before)
        pipeline.partly_done("correlate", 0.3)
        os.kill(zombie, signal.SIGSTOP)
        try:
            pipeline.feed(while_stopped)
            # All of it can only be done by another that was given the stopped one's partitions.
            pipeline.caught_up()
        finally:
            os.kill(zombie, signal.SIGCONT)
        pipeline.feed(after)
        pipeline.caught_up()
        adds_up(ports[0])
    held(pipeline)


def test_a_worker_that_is_told_to_stop_ends_cleanly(broker: Broker, tmp_path: Path) -> None:
    """In mid-run: within its grace, or the supervisor would have had to kill a stage."""
    pipeline = Fed(broker.bootstrap, "stop.", tmp_path)
    before, after = chunks(2, seed=5)
    with pipeline.worker(log=tmp_path / "one") as one:
        pipeline.feed(before)
        pipeline.partly_done("correlate", 0.2)
        pids = stage(one, "intake"), stage(one, "correlate")
        assert one.stop(grace=30) == 0
    until(lambda: not any(map(running, pids)), "its stages are gone")
    assert "was killed" not in (tmp_path / "one").read_text()
    port = free_port()
    with pipeline.worker(metrics_port=port):
        pipeline.feed(after)
        pipeline.caught_up()
        # Everything was committed at the stop: what the second read is what was left.
        adds_up(port)
    held(pipeline)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
