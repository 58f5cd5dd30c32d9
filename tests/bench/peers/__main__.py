"""`make peers`: the same job in each engine, on this machine, as a table.

Sightline is run by its own benchmark in the same command, with the same generated events.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.shell import observe
from pipeline.shell.bench import cost, data, run, truth
from pipeline.shell.bench.load import Load
from pipeline.shell.processes import Child, ChildFailed
from pipeline.shell.settings import FailedError, Settings, WrongUseError, milliseconds
from tests.bench.page import peers_table
from tests.bench.peers import job
from tests.bench.peers.engines import done, running
from tests.bench.peers.score import score

ENGINES = ("quix_streams", "bytewax")
WITHIN_S = 3_600.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lateness", default="24h", help="of the engines; Sightline's is 24h")
    parser.add_argument("--only", default="sightline,quix_streams,bytewax")
    given = parser.parse_args()
    load = Load(events=given.events, seed=given.seed, indicators=3, probes=0)
    lateness = milliseconds("--lateness", given.lateness)
    rows: list[dict[str, Any]] = []
    for name in given.only.split(","):
        try:
            row = sightline(load) if name == "sightline" else peer(name, load, lateness)
        except (FailedError, ChildFailed) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(orjson.dumps(row).decode(), flush=True)
        rows.append(row)
    print(peers_table(rows), file=sys.stderr)
    return 0


def sightline(load: Load) -> dict[str, Any]:
    result: dict[str, Any] = run.run(load)
    spent = result["cpu_seconds_per_million_events"]
    attacked = {episode[1:3] for episode in truth.alerts(load)}
    return {
        "engine": "sightline",
        "lateness_s": milliseconds("lateness", Settings().lateness) // 1000,
        "events": load.events,
        "seed": load.seed,
        "events_per_second": result["events_per_second"],
        "cpu_seconds_per_million_events": round(spent["intake"] + spent["correlate"], 1),
        "peak_rss_mb": sum(result["peak_rss_mb"].values()),
        "indicators": len(attacked),
        # Its run is held against every episode; one that is not exact says so and no more.
        "indicators_missed": 0 if result["exact"] else None,
        "indicators_for_nothing": 0 if result["exact"] else None,
        "episodes": result["alerts"],
        "alerts": result["alerts"] if result["exact"] else None,
        "exact": result["exact"],
        "ceiling_events_per_second": result["ceiling_events_per_second"],
        "machine": result["machine"],
    }


def peer(name: str, load: Load, lateness_ms: int) -> dict[str, Any]:
    if name not in ENGINES:
        raise FailedError(f"there is no engine {name}: choose from {', '.join(ENGINES)}")
    machine = cost.machine()
    with (
        tempfile.TemporaryDirectory(prefix="sightline-peers-") as folder,
        Child("-m", "pipeline", "broker", "--port", "0", ready_within=300) as broker,
    ):
        preload(broker.ready, load)
        with running(name, broker.ready, lateness_ms, Path(folder)) as children:
            seconds, cpu_s, peak = timed(name, broker.ready, children)
        alerts = asyncio.run(said(broker.ready))
    return {
        "engine": name,
        "lateness_s": lateness_ms // 1000,
        "events": load.events,
        "seed": load.seed,
        "events_per_second": round(load.events / seconds),
        "cpu_seconds_per_million_events": round(cpu_s / load.events * 1e6, 1),
        "peak_rss_mb": round(peak),
        **score(alerts, truth.alerts(load)),
        "machine": machine,
    }


def preload(broker: str, load: Load) -> None:
    """One topic; a partition for each country, as Sightline has a topic for each."""
    admin = AdminClient({"bootstrap.servers": broker})
    # Topics that an engine derives from these keep events of last year, too.
    kept = {"retention.ms": "-1"}
    topics = [NewTopic(name, job.PARTITIONS, 1, config=kept) for name in (job.INPUT, job.OUTPUT)]
    for created in admin.create_topics(topics).values():
        created.result(30)
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 20})
    for country, value, _ in data.messages(load):
        while True:
            try:
                producer.produce(job.INPUT, value, partition=data.COUNTRIES.index(country))
            except BufferError:
                producer.poll(0.1)
            else:
                break
        producer.poll(0)
    if left := producer.flush(60):
        raise FailedError(f"{left} events were not delivered")


def timed(name: str, broker: str, children: list[Child]) -> tuple[float, float, float]:
    """Seconds and CPU seconds from the first event to the last, and MB at most."""
    roots = {"all": [child.pid for child in children]}
    deadline = time.monotonic() + WITHIN_S
    started: float | None = None
    before = now = peak = 0.0
    while not done(name, broker, children):
        if time.monotonic() > deadline:
            raise FailedError(f"{name} is not done after {WITHIN_S:.0f} s")
        now = cost.cpu_s(roots)["all"] or now
        peak = max(peak, sum(resident_mb(child.pid) for child in children))
        if started is None and any(child.ready for child in children):
            started, before = time.perf_counter(), now
        time.sleep(0.1 if started is None else 0.5)
    if started is None:
        raise FailedError(f"{name} read nothing: {children[0].tail()}")
    return time.perf_counter() - started, now - before, peak


def resident_mb(pid: int) -> float:
    """The most memory that a process has had; 0 where that cannot be seen."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return 0.0
    return next(
        (int(line.split()[1]) / 1e3 for line in status.splitlines() if line.startswith("VmHWM")),
        0.0,
    )


async def said(broker: str) -> list[dict[str, Any]]:
    settings = Settings(broker=broker)
    return [orjson.loads(value) async for value in observe.read_topic(settings, job.OUTPUT)]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WrongUseError as error:
        print(f"peers: {error}", file=sys.stderr)
        sys.exit(2)
