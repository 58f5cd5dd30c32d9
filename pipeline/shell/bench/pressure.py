"""Events at a steady rate, from a process of its own, while something else is measured.

`python -m pipeline.shell.bench.pressure BROKER PRESS LOAD TOPIC…` makes its events first, prints
`ready`, and begins when a line comes in on stdin; then it prints how many events a second it has
sent. PRESS and LOAD are JSON; TOPICs are in the order of the countries.

By librdkafka: what is measured shares its cores, and this costs an eighth of what aiokafka does.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from confluent_kafka import Producer
from msgspec import Struct

from pipeline.shell.bench.data import COUNTRIES, draw_more, event
from pipeline.shell.bench.load import Load
from pipeline.shell.settings import FailedError

TICK_S = 0.01
LINGER_MS = 50  # a request carries a Kafka batch of one partition: some hundred events
WITHIN_S = 60.0


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


def send(broker: str, press: Press, load: Load, topics: Sequence[str]) -> float:
    """Events a second that were sent."""
    producer = Producer(
        {
            "bootstrap.servers": broker,
            "linger.ms": LINGER_MS,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    topic = dict(zip(COUNTRIES, topics, strict=True))
    drawn = draw_more(load, press.first, press.events, press.turn)
    events = [(topic[one.country], event(one, load)) for one in drawn]
    print("ready", flush=True)
    sys.stdin.readline()
    started, sent = time.perf_counter(), 0
    while sent < len(events):
        due = min(int((time.perf_counter() - started) * press.rate), len(events))
        for name, value in events[sent:due]:
            producer.produce(name, value, partition=0)
        sent = due
        producer.poll(0)
        time.sleep(TICK_S)
    if left := producer.flush(WITHIN_S):
        raise FailedError(f"{left} events were not delivered")
    return sent / (time.perf_counter() - started)


if __name__ == "__main__":
    broker, press, load, *topics = sys.argv[1:]
    decode = msgspec.json.decode
    print(send(broker, decode(press, type=Press), decode(load, type=Load), topics))
