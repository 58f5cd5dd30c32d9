"""Putting generated messages on their topics, and how much lies on a topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import cycle

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec import Struct

from pipeline.shell.bench.data import Message
from pipeline.shell.observe import ends_of

Ends = dict[TopicPartition, int]

BATCH_BYTES = 16 * 1024
"""Of a batch; a larger message is one by itself."""


class Volume(Struct):
    """What lies on some topics: records, and bytes of their keys and values, uncompressed."""

    records: int = 0
    bytes: int = 0


async def preload(broker: str, topics: Mapping[str, str], messages: Iterable[Message]) -> Volume:
    """Produce each message to the topic of its country; what was produced.

    In batches as large as producers make them by default, which are filled here: handing the
    producer one message at a time takes longer than what is to be measured.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=broker, max_batch_size=BATCH_BYTES, max_request_size=4 << 20
    )
    volume = Volume()
    await producer.start()
    try:
        partitions = {
            topic: cycle(sorted(await producer.partitions_for(topic))) for topic in topics.values()
        }
        batches = {topic: producer.create_batch() for topic in topics.values()}

        async def send(topic: str) -> None:
            batch, batches[topic] = batches[topic], producer.create_batch()
            await producer.send_batch(batch, topic, partition=next(partitions[topic]))

        for country, value, _ in messages:
            topic = topics[country]
            if batches[topic].append(key=None, value=value, timestamp=None) is None:
                await send(topic)
                batches[topic].append(key=None, value=value, timestamp=None)
            volume.records += 1
            volume.bytes += len(value)
        for topic, batch in batches.items():
            if batch.record_count():
                await send(topic)
        await producer.flush()
    finally:
        await producer.stop()
    return volume


async def ends(broker: str, topics: Iterable[str]) -> Ends:
    """How long every partition of some topics is now."""
    async with AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False) as consumer:
        return await ends_of(consumer, list(topics))


async def volume(broker: str, since: Ends) -> Volume:
    """What came to some partitions since they were that long."""
    found = Volume()
    async with AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False) as consumer:
        until = await ends_of(consumer, sorted({place.topic for place in since}))
        consumer.assign(list(since))
        for place, offset in since.items():
            consumer.seek(place, offset)
        while any([await consumer.position(place) < until[place] for place in since]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    if record.offset < until[TopicPartition(record.topic, record.partition)]:
                        found.records += 1
                        found.bytes += len(record.key or b"") + len(record.value or b"")
    return found
