"""Reading back what a predecessor wrote."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.shard import CheckpointRecord
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import Settings


async def read_to_end(settings: Settings, topic: str, partition: int) -> list[CheckpointRecord]:
    """The newest record of each key of a partition, in order, to its end as it is now."""
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), enable_auto_commit=False)
    await consumer.start()
    # Of a key only the newest record is kept, as if the broker had compacted the topic just now.
    records: dict[bytes, bytes] = {}
    try:
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
