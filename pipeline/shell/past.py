"""Records of topics from a time on to their ends as they are now, and no more than so many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from pipeline.shell.observe import ends_of
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import FailedError, Settings


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

    async def records(self, topics: Sequence[str]) -> AsyncIterator[Any]:
        """Those of all these topics that are there, in order within a partition."""
        consumer = AIOKafkaConsumer(**for_aiokafka(self._settings), enable_auto_commit=False)
        await consumer.start()
        try:
            there = [topic for topic in topics if topic in await consumer.topics()]
            self.refused += [topic for topic in topics if topic not in there]
            if not there:
                return
            ends = await ends_of(consumer, there)
            consumer.assign(list(ends))
            left = await self._begin(consumer, ends)
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


def instead(settings: Settings) -> FailedError:
    """What is said where no broker answers."""
    return FailedError(
        f"no Kafka answers at {settings.broker}: start one (`sightline broker`), or set "
        "SIGHTLINE_BROKER"
    )
