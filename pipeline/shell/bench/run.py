"""One run of the benchmark: the pipeline against its ceiling, its alerts verified.

Events lie preloaded on their topics of a Kafka started for it. The ceiling (plain fetch and decode)
is measured before and after; between, intake and correlate processes read all of it as fast as
they can, as a user would run them. The alerts are held against the oracle before any figure is
told. Then single window-completing events measure the way from produce to alert, alone and while
others come in (`pipeline.shell.bench.timing`).
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from pipeline.shell import files, observe, topics
from pipeline.shell.bench import ceiling, cost, data, kafka, profile, truth
from pipeline.shell.bench.load import Load
from pipeline.shell.bench.say import say
from pipeline.shell.bench.timing import Timing
from pipeline.shell.bench.workers import Worker, longest_block_ms, peak, settled, total
from pipeline.shell.processes import Child, until
from pipeline.shell.settings import Settings

RESTORES_WITHIN_S = 900.0
READY_WITHIN_S = 120.0
ASK_EVERY_S = 0.2  # often enough: asking costs the workers' cores too


def run(load: Load, profiles: Path | None = None) -> dict[str, object]:
    """Measure one load; flame graphs of it go to `profiles`."""
    if profiles is not None:
        profile.py_spy()  # or it is not worth starting
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sightline-bench-")))
        say("starting a Kafka of its own")
        broker = Child("-m", "pipeline", "broker", "--port", "0", ready_within=300)
        with cost.kept_on(load.cpus):
            stack.enter_context(broker)
        return Bench(folder, broker, load, stack).measure(profiles)


class _Point(NamedTuple):
    """How far the intake workers were, and what all had taken."""

    at_s: float
    received: float
    cpu_s: Mapping[str, float]


class Bench:
    """One load on one Kafka."""

    def __init__(self, folder: Path, broker: Child, load: Load, stack: ExitStack) -> None:
        self.load = load
        self._stack = stack
        self._broker = broker
        (folder / "sensors.toml").write_text(data.SENSORS)
        (folder / "rules.yml").write_text(data.rules(load))
        self.settings = Settings(
            broker=broker.ready,
            sensors=str(folder / "sensors.toml"),
            rules=str(folder / "rules.yml"),
            events_partitions=max(1, load.partitions // len(data.COUNTRIES)),
            sightings_partitions=load.partitions,
        )
        self.registry = files.registry_of(folder / "sensors.toml")
        self.topics = {party.country: name for name, party in self.registry.topics().items()}
        self._workers: dict[str, list[Worker]] = {}
        self._first_ready: _Point
        self._load_before = cost.machine()

    def measure(self, profiles: Path | None) -> dict[str, object]:
        load, broker = self.load, self.settings.broker
        asyncio.run(topics.ensure(self.registry, self.settings))
        correlate = self._start("correlate")
        if load.live:
            self._preload_live()
        remembered = total(correlate, "sightline_live_indicators")
        told = total(correlate, "sightline_sightings_received_total")
        since = asyncio.run(kafka.ends(broker, self.topics.values()))
        led_to = asyncio.run(
            kafka.ends(broker, [self.settings.topic("sightings"), self.settings.topic("alerts")])
        )
        say(f"preloading {load.events:,} events")
        produced = asyncio.run(kafka.preload(broker, self.topics, data.messages(load)))
        until = asyncio.run(kafka.ends(broker, self.topics.values()))
        wanted = truth.alerts(load)
        ceilings = [ceiling.events_per_second(broker, load.packed, since, until)]

        say("running the workers")
        intake = self._start("intake")
        at_work = [
            (f"{stage}-{number}", worker.stage_process())
            for stage, workers in (("intake", intake), ("correlate", correlate))
            for number, worker in enumerate(workers, 1)
        ]
        with profile.profiled(at_work, profiles):
            caught_up = self._catch_up(intake, correlate, told)
        asyncio.run(observe.wait_until_caught_up(self.settings, self.registry))
        say("verifying the alerts")
        alerts = observe.final(asyncio.run(observe.alerts(self.settings)))
        exact = alerts == wanted
        if not exact:
            say(f"NOT EXACT: {len(alerts)} alerts where the oracle counts {len(wanted)}")
        measured = [worker.metrics() for worker in (*intake, *correlate)]
        volumes = {
            name: asyncio.run(
                kafka.volume(broker, {at: end for at, end in led_to.items() if at.topic == topic})
            )
            for name in ("sightings", "alerts")
            if (topic := self.settings.topic(name))
        }
        remembers = round(total(correlate, "sightline_live_indicators"))
        longest = longest_block_ms([worker.metrics() for worker in correlate])
        timing = Timing(self.settings, self.registry, self.topics, load, self._workers)
        timed = timing.measure(caught_up["rate"])
        restored = self._restore(correlate) if load.live else {}
        ceilings.append(ceiling.events_per_second(broker, load.packed, since, until))
        top = statistics.mean(ceilings)
        return {
            **load.factors(),
            "events_per_second": round(caught_up["rate"]),
            "ceiling_events_per_second": round(top),
            "ratio": round(caught_up["rate"] / top, 3),
            "exact": exact,
            "alerts": len(wanted),
            "seconds": round(caught_up["seconds"], 2),
            "cpu_seconds_per_million_events": {
                stage: round(caught_up[stage], 2) for stage in ("intake", "correlate", "broker")
            },
            **timed,
            "peak_rss_mb": {
                stage: round(max(m.get(peak(stage), 0.0) for m in measured) / 1e6)
                for stage in ("intake", "correlate")
            },
            "live_indicators": {
                "before": round(remembered),
                "after": remembers,
            },
            "checkpoint_block_ms_below": longest,
            **restored,
            "bytes_per_event": {
                "events": round(produced.bytes / load.events, 1),
                **{name: round(of.bytes / load.events, 1) for name, of in volumes.items()},
            },
            "sightings": round(total(intake, "sightline_sightings_sent_total")),
            "ceilings": [round(one) for one in ceilings],
            "machine": self._load_before,
        }

    def _start(self, stage: str) -> list[Worker]:
        """As many workers of a stage as the load says, started at once and ready."""
        workers = self._workers[stage] = [
            Worker(stage, self.settings) for _ in range(self.load.workers)
        ]
        with cost.kept_on(self.load.cpus):
            for worker in workers:
                self._stack.enter_context(worker.child)
        children = [worker.child for worker in workers]
        until(lambda: any(settled(child) for child in children), f"{stage} is up", READY_WITHIN_S)
        self._first_ready = self._point(0.0)  # it may be done before the others are ready
        until(lambda: all(settled(child) for child in children), f"{stage} is up", READY_WITHIN_S)
        for worker in workers:
            worker.metrics()  # or say that it has ended
        return workers

    def _preload_live(self) -> None:
        """Have correlate remember indicators, and no intake worker left that read of them."""
        say(f"preloading {self.load.live:,} live indicators")
        asyncio.run(kafka.preload(self.settings.broker, self.topics, data.live(self.load)))
        intake = self._start("intake")
        asyncio.run(
            observe.wait_until_caught_up(self.settings, self.registry, within=RESTORES_WITHIN_S)
        )
        for worker in intake:
            worker.child.stop()

    def _catch_up(
        self, intake: Sequence[Worker], correlate: Sequence[Worker], told: float
    ) -> dict[str, float]:
        """Events a second, seconds, and CPU seconds a million events by stage.

        From the first event, or from when all of several intake workers are at work, to when
        correlate has taken up the last sighting.
        """
        events = self.load.events
        start = self._first_ready
        everybody = len(intake) == 1
        while True:
            each = [worker.metrics() for worker in intake]
            received = [seen.get("sightline_events_received_total", 0.0) for seen in each]
            sent = sum(seen.get("sightline_sightings_sent_total", 0.0) for seen in each)
            taken_up = total(correlate, "sightline_sightings_received_total") - told
            done = sum(received) >= events and taken_up >= sent
            # Until the first event; and anew when the last of several workers is at work, if that
            # does not come so late that there is nothing left for it.
            joined = not everybody and all(received) and sum(received) < events / 2
            if joined or not any(received):
                start = self._point(sum(received))
                everybody = everybody or joined
            if done:
                break
            time.sleep(ASK_EVERY_S)
        end = self._point(sum(received))
        measured, seconds = events - start.received, end.at_s - start.at_s
        return {"rate": measured / seconds, "seconds": seconds} | {
            stage: (end.cpu_s[stage] - start.cpu_s[stage]) / measured * 1e6 for stage in end.cpu_s
        }

    def _point(self, received: float) -> _Point:
        pids = {
            stage: [one.child.pid for one in workers] for stage, workers in self._workers.items()
        }
        cpu_s = cost.cpu_s({**pids, "broker": [self._broker.pid]})
        return _Point(time.perf_counter(), received, cpu_s)

    def _restore(self, correlate: Sequence[Worker]) -> dict[str, object]:
        """How long others take to read back what workers remembered, from their start."""
        say("stopping the correlate workers, and starting others")
        remembered = total(correlate, "sightline_live_indicators")
        for worker in correlate:
            worker.child.stop()
        started = time.perf_counter()
        others = self._start("correlate")
        until(lambda: all(worker.ready() for worker in others), "ready", RESTORES_WITHIN_S)
        seconds = time.perf_counter() - started
        # Every partition is told how far time has come, and says what it remembers.
        until(
            lambda: total(others, "sightline_live_indicators") >= remembered,
            f"{remembered:,.0f} indicators are remembered again",
            RESTORES_WITHIN_S,
        )
        return {"restore": {"indicators": round(remembered), "seconds": round(seconds, 1)}}
