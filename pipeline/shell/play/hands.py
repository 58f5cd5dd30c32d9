"""What a learner may do: send an event, a log's line, the same again; mend what was rejected."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from confluent_kafka import Producer

from pipeline.adapter.catalogue import detect
from pipeline.adapter.conversion import Conversion, Rejected
from pipeline.adapter.instant import Clock
from pipeline.adapter.value import credential
from pipeline.dead_letter import DeadLetter
from pipeline.registry import Registry, topic_name
from pipeline.shell.settings import FailedError

YOURS = "you-"
"""How the ids of a learner's events begin; those of the simulated sensors begin otherwise."""
WHERE = {"cz": "cz-1", "ke": "ke-1", "br": "br-1"}
"""The learner's sensor in each country."""
TYPES = ("ip", "domain", "sha256", "password")


class NotUnderstoodError(Exception):
    """What was typed; `key` names the message that says why."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def body(kind: str, value: str) -> dict[str, Any]:
    """What an event says of one indicator. Of a password, its name and itself: `root/secret`."""
    match kind:
        case "ip":
            return {"src_endpoint": {"ip": value}}
        case "domain":
            return {"query": {"hostname": value}}
        case "sha256":
            # A word is as good as a hash here: its hash is taken.
            hexadecimal = len(value) == 64 and set(value.lower()) <= set("0123456789abcdef")
            digest = value if hexadecimal else sha256(value.encode()).hexdigest()
            return {"file": {"hashes": [{"algorithm_id": 3, "value": digest}]}}
        case "password":
            user, slash, password = value.partition("/")
            if not slash:
                raise NotUnderstoodError("say.password")
            return {"user": {"credential_uid": credential(user, password)}}
        case _:
            raise NotUnderstoodError("say.types", types=", ".join(TYPES))


class Hands:
    """They send to the topics, as sensors do."""

    def __init__(self, bootstrap: str, registry: Registry) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 2})
        self._topics = {sensor: topic_name(party) for sensor, party in registry.sensors.items()}
        self._last: tuple[str, bytes] | None = None
        self._count = 0

    def produce(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Messages to topics, delivered when it returns."""
        for topic, value in messages:
            self._producer.produce(topic, value)
        if self._producer.flush(20):
            raise FailedError("the broker did not take what was sent")

    def simulated(
        self, sensor: str, uid: str, time_ms: int, said: dict[str, Any]
    ) -> tuple[str, bytes]:
        """A message of a simulated sensor, for `produce`."""
        event = {"time": time_ms, "metadata": {"uid": uid}, "device": {"uid": sensor}, **said}
        return self._topics[sensor], json.dumps(event).encode()

    def send(self, where: str, kind: str, value: str, sensor: str | None = None) -> str:
        """One event of the learner's: to the topic of a country, in that sensor's name."""
        topic = self._topics[self._sensor(where)]
        said = body(kind, value)
        event = {
            "time": now_ms(),
            "metadata": {"uid": self._uid()},
            "device": {"uid": sensor or self._sensor(where)},
            **said,
        }
        return self._mine(topic, json.dumps(event).encode())

    def line(self, where: str, text: str) -> str:
        """A line of a sensor's own log, converted and sent; `now` at its beginning is the time."""
        sensor = self._sensor(where)
        if text.startswith("now "):
            text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}{text[3:]}"
        raw = text.encode("utf-8", "replace") + b"\n"
        format_ = detect([raw])
        if format_ is None:
            raise NotUnderstoodError("say.format")
        conversion = Conversion(format_, sensor, Clock(now_ms()))
        out = [*conversion.feed(raw, 1), *conversion.end()]
        events = [json.loads(one) for one in out if not isinstance(one, Rejected)]
        if not events:
            raise NotUnderstoodError("say.rejected")
        event = events[0]
        event["metadata"]["uid"] = self._uid()
        return self._mine(self._topics[sensor], json.dumps(event).encode())

    def again(self) -> str:
        """The learner's last message, once more."""
        if self._last is None:
            raise NotUnderstoodError("say.nothing")
        return self._mine(*self._last)

    def mend(self, letter: DeadLetter, field: str, value: str) -> str:
        """What was rejected, with one field set right, sent to the topic that it came on."""
        try:
            event = json.loads(letter.raw)
            at = event
            *above, last = field.split(".")
            for name in above:
                at = at[name]
            at[last] = now_ms() if value == "now" else _plain(value)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NotUnderstoodError("say.field", field=field) from None
        return self._mine(letter.topic, json.dumps(event).encode())

    def _mine(self, topic: str, value: bytes) -> str:
        self.produce([(topic, value)])
        self._last = (topic, value)
        return topic

    def _uid(self) -> str:
        self._count += 1
        return f"{YOURS}{now_ms()}-{self._count}"

    def _sensor(self, where: str) -> str:
        if where not in WHERE:
            raise NotUnderstoodError("say.where", where=", ".join(WHERE))
        return WHERE[where]


def _plain(value: str) -> Any:
    """A number as one; else as it is written."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else value
