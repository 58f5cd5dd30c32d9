"""Injects of a scenario: when they are due, to the lane's topics, until the switch says stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaException, Producer

from pipeline.exercise.cexf import Scenario, Step
from pipeline.exercise.payload import WORLD, Fault, bring
from pipeline.registry import Registry, topic_name
from pipeline.shell.exercise.folder import Folder
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import FailedError, Settings

_BATCH = 200  # events between two looks at the switch
_WITHIN_S = 30.0

Event = tuple[str, bytes]
"""Sensor, and what it says."""


class StoppedError(Exception):
    """The exercise was stopped meanwhile."""


class Injecting:
    """One run over a scenario's flow. `say` is told in one line what is done."""

    def __init__(
        self,
        folder: Folder,
        lane: Settings,
        registry: Registry,
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._lane = lane
        self._registry = registry
        self._stop = stop
        self._say = say
        self._failed: list[str] = []
        self._producer = Producer(
            for_librdkafka(lane) | {"linger.ms": 20, "acks": "all", "enable.idempotence": True}
        )

    def run(self, scenario: Scenario, started_ms: int, *, now: bool, only: str, rate: int) -> int:
        """Do what is not done yet, in the order of the flow; how many injects that were."""
        done = self._folder.done()
        count = 0
        for step in scenario.flow:
            if step.inject in done or (only and step.inject != only):
                continue
            waiting = [uuid for uuid in step.after if uuid not in done]
            if waiting:
                raise FailedError(f"inject {step.inject} requires {waiting[0]}, which is not done")
            if not now and not only:
                self._await(step, started_ms)
            self._inject(scenario, step, rate)
            done.append(step.inject)
            self._folder.note_done(done)
            count += 1
        return count

    def _await(self, step: Step, started_ms: int) -> None:
        if step.at_s is None:
            return
        due = started_ms / 1000 + step.at_s
        if due > time.time():
            self._say(f"inject {step.inject} is due in {due - time.time():.0f} s")
        while (left := due - time.time()) > 0:
            if self._stop.wait(min(left, 1.0)):
                raise StoppedError

    def _inject(self, scenario: Scenario, step: Step, rate: int) -> None:
        inject = scenario.injects[step.inject]
        payload = scenario.payloads.get(inject.payload)
        if payload is None:
            self._say(f"inject {inject.uuid} {inject.name}: nothing to send")
            return
        if payload.type == WORLD:
            events: Iterable[Event] = self._world(payload.uuid)
        else:
            now_ms = time.time_ns() // 1_000_000
            brought = bring(payload, self._registry.sensors, now_ms, self._folder.exercise)
            if isinstance(brought, Fault):
                raise FailedError(brought.message)
            if brought.handed is not None:
                name, content = brought.handed
                at = f"handed-{inject.uuid}"
                self._folder.write(at, content)
                self._say(f"inject {inject.uuid} {inject.name}: hand out {at} ({name})")
            events = brought.events
        sent = self._send(events, rate)
        self._say(f"inject {inject.uuid} {inject.name}: {sent} events")

    def _world(self, uuid: str) -> Iterable[Event]:
        for line in self._folder.read(f"world-{uuid}.events").splitlines():
            sensor, _, raw = line.partition(b"\t")
            yield sensor.decode("utf-8"), raw

    def _send(self, events: Iterable[Event], rate: int) -> int:
        prefix = self._lane.topic_prefix
        sensors = self._registry.sensors
        began, count = time.monotonic(), 0
        for sensor, raw in events:
            if count % _BATCH == 0:
                ahead = count / rate - (time.monotonic() - began) if rate else 0.0
                if self._stop.wait(max(ahead, 0.0)):
                    raise StoppedError
                self._producer.poll(0)
            self._produce(topic_name(sensors[sensor], prefix), raw)
            count += 1
        if self._producer.flush(_WITHIN_S) or self._failed:
            why = self._failed[0] if self._failed else f"not delivered within {_WITHIN_S:.0f} s"
            raise FailedError(f"injects at {self._lane.broker}: {why}")
        return count

    def _produce(self, topic: str, raw: bytes) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, raw,
                    on_delivery=lambda error, _: (
                        self._failed.append(error.str()) if error is not None else None
                    ),
                )  # fmt: skip
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise FailedError(f"{topic}: {error.args[0].str()}") from None
            else:
                return
