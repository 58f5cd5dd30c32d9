"""Topics as erasure goes through them: every record, once, to the end as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from pipeline.shell.observe import ends_of
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import Settings


class Found(Struct, frozen=True):
    """A record as it lies on its topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


async def records(
    settings: Settings, topics: Sequence[str], ends: dict[TopicPartition, int]
) -> AsyncIterator[Found]:
    """All records of some topics before the given ends, filled in where there are none."""
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), enable_auto_commit=False)
    try:
        await consumer.start()
        if not ends:
            ends.update(await ends_of(consumer, topics))
        starts = await consumer.beginning_offsets(list(ends))
        left = {tp: end for tp, end in ends.items() if starts[tp] < end}
        consumer.assign(list(left))
        for tp in left:
            consumer.seek(tp, starts[tp])
        while left:
            got: dict[TopicPartition, list[Any]] = await consumer.getmany(*left, timeout_ms=1000)
            for tp, some in got.items():
                for one in some:
                    if one.offset < left[tp]:
                        yield Found(
                            tp.topic, tp.partition, one.offset, one.key, one.value,
                            tuple(one.headers),
                        )  # fmt: skip
            left = {tp: end for tp, end in left.items() if await consumer.position(tp) < end}
    finally:
        await consumer.stop()
