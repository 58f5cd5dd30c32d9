"""From the topics into the read store."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.shell.security import for_aiokafka
from pipeline.shell.serve.beside import BesideTopics
from pipeline.shell.serve.rows import Record, Row
from pipeline.shell.serve.serve_metrics import DASHBOARD_NOT_OURS
from pipeline.shell.serve.store import Store
from pipeline.shell.settings import Settings

log = logging.getLogger(__name__)
KINDS = ("alerts", "campaigns", "labels")
_BATCH = 2_000  # records a transaction
_WAIT_S = 2.0
_ASK_S = 5.0


@dataclass(slots=True)
class Freshness:
    """How far what is shown is behind what there is."""

    behind: int | None = None
    """Records not yet read; None before the broker was reached."""
    heard: float | None = None
    """When the broker last answered, by the monotonic clock."""


class TopicReader:
    """Reads on from where the store is. What changed is handed to `changed`, after it is kept.

    `beside` are topics that campaigns are shown with, where they are there: these are read from
    their beginning each time, for what is on them is not in the store.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        changed: Callable[[Sequence[Row]], None],
        freshness: Freshness,
        beside: BesideTopics | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._changed = changed
        self._kind_of = {settings.topic(kind): kind for kind in KINDS}
        self._freshness = freshness
        self._beside = beside or BesideTopics({})
        self._missing: frozenset[str] = frozenset()

    async def run(self) -> None:
        """For ever. A broker that is away is waited for; anything else ends the process."""
        while True:
            consumer = AIOKafkaConsumer(
                **for_aiokafka(self._settings),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_poll_records=_BATCH,
            )
            try:
                await consumer.start()
                await self._read(consumer)
            except (KafkaError, TimeoutError) as error:
                log.warning("the broker cannot be read: %r; trying again", error)
                await asyncio.sleep(_WAIT_S)
            finally:
                await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        partitions = await self._partitions(consumer)
        beside = self._there(consumer, self._beside.topics)
        self._missing = self._beside.topics - {tp.topic for tp in beside}
        if self._missing:
            log.info("not shown, for they are not there: %s", ", ".join(sorted(self._missing)))
        consumer.assign(partitions + beside)
        ends = await consumer.end_offsets(partitions)
        known = self._store.positions()
        if any(known.get((tp.topic, tp.partition), 0) > end for tp, end in ends.items()):
            log.warning("the topics are others than the store was made from: it is made anew")
            await asyncio.to_thread(self._store.forget)
            known = {}
        for tp in partitions:
            consumer.seek(tp, known.get((tp.topic, tp.partition), 0))
        await consumer.seek_to_beginning(*beside)
        while True:
            batch = await consumer.getmany(timeout_ms=500, max_records=_BATCH)
            records = [
                Record(self._kind_of[tp.topic], one.key, one.value, one.timestamp)  # type: ignore[arg-type]
                for tp, some in batch.items()
                if tp.topic in self._kind_of
                for one in some
            ]
            before = self._not_ours()
            for tp, some in batch.items():
                if tp.topic in self._beside.topics:
                    records += self._beside.take(tp.topic, some)
            if records:
                positions = {
                    (tp.topic, tp.partition): some[-1].offset + 1
                    for tp, some in batch.items()
                    if tp.topic in self._kind_of
                }
                self._changed(await asyncio.to_thread(self._store.apply, records, positions))
            DASHBOARD_NOT_OURS.inc(self._not_ours() - before)
            self._note(consumer, partitions)
            if time.monotonic() - (self._freshness.heard or 0.0) > _ASK_S:
                # Nothing to read and nobody there look the same: it is asked for something.
                await asyncio.wait_for(consumer.end_offsets(partitions[:1]), _ASK_S)
                self._freshness.heard = time.monotonic()
                if self._missing and self._there(consumer, self._missing):
                    return  # and begin anew, with them

    def _not_ours(self) -> int:
        return self._store.not_ours + self._beside.answers.not_ours

    def _note(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        known = self._store.positions()
        self._freshness.behind = sum(
            max(0, (consumer.highwater(tp) or 0) - known.get((tp.topic, tp.partition), 0))
            for tp in partitions
        )

    async def _partitions(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """All of the topics, as soon as they are there."""
        while True:
            await consumer._client.force_metadata_update()  # noqa: SLF001 - there is no public way
            found = {topic: consumer.partitions_for_topic(topic) for topic in self._kind_of}
            missing = sorted(topic for topic, partitions in found.items() if not partitions)
            if not missing:
                return self._there(consumer, found)
            log.warning("waiting for %s: `sightline topics` makes them", ", ".join(missing))
            await asyncio.sleep(_WAIT_S)

    def _there(self, consumer: AIOKafkaConsumer, names: Iterable[str]) -> list[TopicPartition]:
        """The partitions of those of these topics that there are."""
        return [
            TopicPartition(topic, partition)
            for topic in sorted(names)
            for partition in sorted(consumer.partitions_for_topic(topic) or ())
        ]
