"""The demo's replay: events to the workers at a pace, and what comes of them read back at once.

The embedded broker keeps about 5 MiB a partition, so nobody may fall far behind: the sender waits
for the workers, whose metrics say how far they are, and the alerts are read as they come.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.registry import Registry, topic_name
from pipeline.rule import Rule
from pipeline.shell import demo_view as view
from pipeline.shell import marx, observe, topics
from pipeline.shell.processes import Child
from pipeline.shell.settings import FailedError, Settings

MOST_AHEAD = 2_000  # events that the workers may be behind
LINGER_MS = 80  # the broker answers a fetch with one produced batch: let there be much in it
CATCH_UP_S = 60.0
RATE_OVER_S = 3.0
POLL_S = 0.2

CREATED, CLOSED = 1, 3  # activity_id


class Events(Struct, frozen=True):
    """What is replayed: each event with its row, in order of arrival."""

    rows: list[marx.Row]
    lines: list[bytes]
    start: datetime
    end: datetime


class Replay:
    """One run of the events through the workers, and all that was heard of it."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        rules: Sequence[Rule],
        events: Events,
        children: Sequence[Child],
        screen: view.Screen,
    ) -> None:
        self.revisions: list[Alert] = []
        self.seen: dict[str, float] = {}
        self._settings = settings
        self._registry = registry
        self._rules = {rule.id: rule for rule in rules}
        self._events = events
        self._children = children
        self._screen = screen
        self._opened: set[str] = set()
        self._closed: set[str] = set()
        self._sent = 0
        self._clock = events.rows[0].time_ms
        self._speed: deque[tuple[float, int]] = deque()
        self._heard = asyncio.Event()
        self._caught_up = asyncio.Event()

    @property
    def _received(self) -> int:
        return int(self.seen.get("sightline_events_received_total", 0))

    async def run(self, seconds: float) -> None:
        """Send everything, and wait until all that it leads to has been read."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch())
                tasks.create_task(self._read_alerts())
                await self._send(seconds)
                await observe.wait_until_caught_up(self._settings, self._registry, CATCH_UP_S)
                self._caught_up.set()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        self.seen = observe.metrics(self._settings.metrics_port)

    async def _send(self, seconds: float) -> None:
        rows, lines = self._events.rows, self._events.lines
        topic = {host: topic_name(party) for host, party in self._registry.sensors.items()}
        first = self._events.start.timestamp() * 1000
        pace = seconds / (self._events.end.timestamp() * 1000 - first)
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.broker, linger_ms=LINGER_MS, max_batch_size=128 * 1024
        )
        await producer.start()
        try:
            loop = asyncio.get_running_loop()
            began, deliveries = loop.time(), []
            for row, line in zip(rows, lines, strict=True):
                self._clock = max(self._clock, row.time_ms)
                early = began + (self._clock - first) * pace - loop.time()
                if early > 0.01:
                    await asyncio.sleep(early)
                while self._sent - self._received >= MOST_AHEAD:
                    self._heard.clear()
                    await self._heard.wait()
                deliveries.append(await producer.send(topic[row.host], line))
                self._sent += 1
            await asyncio.gather(*deliveries)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):  # it would wait long for a broker that is gone
                    await producer.stop()

    async def _watch(self) -> None:
        """The workers' metrics, to the screen; and whether there are workers."""
        while not self._caught_up.is_set():
            for child in self._children:
                if not child.running:
                    said = child.tail().strip().rpartition("\n")[2]
                    raise FailedError(f"the {child.name} ended too early. {said}".strip())
            with suppress(OSError):
                self.seen = await asyncio.to_thread(observe.metrics, self._settings.metrics_port)
            self._heard.set()
            self._show(asyncio.get_running_loop().time())
            await asyncio.sleep(POLL_S)

    def _show(self, now: float) -> None:
        self._speed.append((now, self._received))
        while self._speed[0][0] < now - RATE_OVER_S:
            self._speed.popleft()
        since, count = self._speed[0]
        self._screen.progress(
            view.Progress(
                clock=self._clock,
                sent=self._sent,
                of=len(self._events.rows),
                received=self._received,
                correlated=int(self.seen.get("sightline_events_correlated_total", 0)),
                opened=len(self._opened),
                closed=len(self._closed),
                rate=(self._received - count) / (now - since) if now > since else 0.0,
            )
        )

    async def _read_alerts(self) -> None:
        """Follow the alerts topic; at the end to its end."""
        topic = self._settings.topic("alerts")
        there = await topics.ensure(self._registry, self._settings)
        partitions = [TopicPartition(topic, number) for number in range(there.partitions[topic])]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.broker,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            consumer.assign(partitions)
            while not self._caught_up.is_set():
                await self._take_alerts(consumer)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                await self._take_alerts(consumer)
        finally:
            await consumer.stop()

    async def _take_alerts(self, consumer: AIOKafkaConsumer) -> None:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                alert = observe.decode_alert(record.value)
                self.revisions.append(alert)
                uid = alert.finding_info.uid
                if alert.activity_id == CREATED and uid not in self._opened:
                    self._opened.add(uid)
                    self._screen.opened(alert, self._rules)
                elif alert.activity_id == CLOSED:
                    self._closed.add(uid)
