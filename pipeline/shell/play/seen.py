"""What is on the topics: events, alerts, dead letters. Every check looks here, and nowhere else."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from time import monotonic
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.dead_letter import DeadLetter
from pipeline.dead_letter import decode as decode_letter
from pipeline.decode import Rejection, decode
from pipeline.event import Event
from pipeline.indicator import indicators
from pipeline.registry import Registry, topic_name
from pipeline.shell.embedded import PARTITIONS
from pipeline.shell.observe import decode_alert

_QUIET_S = 0.15  # without a message: then all that was there has been read


class Arrived(Struct, frozen=True):
    """An event on a topic: `event` is None of one that is not good."""

    topic: str
    raw: bytes
    event: Event | None

    @property
    def country(self) -> str:
        return self.topic.split(".")[1].upper()

    @property
    def uid(self) -> str:
        """Its id, also of one that is not good but is JSON."""
        return self.event.metadata.uid if self.event else uid_of(self.raw)

    @property
    def indicators(self) -> list[tuple[str, str]]:
        return indicators(self.event)[0] if self.event else []


def uid_of(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["metadata"]["uid"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


class Seen:
    """All that was read so far."""

    def __init__(self, bootstrap: str, registry: Registry) -> None:
        self.events: list[Arrived] = []
        self.letters: list[DeadLetter] = []
        self._alerts: dict[str, Alert] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "playground",
                "enable.auto.commit": False,
                "log_level": 2,  # that the broker goes when all is done is no news
                "fetch.wait.max.ms": 20,
                "topic.metadata.refresh.interval.ms": 1000,
            }
        )
        topics = {topic_name(party) for party in registry.sensors.values()}
        self._consumer.assign(
            [
                TopicPartition(topic, partition, OFFSET_BEGINNING)
                for topic in sorted({*topics, "alerts", "dead-letters"})
                for partition in range(PARTITIONS)
            ]
        )
        self._take: dict[str, Callable[[bytes], None]] = defaultdict(
            lambda: lambda _: None, {"alerts": self._alert, "dead-letters": self._letter}
        )

    @property
    def alerts(self) -> list[Alert]:
        """The newest revision of each, in the order in which they were raised."""
        return list(self._alerts.values())

    def read(self) -> None:
        """Take in what has come since."""
        while messages := self._consumer.consume(500, _QUIET_S):
            for message in messages:
                value: Any = message.value()
                if message.error() or value is None:
                    continue
                if message.topic().startswith("events."):
                    for one in decode(value):
                        event = None if isinstance(one, Rejection) else one
                        self.events.append(Arrived(message.topic(), value, event))
                else:
                    self._take[message.topic()](value)

    def until(self, done: Callable[[Seen], bool], seconds: float) -> bool:
        """Read until it is done, or so long; whether it is."""
        end = monotonic() + seconds
        while True:
            self.read()
            if done(self):
                return True
            if monotonic() > end:
                return False

    def close(self) -> None:
        self._consumer.close()

    def _alert(self, value: bytes) -> None:
        alert = decode_alert(value)
        self._alerts[alert.finding_info.uid] = alert

    def _letter(self, value: bytes) -> None:
        self.letters.append(decode_letter(value))
