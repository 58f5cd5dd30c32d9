"""How soon a single event that completes a window becomes an alert."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pipeline.shell import observe
from pipeline.shell.bench.data import COUNTRIES, GTE, probe
from pipeline.shell.bench.load import Load
from pipeline.shell.settings import FailedError, Settings

PROBE_EVERY_S = 0.02
BEFORE_S = 1.0  # from the events that lead up to a window to those that complete it
WITHIN_S = 60.0


def seconds(load: Load) -> float:
    """How long the probes of a load are sent for, roughly: those that complete, and before."""
    return load.probes * PROBE_EVERY_S + 2 * BEFORE_S


async def latencies(
    settings: Settings, topics: Mapping[str, str], load: Load, first: int = 0
) -> list[float]:
    """Seconds from producing a probe to the arrival of its alert, each, ascending.

    Topics by country; probes are numbered from `first`. A `FailedError` if some raise no alert.
    """
    numbers = range(first, first + load.probes)
    producer = AIOKafkaProducer(bootstrap_servers=settings.broker)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker, enable_auto_commit=False)
    *before, last = COUNTRIES[:GTE]
    sent: dict[str, float] = {}
    arrived: dict[str, float] = {}
    await producer.start()
    await consumer.start()
    try:
        ends = await observe.ends_of(consumer, [settings.topic("alerts")])
        consumer.assign(list(ends))
        await consumer.seek_to_end(*ends)
        watching = asyncio.ensure_future(_watch(consumer, load.probes, sent, arrived))
        await asyncio.gather(
            *[
                await producer.send(topics[country], probe(load, number, country)[1])
                for country in before
                for number in numbers
            ]
        )
        await asyncio.sleep(BEFORE_S)
        for number in numbers:
            address, event = probe(load, number, last)
            sent[address] = time.perf_counter()
            await producer.send(topics[last], event)
            await asyncio.sleep(PROBE_EVERY_S)
        await asyncio.wait_for(watching, WITHIN_S)
    except TimeoutError:
        raise FailedError(f"{load.probes - len(arrived)} probes raised no alert") from None
    finally:
        await consumer.stop()
        await producer.stop()
    return sorted(arrived[address] - sent[address] for address in sent)


async def _watch(
    consumer: AIOKafkaConsumer, probes: int, sent: dict[str, float], arrived: dict[str, float]
) -> None:
    while len(arrived) < probes:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            now = time.perf_counter()
            for record in records:
                value = observe.decode_alert(record.value).observables[0].value
                if value in sent:
                    arrived.setdefault(value, now)
