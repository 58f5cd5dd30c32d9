"""Records of topics from a time on to their ends as they are now, and no more than so many."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from pipeline.shell.observe import ends_of
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import FailedError, Settings

Answer = TypeVar("Answer")


class Past:
    """One reading of the past; used with `async with`. `since_ms`: broker time, 0 for all."""

    def __init__(self, settings: Settings, since_ms: int = 0, most: int = 1_000_000) -> None:
        self._settings = settings
        self._since = since_ms
        self._most = most
        self.cut: list[str] = []
        """Topics of which there is more than was read."""
        self.refused: list[str] = []
        """Topics that we may not read."""
        self.left: dict[TopicPartition, int] = {}
        """The partitions that are not read to their ends yet, and those."""

    def shortcomings(self) -> list[str]:
        """What was not read, for whoever relies on the answer."""
        unread = "not there, or this login may not read it"
        more = "there is more than was read; narrow --since, or raise --most"
        found = [(topic, unread) for topic in self.refused] + [(topic, more) for topic in self.cut]
        return [f"{topic}: {why}" for topic, why in dict.fromkeys(found)]

    async def records(self, topics: Sequence[str]) -> AsyncIterator[Any]:
        """Those of all these topics that are there, in order within a partition."""
        consumer = AIOKafkaConsumer(**for_aiokafka(self._settings), enable_auto_commit=False)
        try:
            await consumer.start()
            there = [topic for topic in topics if topic in await consumer.topics()]
            self.refused += [topic for topic in topics if topic not in there]
            if not there:
                return
            ends = await ends_of(consumer, there)
            consumer.assign(list(ends))
            left = self.left = await self._begin(consumer, ends)
            count = 0
            while left:
                for tp, records in (await consumer.getmany(*left, timeout_ms=500)).items():
                    for record in records:
                        if record.offset < left[tp] and record.timestamp >= self._since:
                            count += 1
                            if count > self._most:
                                self.cut.append(tp.topic)
                                return
                            yield record
                left = {tp: end for tp, end in left.items() if await consumer.position(tp) < end}
                self.left = left
        except TopicAuthorizationFailedError as error:
            self.refused += [str(topic) for topic in error.args[0]]
        finally:
            await consumer.stop()

    async def _begin(
        self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Go to where the time begins; the partitions with something in it, and their ends."""
        await consumer.seek_to_beginning(*ends)
        if self._since:
            found = await consumer.offsets_for_times(dict.fromkeys(ends, self._since))
            for tp, at in found.items():
                consumer.seek(tp, ends[tp] if at is None else at.offset)
        return {tp: end for tp, end in ends.items() if await consumer.position(tp) < end}


def read(settings: Settings, work: Coroutine[object, object, Answer]) -> Answer:
    """Run what reads the past; where it cannot be read, say so in a line."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says is said below
    try:
        return asyncio.run(work)
    except KafkaConnectionError:
        raise instead(settings) from None
    except KafkaError as error:
        raise FailedError(f"topics at {settings.broker}: {error!r}") from None


def instead(settings: Settings) -> FailedError:
    """What is said where no broker answers."""
    return FailedError(
        f"no Kafka answers at {settings.broker}: start one (`sightline broker`), or set "
        "SIGHTLINE_BROKER"
    )
