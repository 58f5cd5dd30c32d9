"""Events at a steady rate, from a process of its own, while something else is measured.

`python -m pipeline.shell.bench.pressure BROKER PRESS LOAD TOPIC…` makes its Kafka batches first,
prints `ready`, and begins when a line comes in on stdin; then it prints how many events a second it
has sent. PRESS and LOAD are JSON; TOPICs are in the order of the countries.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from msgspec import Struct

from pipeline.shell.bench.data import COUNTRIES, Drawn, draw_more, event
from pipeline.shell.bench.load import Load

BATCH = 100  # events
TICK_S = 0.01


class Press(Struct, frozen=True):
    """`rate` events a second for `seconds`, those that come after all of a load and `first` more.

    `turn`: after so many turns of event time (`draw_more`). What comes long after others of its
    time, or much closer to them, is another load.
    """

    rate: float
    seconds: float
    first: int
    turn: int

    @property
    def events(self) -> int:
        return int(self.rate * self.seconds)


class Pressure:
    """The process, when it has begun."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def events_per_second(self) -> float:
        """Wait for its end: what it sent."""
        assert self._process.stdout is not None
        return float(self._process.stdout.readline())


@contextmanager
def pressure(broker: str, press: Press, load: Load, topics: Sequence[str]) -> Iterator[Pressure]:
    """Have it sent meanwhile."""
    command = [
        *(sys.executable, "-m", __name__, broker),
        *(msgspec.json.encode(of).decode() for of in (press, load)),
        *topics,
    ]
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            process.stdin.write("go\n")
            process.stdin.flush()
            yield Pressure(process)
        finally:
            process.kill()


async def send(broker: str, press: Press, load: Load, topics: Sequence[str]) -> float:
    """Events a second that were sent."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=1 << 20, linger_ms=1)
    await producer.start()
    try:
        more = draw_more(load, press.first, press.events, press.turn)
        batches = _batches(producer, more, load, topics)
        print("ready", flush=True)
        sys.stdin.readline()
        started, sent = time.perf_counter(), 0
        deliveries = []
        for topic, partition, batch, events in batches:
            ahead = sent / press.rate - (time.perf_counter() - started)
            if ahead > 0:
                await asyncio.sleep(max(ahead, TICK_S))
            deliveries.append(await producer.send_batch(batch, topic, partition=partition))
            sent += events
        await asyncio.gather(*deliveries)
        return sent / (time.perf_counter() - started)
    finally:
        await producer.stop()


def _batches(
    producer: AIOKafkaProducer, events: Iterator[Drawn], load: Load, topics: Sequence[str]
) -> list[tuple[str, int, Any, int]]:
    """(topic, partition, Kafka batch, events in it): made now, so as not to cost anything later."""
    made: list[tuple[str, int, Any, int]] = []
    filling: dict[str, list[bytes]] = {country: [] for country in COUNTRIES}
    for drawn in events:
        waiting = filling[drawn.country]
        waiting.append(event(drawn, load))
        if len(waiting) == BATCH:
            batch = producer.create_batch()
            for one in waiting:
                batch.append(key=None, value=one, timestamp=None)
            batch.close()
            made.append((topics[COUNTRIES.index(drawn.country)], 0, batch, BATCH))
            waiting.clear()
    return made


if __name__ == "__main__":
    broker, press, load, *topics = sys.argv[1:]
    decode = msgspec.json.decode
    print(asyncio.run(send(broker, decode(press, type=Press), decode(load, type=Load), topics)))
