"""Following topics for good: what comes, how far behind one is, whether the broker is there.

No consumer group: everybody who watches sees everything, and nothing is committed. The place in
each partition is kept over a broker that goes away, so that nothing is missed while it still has
it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.shell.observe import ends_of
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import FailedError, Settings
from pipeline.shell.watch.pace import Pace

POLL_MS = 500
AT_ONCE = 1_000
"""Records that are taken between two looks at how many are left."""
ASKED_EVERY_S = 2.0
ANSWER_S = 3.0


class Heard(NamedTuple):
    """One record: its topic and value."""

    topic: str
    value: bytes


class Note(NamedTuple):
    """Something to say about the reading itself."""

    text: str


class Follower:
    """Reads topics from now on, or from `since_ms` (broker time)."""

    def __init__(
        self, settings: Settings, topics: Sequence[str], since_ms: int | None = None
    ) -> None:
        self.pace = Pace()
        self._settings = settings
        self._topics = topics
        self._since = since_ms
        self._asked_at = 0.0

    async def follow(self) -> AsyncIterator[list[Heard | Note]]:
        """What there is since the last time, for ever; an empty list when nothing came."""
        consumer = AIOKafkaConsumer(
            **for_aiokafka(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # what was forgotten meanwhile is passed over
            request_timeout_ms=10_000,
        )
        try:
            await consumer.start()
            there = await consumer.topics()
            missing = [topic for topic in self._topics if topic not in there]
            if missing:
                raise FailedError(
                    f"{', '.join(missing)}: not there, or this login may not read it; `sightline "
                    "topics` makes the topics"
                )
            await self._begin(consumer)
            while True:
                yield await self._step(consumer)
        finally:
            await consumer.stop()

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        ends = await ends_of(consumer, self._topics)
        consumer.assign(list(ends))
        found = {}
        if self._since is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(ends, self._since))
        for tp, end in ends.items():
            at = found.get(tp)
            consumer.seek(tp, end if at is None else at.offset)

    async def _step(self, consumer: AIOKafkaConsumer) -> list[Heard | Note]:
        heard: list[Heard | Note] = []
        stamped = 0
        for records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=AT_ONCE)).values():
            for record in records:
                stamped = max(stamped, record.timestamp)
                if record.value is not None:
                    heard.append(Heard(record.topic, record.value))
        now = time.time_ns() // 1_000_000
        if stamped:
            age = max(now - stamped, 0)
            heard += map(Note, self.pace.read(await self._left(consumer), age, now))
        if stamped and self.pace.lost:
            heard[:0] = map(Note, self.pace.broker(there=True))
        elif not stamped and time.monotonic() - self._asked_at >= ASKED_EVERY_S:
            self._asked_at = time.monotonic()
            heard += map(Note, self.pace.broker(there=await self._there(consumer)))
            heard += map(Note, self.pace.read(await self._left(consumer), 0, now))
        return heard

    async def _left(self, consumer: AIOKafkaConsumer) -> int:
        """Records that the broker is known to have and that were not read."""
        left = 0
        for tp in consumer.assignment():
            known = consumer.highwater(tp)
            if known is not None:
                left += max(known - await consumer.position(tp), 0)
        return left

    async def _there(self, consumer: AIOKafkaConsumer) -> bool:
        partitions: list[TopicPartition] = list(consumer.assignment())
        try:
            async with asyncio.timeout(ANSWER_S):
                await consumer.end_offsets(partitions)
        except (KafkaError, TimeoutError, OSError):
            return False
        return True
