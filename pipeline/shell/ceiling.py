"""The ceiling of the benchmark: plain aiokafka fetch and typed decode, one process, no more.

`python -m pipeline.shell.ceiling BROKER TOPIC…` prints the events a second.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer

from pipeline.event import Event
from pipeline.shell.observe import ends_of

_decode = msgspec.json.Decoder(Event).decode


async def measure(broker: str, topics: list[str]) -> float:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, enable_auto_commit=False, max_partition_fetch_bytes=1 << 20
    )
    await consumer.start()
    try:
        ends = await ends_of(consumer, topics)
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        total = sum(ends.values())
        count = 0
        started = time.perf_counter()
        while count < total:
            for records in (await consumer.getmany(timeout_ms=500, max_records=8000)).values():
                for record in records:
                    _decode(record.value)
                count += len(records)
        return total / (time.perf_counter() - started)
    finally:
        await consumer.stop()


if __name__ == "__main__":
    print(asyncio.run(measure(sys.argv[1], sys.argv[2:])))
