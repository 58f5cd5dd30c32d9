"""The ceiling of the benchmark: plain aiokafka fetch and typed decode, one process, no more.

`python -m pipeline.shell.bench.ceiling BROKER PACKED PLACE…` prints the events a second, of the
records that lie in the places, each TOPIC/PARTITION/FROM/TO. PACKED is 1 if every message is a
JSON array of events, 0 if it is one event.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.event import Event
from pipeline.shell.bench.kafka import Ends


def events_per_second(broker: str, packed: int, since: Ends, until: Ends) -> float:
    """The same as a process of its own, as intake and correlate are."""
    places = [f"{at.topic}/{at.partition}/{since[at]}/{end}" for at, end in until.items()]
    command = [sys.executable, "-m", __name__, broker, str(int(packed > 1)), *places]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


async def measure(broker: str, packed: bool, places: Sequence[str]) -> float:
    one = msgspec.json.Decoder(Event).decode
    many = msgspec.json.Decoder(list[Event]).decode
    spans: dict[TopicPartition, tuple[int, int]] = {}
    for place in places:
        topic, *numbers = place.rsplit("/", 3)
        partition, first, end = map(int, numbers)
        spans[TopicPartition(topic, partition)] = first, end
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, enable_auto_commit=False, max_partition_fetch_bytes=1 << 20
    )
    await consumer.start()
    try:
        consumer.assign(list(spans))
        for at, (first, _) in spans.items():
            consumer.seek(at, first)
        missing = sum(end - first for first, end in spans.values())
        events = 0
        started = time.perf_counter()
        while missing > 0:
            fetched = await consumer.getmany(timeout_ms=500, max_records=8000)
            for at, records in fetched.items():
                if records[-1].offset >= spans[at][1]:
                    records = [r for r in records if r.offset < spans[at][1]]  # noqa: PLW2901
                if packed:
                    for record in records:
                        events += len(many(record.value))
                else:
                    for record in records:
                        one(record.value)
                    events += len(records)
                missing -= len(records)
        return events / (time.perf_counter() - started)
    finally:
        await consumer.stop()


if __name__ == "__main__":
    print(asyncio.run(measure(sys.argv[1], sys.argv[2] == "1", sys.argv[3:])))
