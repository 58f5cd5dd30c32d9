"""`sightline bench`: the pipeline against its ceiling, on a real Kafka, its alerts verified.

Events lie preloaded on their topics, one a message. The ceiling (plain fetch and decode) is
measured before and after; between, an intake and a correlate process read all of it as fast as
they can. Then single window-completing events measure the way from produce to alert.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pipeline.alert import alert
from pipeline.geo import Geo
from pipeline.registry import Registry
from pipeline.shell import bench_data, files, observe, topics
from pipeline.shell.offline import OfflineRun
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child
from pipeline.shell.settings import FailedError, Settings

PARTITIONS = 8
PROBES = 300
PROBE_EVERY_S = 0.02


def run(events: int, seed: int, indicators: int = 3) -> int:
    """Measure; the last line on stdout is one JSON object. The exit status."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sightline-bench-")))
        say("starting a Kafka of its own")
        broker = stack.enter_context(
            Child("-m", "pipeline", "broker", "--port", "0", ready_within=300)
        )
        bench = Bench(folder, broker.ready, events, seed, indicators)
        result = bench.run(stack)
    print(orjson.dumps(result).decode())
    return 0 if result["exact"] else 1


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    """One run of it."""

    def __init__(self, folder: Path, broker: str, events: int, seed: int, indicators: int) -> None:
        self.events, self.seed, self.indicators = events, seed, indicators
        (folder / "sensors.toml").write_text(bench_data.SENSORS)
        (folder / "rules.yml").write_text(bench_data.RULES)
        self.settings = Settings(
            broker=broker,
            sensors=str(folder / "sensors.toml"),
            rules=str(folder / "rules.yml"),
            metrics_port=free_port(),
            events_partitions=1,
            sightings_partitions=PARTITIONS,
        )
        self.registry: Registry = files.registry_of(folder / "sensors.toml")
        self.topics = {party.country: name for name, party in self.registry.topics().items()}

    def run(self, stack: ExitStack) -> dict[str, object]:
        asyncio.run(topics.ensure(self.registry, self.settings))
        data = list(bench_data.generate(self.events, self.seed, self.indicators))
        say(f"preloading {self.events} events of {statistics.mean(len(e) for _, e in data):.0f} B")
        asyncio.run(self.preload(data))
        ceilings = [self.ceiling()]
        say(f"ceiling: {ceilings[0]:,.0f} events/s; running the workers")
        stack.enter_context(
            Child("-m", "pipeline", "worker", environment=self.settings.environment())
        )
        rate, seconds = self.catch_up()
        asyncio.run(observe.wait_until_caught_up(self.settings, self.registry))
        say(f"{rate:,.0f} events/s; verifying the alerts")
        exact = self.verify(data)
        measured = observe.metrics(self.settings.metrics_port)
        say("measuring latency")
        latencies = sorted(asyncio.run(self.latency()))
        ceilings.append(self.ceiling())
        ceiling = statistics.mean(ceilings)
        return {
            "events": self.events,
            "indicators_per_event": self.indicators,
            "events_per_second": round(rate),
            "ceiling_events_per_second": round(ceiling),
            "ratio": round(rate / ceiling, 3),
            "exact": exact,
            "alerts": int(measured["sightline_alerts_opened_total"]),
            "seconds": round(seconds, 2),
            "latency_p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
            "latency_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1),
            "peak_rss_mb": {
                stage: round(measured[f'sightline_peak_resident_bytes{{stage="{stage}"}}'] / 1e6)
                for stage in ("intake", "correlate")
            },
            "ceilings": [round(one) for one in ceilings],
        }

    async def preload(self, data: Iterable[tuple[str, bytes]]) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.broker, linger_ms=20, max_batch_size=128 * 1024
        )
        await producer.start()
        for country, event in data:
            await producer.send(self.topics[country], event)
        await producer.stop()

    def ceiling(self) -> float:
        command = [
            sys.executable, "-m", "pipeline.shell.ceiling",
            self.settings.broker, *self.topics.values(),
        ]  # fmt: skip
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    def catch_up(self) -> tuple[float, float]:
        """Events a second, and seconds, from the first batch to the last sighting's."""
        started, before = 0.0, 0.0
        while True:
            seen = observe.metrics(self.settings.metrics_port)
            now = time.perf_counter()
            received = seen.get("sightline_events_received_total", 0.0)
            if not started and received:
                started, before = now, received
            if (
                received >= self.events
                and seen["sightline_sightings_received_total"]
                >= seen["sightline_sightings_sent_total"]
            ):
                return (received - before) / (now - started), now - started
            time.sleep(0.2)  # often enough: asking costs the workers' cores too

    def verify(self, data: Iterable[tuple[str, bytes]]) -> bool:
        online = observe.final(asyncio.run(observe.alerts(self.settings)))
        rules = files.rules_of(Path(self.settings.rules))
        offline = OfflineRun(self.registry, rules, self.settings.lateness_ms)
        episodes = offline.episodes((event for _, event in data), lambda *_: None)
        wanted = sorted(observe.key(alert(episode, Geo())) for episode in episodes)
        if online != wanted:
            say(f"NOT EXACT: {len(online)} alerts, {len(wanted)} by the offline run")
        return online == wanted

    async def latency(self) -> list[float]:
        """Seconds from producing a window-completing event to its alert's arrival, each."""
        broker, topic = self.settings.broker, self.settings.topic("alerts")
        producer = AIOKafkaProducer(bootstrap_servers=broker)
        consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
        await producer.start()
        await consumer.start()
        try:
            ends = await observe.ends_of(consumer, [topic])
            consumer.assign(list(ends))
            await consumer.seek_to_end(*ends)
            sent: dict[str, float] = {}
            arrived: dict[str, float] = {}
            watching = asyncio.ensure_future(_watch(consumer, sent, arrived))
            for country in bench_data.COUNTRIES[:2]:
                for n in range(PROBES):
                    await producer.send_and_wait(self.topics[country], self.probe(n, country))
            for n in range(PROBES):
                country = bench_data.COUNTRIES[2]
                event = self.probe(n, country)
                address = orjson.loads(event)["src_endpoint"]["ip"]
                sent[address] = time.perf_counter()
                await producer.send(self.topics[country], event)
                await asyncio.sleep(PROBE_EVERY_S)
            await asyncio.wait_for(watching, 60)
        except TimeoutError:
            raise FailedError(f"{PROBES - len(arrived)} probes raised no alert") from None
        finally:
            await consumer.stop()
            await producer.stop()
        return [arrived[address] - sent[address] for address in sent]

    def probe(self, n: int, country: str) -> bytes:
        name = (1 << 23) + self.events + n
        time_ms = bench_data.START_MS + bench_data.SPAN_MS
        return bench_data.event(self.events + n, time_ms, country, (name, name, name))


async def _watch(
    consumer: AIOKafkaConsumer, sent: dict[str, float], arrived: dict[str, float]
) -> None:
    while len(arrived) < PROBES:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            now = time.perf_counter()
            for record in records:
                value = observe.decode_alert(record.value).observables[0].value
                if value in sent:
                    arrived.setdefault(value, now)
