"""Reading back what a predecessor wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.shard import CheckpointRecord
from pipeline.shell.observe import ends_of
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import Settings


async def read_to_end(settings: Settings, topic: str, partition: int) -> list[CheckpointRecord]:
    """The newest record of each key of a partition, in order, to its end as it is now."""
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), enable_auto_commit=False)
    # Of a key only the newest record is kept, as if the broker had compacted the topic just now.
    records: dict[bytes, bytes] = {}
    try:
        await consumer.start()
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            for batch in (await consumer.getmany(tp, timeout_ms=1000)).values():
                for record in batch:
                    key = record.key or b""
                    records.pop(key, None)
                    if record.value is not None:
                        records[key] = record.value
    finally:
        await consumer.stop()
    return list(records.items())


async def everything(
    settings: Settings, topic: str, group: str | None = None
) -> AsyncIterator[tuple[int, bytes | None, bytes | None]]:
    """Each record of a topic: partition, key, value; as `everything_stamped`."""
    async for partition, record in everything_stamped(settings, topic, group):
        yield partition, record.key, record.value


async def everything_stamped(
    settings: Settings, topic: str, group: str | None = None
) -> AsyncIterator[tuple[int, Any]]:
    """Each record of a topic: its partition, and its `key`, `value`, `timestamp` (ms) and `offset`;
    to its end as it is now, or to what a consumer group has committed.
    """
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        ends = await ends_of(consumer, [topic])
        partitions = list(ends)
        consumer.assign(partitions)
        if group is not None:
            ends = {tp: min(end, await consumer.committed(tp) or 0) for tp, end in ends.items()}
        await consumer.seek_to_beginning(*partitions)
        left = {tp for tp, end in ends.items() if await consumer.position(tp) < end}
        while left:
            for tp, records in (await consumer.getmany(*left, timeout_ms=1000)).items():
                for record in records:
                    if record.offset < ends[tp]:
                        yield tp.partition, record
            left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()


async def ends(settings: Settings, topic: str) -> dict[int, int]:
    """By partition, where a topic ends now."""
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), enable_auto_commit=False)
    try:
        await consumer.start()
        return {tp.partition: end for tp, end in (await ends_of(consumer, [topic])).items()}
    finally:
        await consumer.stop()


async def unread(settings: Settings, topic: str, group: str) -> dict[int, int]:
    """By partition of a topic that a consumer group has not read to its end, where that is now."""
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        found = await ends_of(consumer, [topic])
        consumer.assign(list(found))
        begins = await consumer.beginning_offsets(list(found))
        left: dict[int, int] = {}
        for tp, end in found.items():
            if max(begins[tp], await consumer.committed(tp) or 0) < end:
                left[tp.partition] = end
        return left
    finally:
        await consumer.stop()
