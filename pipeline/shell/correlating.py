"""The correlate stage: sightings in, alerts out, checkpoints beside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP

from pipeline import alert
from pipeline.correlate import Change, Episode
from pipeline.geo import Geo
from pipeline.rule import Rule
from pipeline.shard import Shard
from pipeline.shell import metrics
from pipeline.shell.app import Outbox, consumer_of, crash, log, serve
from pipeline.shell.settings import Settings
from pipeline.shell.transport import Batch

STAGE = "correlate"


class CorrelateStage:
    """The shards of the partitions of `sightings` that this worker owns.

    `_lock` keeps a batch's steps and a checkpoint's apart: nothing is taken while a segment is
    being made, and none is made while an alert is on its way.
    """

    def __init__(self, app: faust.App, settings: Settings, rules: Sequence[Rule], geo: Geo) -> None:
        self._app = app
        self._settings = settings
        self._rules = rules
        self._geo = geo
        self._alerts = Outbox(app)
        self._checkpoints = Outbox(app)
        self._sightings = settings.topic("sightings")
        self._shards: dict[int, Shard] = {}
        self._loading: dict[int, asyncio.Task[Shard]] = {}
        self._lock = asyncio.Lock()
        self._torn = False
        serve(app, [self._sightings], self.handle, STAGE)
        app.timer(interval=1.0)(self.measure)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)

    async def _revoked(self, sender: faust.App, revoked: set[TP], **_: object) -> None:
        for task in self._loading.values():
            task.cancel()
        self._loading.clear()
        self._shards.clear()

    async def _assigned(self, sender: faust.App, assigned: set[TP], **_: object) -> None:
        consumer_of(self._app).before_commit = self.checkpoint
        self._shards.clear()
        # In tasks of their own: a rebalance must not wait for a large state to be read.
        self._loading = {
            tp.partition: asyncio.ensure_future(self._load(tp.partition)) for tp in assigned
        }

    async def _load(self, partition: int) -> Shard:
        shard = Shard(self._rules, self._settings.lateness_ms)
        records = await read_to_end(
            self._settings.broker, self._settings.topic("checkpoints"), partition
        )
        shard.restore(records)
        log.info("partition %d: %d checkpoint records", partition, len(records))
        return shard

    async def handle(self, tp: TP, batch: Batch) -> None:
        """Correlate one fetched batch and send its alerts."""
        partition = tp.partition
        loading = self._loading.get(partition)
        if loading is not None:
            shard = await loading
            if self._loading.pop(partition, None) is loading:
                self._shards[partition] = shard
        async with self._lock:
            started = time.perf_counter()
            shard = self._shards[partition]
            # From here to the end the state is ahead of what was sent: if we are cancelled in
            # between, there must be no checkpoint of it.
            self._torn = True
            taken = shard.take([(record.key, record.value) for record in batch])
            if taken.write_ahead:
                await self._alerts.delivered()
                for key, segment in taken.write_ahead:
                    await self._save(partition, key, segment)
                await self._checkpoints.delivered()
            await self._send(taken.episodes)
            consumer_of(self._app).done(tp, batch)
            self._torn = False
        metrics.SIGHTINGS_RECEIVED.inc(taken.sightings)
        metrics.SIGHTINGS_LATE.inc(taken.late)
        metrics.RECORDS_NOT_OURS.inc(taken.not_ours)
        metrics.BATCH_SECONDS.labels(STAGE).observe(time.perf_counter() - started)
        if taken.ingested_ms and any(one.change is Change.OPENED for one in taken.episodes):
            metrics.ALERT_SECONDS.observe(max(time.time() - taken.ingested_ms / 1000, 0))

    async def _send(self, episodes: Sequence[Episode]) -> None:
        topic = self._settings.topic("alerts")
        for episode in episodes:
            finding = alert.encode(alert.alert(episode, self._geo))
            await self._alerts.send(topic, episode.id.encode(), finding)
            metrics.ALERTS[episode.change].inc()

    async def _save(self, partition: int, key: bytes, segment: bytes | None) -> None:
        await self._checkpoints.send(self._settings.topic("checkpoints"), key, segment, partition)

    async def checkpoint(self) -> bool:
        """Write every shard's checkpoint; False if the state is not fit to be written."""
        started = time.perf_counter()
        try:
            for partition, shard in list(self._shards.items()):
                if not await self._checkpoint(partition, shard):
                    return False
            await self._checkpoints.delivered()
        except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
            crash("correlate: a checkpoint failed")
        metrics.CHECKPOINT_SECONDS.observe(time.perf_counter() - started)
        return True

    async def _checkpoint(self, partition: int, shard: Shard) -> bool:
        segments = shard.checkpoint()
        refreshed = False
        while True:
            async with self._lock:
                started = time.perf_counter()
                if self._torn:
                    return False
                if not refreshed:
                    await self._send(shard.refresh())
                    refreshed = True
                await self._alerts.delivered()
                record = next(segments, None)
                metrics.CHECKPOINT_BLOCK_SECONDS.observe(time.perf_counter() - started)
            if record is None:
                return True
            await self._save(partition, *record)

    async def measure(self) -> None:
        """What can be read off the state from time to time."""
        consumer = consumer_of(self._app)
        if self._app.rebalancing:
            return
        metrics.note_memory(STAGE)
        now = time.time()
        live: dict[str, int] = {}
        for partition, shard in self._shards.items():
            tp = TP(self._sightings, partition)
            metrics.LAG.labels(STAGE, tp.topic, partition).set(consumer.lag(tp) or 0)
            if (mark := shard.correlator.watermark) >= 0:
                metrics.WATERMARK_AGE.labels(partition).set(now - mark / 1000)
            for kind, count in shard.correlator.live.items():
                live[kind] = live.get(kind, 0) + count
        for kind, count in live.items():
            metrics.LIVE_INDICATORS.labels(kind).set(count)
        metrics.OPEN_EPISODES.set(
            sum(shard.correlator.open_episodes for shard in self._shards.values())
        )


async def read_to_end(broker: str, topic: str, partition: int) -> list[tuple[bytes, bytes | None]]:
    """Every record of a partition, (key, value), from its beginning to its end as it is now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    await consumer.start()
    records: list[tuple[bytes, bytes | None]] = []
    try:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            for batch in (await consumer.getmany(tp, timeout_ms=1000)).values():
                records.extend((record.key or b"", record.value) for record in batch)
    finally:
        await consumer.stop()
    return records
