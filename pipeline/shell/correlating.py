"""The correlate stage: sightings in, alerts out, checkpoints beside."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import faust
from faust.types import TP

from pipeline import alert, canary
from pipeline.benign import Benign
from pipeline.canary import Canaries
from pipeline.episode import Episode
from pipeline.geo import Geo
from pipeline.rule import Rule
from pipeline.shard import Shard
from pipeline.shell import metrics
from pipeline.shell.app import (
    Outbox,
    before_each_produce,
    consumer_of,
    crash,
    log,
    serve,
    still_ours,
)
from pipeline.shell.dispatch import Dispatch, Message
from pipeline.shell.keeper import GivenUpError, Keeper
from pipeline.shell.lags import Lags
from pipeline.shell.rehearsal import Work
from pipeline.shell.restoring import read_to_end
from pipeline.shell.settings import Settings
from pipeline.shell.sieve import keep
from pipeline.shell.transport import Batch
from pipeline.sight import partition_of
from pipeline.surprise import Background

STAGE = "correlate"
SEVERITIES = {number: level.value for level, number in alert.SEVERITY.items()}


class CorrelateStage:
    """The shards of the partitions of `sightings` that this worker owns."""

    def __init__(
        self,
        app: faust.App,
        settings: Settings,
        rules: Sequence[Rule],
        geo: Geo,
        benign: Benign,
        background: Background,
        alert_partitions: int,
        sightings_partitions: int,
    ) -> None:
        self.app = app
        self.settings = settings
        self._rules = rules
        self._geo = geo
        self._benign = benign
        self._background = background
        self._alert_partitions = alert_partitions
        self._sightings_partitions = sightings_partitions
        self._sightings = settings.topic("sightings")
        self._types = {rule.indicator_type for rule in rules}
        self._lags = Lags(STAGE)
        self._age = metrics.Partitions(metrics.WATERMARK_AGE)
        self._watermark = metrics.Partitions(metrics.WATERMARK)
        metrics.LIVE_INDICATORS_LIMIT.set(settings.live_indicators_max)
        self._keepers: dict[int, Keeper] = {}
        self._loading: dict[int, asyncio.Task[Keeper]] = {}
        self._dispatch: Dispatch | None = None
        self._stragglers: frozenset[str] = frozenset()
        self._letters = Outbox(app)
        self.canaries = Canaries()
        self.hand = serve(app, [self._sightings], self, STAGE)
        app.timer(interval=1.0)(self.measure)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)
        app.on_before_shutdown.connect(self._shut_down, weak=False)

    async def _revoked(self, sender: faust.App, revoked: set[TP], **_: object) -> None:
        # At once, before anything is waited for: a commit in between would find no shard to write
        # a checkpoint of, and go beyond the last one.
        keepers = list(self._keepers.values())
        for partition in self._keepers:
            consumer_of(self.app).forget(TP(self._sightings, partition))
        self._keepers.clear()
        for loading in self._loading.values():
            loading.cancel()
        self._loading.clear()
        for keeper in keepers:
            keeper.give_up()
        if self._dispatch is not None:
            dispatch, self._dispatch = self._dispatch, None
            await dispatch.close()

    async def _shut_down(self, sender: faust.App, **_: object) -> None:
        # What was read after the last commit comes again; the producer is about to stop.
        await self._revoked(sender, set())

    async def _assigned(self, sender: faust.App, assigned: set[TP], **_: object) -> None:
        await self._revoked(sender, assigned)
        consumer_of(self.app).before_commit = self.checkpoint
        before_each_produce(self.app, partial(still_ours, self.app, STAGE))
        dispatch = self._dispatch = Dispatch(self)
        # In tasks of their own: a rebalance must not wait for a large state to be read.
        self._loading = {
            tp.partition: asyncio.ensure_future(self._load(tp.partition, dispatch))
            for tp in assigned
        }

    async def _load(self, partition: int, dispatch: Dispatch) -> Keeper:
        settings = self.settings
        share = max(settings.live_indicators_max // self._sightings_partitions, 1)
        shard = Shard(
            self._rules,
            settings.lateness_ms,
            settings.straggler_after_ms,
            share,
            self._background,
        )
        topic = self.settings.topic("checkpoints")
        started = time.monotonic()
        records = await read_to_end(self.settings, topic, partition)
        shard.restore(records)
        metrics.RESTORE_SECONDS.labels(STAGE).observe(time.monotonic() - started)
        log.info("partition %d: %d checkpoint records", partition, len(records))
        return Keeper(self, dispatch, TP(self._sightings, partition), shard)

    def recovered(self) -> bool:
        """Whether the checkpoints of all its partitions have been read back."""
        return all(loading.done() for loading in self._loading.values())

    async def _keeper(self, partition: int) -> Keeper | None:
        loading = self._loading.get(partition)
        if loading is not None:
            # Not longer than it is ours: the group waits for us when it is to be given up.
            await consumer_of(self.app).unless_given_up(asyncio.wait({loading}))
            if self._loading.get(partition) is loading and loading.done():
                self._keepers[partition] = loading.result()
                del self._loading[partition]
        return self._keepers.get(partition)

    async def handle(self, tp: TP, batch: Batch) -> None:
        """Correlate one fetched batch."""
        keeper = await self._keeper(tp.partition)
        if keeper is None:
            return  # revoked meanwhile: it is not done, and comes to whoever has it now
        started = time.perf_counter()
        try:
            taken = await keeper.take(batch)
        except GivenUpError:
            return
        metrics.SIGHTINGS_RECEIVED.inc(taken.sightings)
        metrics.SIGHTINGS_LATE.inc(taken.late)
        metrics.RECORDS_NOT_OURS.inc(taken.not_ours)
        for kind, count in taken.shed.items():
            metrics.INDICATORS_SHED.labels(kind).inc(count)
        for reason, intentional, count in (
            ("too-late", "true", taken.late),
            ("not-ours", "false", taken.not_ours),
        ):
            if count:
                metrics.EVENTS_DISCARDED.labels(STAGE, reason, intentional).inc(count)
        for cause, count in (("expired", taken.evicted), ("shed", sum(taken.shed.values()))):
            if count:
                metrics.EVICTIONS.labels(STAGE, cause).inc(count)
        metrics.BATCH_SECONDS.labels(STAGE).observe(time.perf_counter() - started)

    async def rehearsal(self, tp: TP) -> Work | None:
        """What comes of a batch, but for sending it."""
        keeper = await self._keeper(tp.partition)
        if keeper is None:
            return None

        def work(batch: Batch) -> None:
            taken = keeper.shard.take([(record.key, record.value) for record in batch])
            for episode in (*taken.episodes, *keeper.shard.refresh()):
                alert.encode(self._finding(episode))
            list(keeper.shard.checkpoint())

        return work

    def _finding(self, episode: Episode) -> alert.Alert:
        return alert.alert(episode, self._geo, self._benign, self.settings.exercise)

    async def set_aside(self, tp: TP, record: Any, why: str) -> None:
        """Keep a record of sightings that a bug of ours keeps us from correlating."""
        topic = self.settings.topic("dead-letters")
        await keep(tp, record, why, STAGE, partial(self._letters.send, topic))
        await self._letters.delivered()

    def tell(self, episodes: Sequence[Episode]) -> list[Message]:
        """Revisions of alerts as they are sent: those of one alert go to one partition."""
        messages: list[Message] = []
        counts: Counter[tuple[str, str]] = Counter()
        for episode in episodes:
            told = self._finding(episode)
            counts[SEVERITIES[told.severity_id], episode.change] += 1
            partition = partition_of(episode.id, self._alert_partitions)
            messages.append(Message(partition, episode.id.encode(), alert.encode(told)))
        for (severity, action), count in counts.items():
            metrics.ALERTS.labels(severity, action).inc(count)
        return messages

    async def publish_canaries(self, outbox: Outbox, episodes: Sequence[Episode]) -> None:
        """Send alerts of canaries where nobody looks but who has let them fly."""
        topic = self.settings.topic(canary.ALERTS)
        told = [(of.id.encode(), alert.encode(self._finding(of))) for of in episodes]
        await outbox.send_packed(topic, 0, told)

    async def checkpoint(self) -> bool:
        """Write every shard's checkpoint."""
        started = time.perf_counter()
        try:
            for keeper in list(self._keepers.values()):
                await keeper.checkpoint()
        except GivenUpError:
            return False
        except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
            crash("correlate: a checkpoint failed")
        metrics.CHECKPOINT_SECONDS.observe(time.perf_counter() - started)
        return True

    def _note_sources(self) -> None:
        """Every shard hears of every source: one tells for all."""
        keeper = next(iter(self._keepers.values()), None)
        if keeper is None:
            return
        marks = keeper.shard.watermarks
        straggling, idle = len(marks.stragglers), marks.idle
        for state, count in (
            ("live", marks.known - idle - straggling),
            ("idle", idle),
            ("straggling", straggling),
        ):
            metrics.SOURCES.labels(state).set(count)
        for source in marks.stragglers - self._stragglers:
            log.warning("%s stays too far behind: time goes on without it", source)
        self._stragglers = marks.stragglers

    async def measure(self) -> None:
        """What can be read off the state from time to time."""
        consumer = consumer_of(self.app)
        if self.app.rebalancing:
            return
        now = time.time()
        mark: dict[tuple[str | int, ...], float] = {}
        age: dict[tuple[str | int, ...], float] = {}
        live = dict.fromkeys(self._types, 0)
        for partition, keeper in self._keepers.items():
            correlator = keeper.shard.correlator
            if correlator.watermark >= 0:
                mark[partition,] = correlator.watermark / 1000
                age[partition,] = now - correlator.watermark / 1000
            for kind, count in correlator.live.items():
                live[kind] = live.get(kind, 0) + count
        self._lags.show(consumer, [TP(self._sightings, partition) for partition in self._keepers])
        self._watermark.show(mark)
        self._age.show(age)
        for kind, count in live.items():
            metrics.LIVE_INDICATORS.labels(kind).set(count)
        self._note_sources()
        metrics.OPEN_EPISODES.set(
            sum(keeper.shard.correlator.open_episodes for keeper in self._keepers.values())
        )
