"""A pipeline of real processes on a real broker, and the offline run it must equal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from confluent_kafka import Producer

from pipeline.alert import alert
from pipeline.geo import Geo
from pipeline.registry import Registry
from pipeline.rule import Rule
from pipeline.shell import files, observe, topics
from pipeline.shell.offline import OfflineRun
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import Settings

AT_ONCE = 50_000
"""Messages that wait to be sent: half of what librdkafka takes."""
WITHIN_S = 60.0
MARX_SENSORS = files.carried("marx", "sensors.toml")


class Pipeline:
    """Topics of its own under a prefix, workers of its own."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        rules: Path,
        sensors: Path = MARX_SENSORS,
        **settings: str | int,
    ) -> None:
        common: dict[str, str | int] = {
            "broker": bootstrap,
            "topic_prefix": prefix,
            "sensors": str(sensors),
            "rules": str(rules),
            "metrics_port": free_port(),
            "checkpoint_interval": "500ms",
            "sightings_partitions": 4,
            "events_partitions": 4,
        }
        self.settings = msgspec.convert(common | settings, Settings)
        self.registry: Registry = files.registry_of(sensors, prefix)
        self.rules: Sequence[Rule] = files.rules_of(rules)
        self.topic_of = {
            sensor: topic
            for topic, party in self.registry.topics(prefix).items()
            for sensor, of in self.registry.sensors.items()
            if of == party
        }

    def create_topics(self) -> None:
        asyncio.run(topics.ensure(self.registry, self.settings))

    def worker(
        self, *options: str, metrics_port: int = 0, log: Path | None = None, **environment: str
    ) -> Child:
        environment = self.settings.environment() | environment
        environment["SIGHTLINE_METRICS_PORT"] = str(metrics_port)
        return Child("-m", "pipeline", "worker", *options, environment=environment, log=log)

    def produce(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send (topic, value) pairs, each to any partition, in order within it."""
        producer = Producer(
            for_librdkafka(self.settings)
            | {"enable.idempotence": True, "linger.ms": 20, "sticky.partitioning.linger.ms": 0}
        )
        for topic, value in messages:
            producer.produce(topic, value)
            if len(producer) > AT_ONCE:
                producer.flush(WITHIN_S)
        assert producer.flush(WITHIN_S) == 0

    def caught_up(self, within: float = 240.0, *, grouped: bool = False) -> None:
        asyncio.run(
            observe.wait_until_caught_up(self.settings, self.registry, within, grouped=grouped)
        )

    def alerts(self) -> list[observe.AlertKey]:
        """What the newest revisions on the topic say."""
        return observe.final(asyncio.run(observe.alerts(self.settings)))

    def offline(self, lines: Iterable[bytes]) -> list[observe.AlertKey]:
        """What an offline run over the same events says."""
        run = OfflineRun(
            self.registry, self.rules, self.settings.lateness_ms, geo=files.geo_of(self.settings)
        )
        episodes = run.episodes(lines, lambda *_: None)
        return sorted(observe.key(alert(episode, Geo())) for episode in episodes)
