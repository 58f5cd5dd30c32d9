"""Records that commands write and read: one at a time, and all there are."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import msgspec
from aiokafka import AIOKafkaConsumer
from confluent_kafka import KafkaException, Producer

from pipeline.share import ledger, reply
from pipeline.share.ledger import Entry
from pipeline.share.reply import Said
from pipeline.shell.notify.sources import topics_of
from pipeline.shell.observe import ends_of
from pipeline.shell.restoring import everything
from pipeline.shell.security import for_aiokafka, for_librdkafka
from pipeline.shell.settings import FailedError, Settings

_WITHIN_S = 15.0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def produce(settings: Settings, name: str, key: str, value: bytes | None) -> None:
    """Write one record to a topic; a `FailedError` if it does not arrive."""
    failed: list[str] = []
    topic = settings.topic(name)
    try:
        producer = Producer(for_librdkafka(settings) | {"acks": "all"})
        producer.produce(
            topic,
            value,
            key.encode(),
            partition=0,
            on_delivery=lambda error, _: failed.append(error.str()) if error is not None else None,
        )
        left = producer.flush(_WITHIN_S)
    except KafkaException as error:
        raise FailedError(f"{topic}: {error.args[0].str()}") from None
    if failed or left:
        why = failed[0] if failed else f"not delivered within {_WITHIN_S:.0f} s"
        raise FailedError(f"{topic}: {why}")


async def newest(settings: Settings, name: str) -> dict[str, bytes]:
    """The newest record of each key of a topic."""
    found: dict[str, bytes] = {}
    async for _, key, value in everything(settings, settings.topic(name)):
        known = (key or b"").decode("utf-8", "replace")
        found.pop(known, None)
        if value is not None:
            found[known] = value
    return found


async def entries(settings: Settings) -> list[Entry]:
    """The ledger, as it is written."""
    found = []
    for value in (await newest(settings, "deliveries")).values():
        try:
            found.append(ledger.decode(value))
        except msgspec.DecodeError:
            continue
    return found


async def replies(settings: Settings) -> dict[str, list[Said]]:
    """All that was written back, by who wrote it; what is no reply is passed over."""
    _, back = topics_of(settings)
    found: dict[str, list[Said]] = {}
    for name in back:
        for value in (await newest(settings, name)).values():
            try:
                found.setdefault(name.removeprefix("replies."), []).append(reply.decode(value))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
    return found


async def since(settings: Settings, name: str, at: int) -> AsyncIterator[bytes]:
    """Values of a topic that came since then, ms by the broker's clock, to its end as it is now."""
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), enable_auto_commit=False)
    try:
        await consumer.start()
        ends = await ends_of(consumer, [settings.topic(name)])
        begins = await consumer.offsets_for_times(dict.fromkeys(ends, at))
        left = {tp for tp in ends if begins.get(tp) is not None and begins[tp].offset < ends[tp]}
        if not left:
            return
        consumer.assign(list(left))
        for tp in left:
            consumer.seek(tp, begins[tp].offset)
        while left:
            for tp, records in (await consumer.getmany(*left, timeout_ms=1000)).items():
                for record in records:
                    if record.offset < ends[tp] and record.value is not None:
                        yield record.value
            left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()
