"""The intake stage: events topics in, sightings and dead letters out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import faust
from faust.types import TP

from pipeline import canary, dead_letter
from pipeline.aspects import Asked
from pipeline.decode import Reason, Rejection
from pipeline.geo import Geo
from pipeline.intake import Intake
from pipeline.registry import Party, Registry
from pipeline.rule import Rule
from pipeline.shell import metrics, unpack
from pipeline.shell.app import Outbox, consumer_of, log, serve
from pipeline.shell.canary_carrier import Carrier
from pipeline.shell.feedback import Feedback
from pipeline.shell.lags import Lags
from pipeline.shell.rehearsal import Work
from pipeline.shell.settings import Settings
from pipeline.shell.sieve import keep
from pipeline.shell.transport import Batch
from pipeline.sight import (
    PROGRESS_KEY,
    Progress,
    SourceState,
    encode,
    every_length,
    fold_lengths,
    records,
)
from pipeline.tally import Tally

STAGE = "intake"
PROGRESS_INTERVAL_S = 1.0


class IntakeStage:
    """The intakes of the source partitions that this worker owns."""

    def __init__(
        self,
        app: faust.App,
        settings: Settings,
        registry: Registry,
        rules: Sequence[Rule],
        sightings_partitions: int,
        geo: Geo | None = None,
    ) -> None:
        self._app = app
        self._outbox = Outbox(app)
        self._known = registry.sensors
        self._parties = registry.topics(settings.topic_prefix)
        self._sensors: dict[Party, dict[str, Party]] = {}
        for sensor, party in registry.sensors.items():
            self._sensors.setdefault(party, {})[sensor] = party
        self._company = settings.campaigns == "on"
        self._lengths = every_length(rules) if self._company else fold_lengths(rules)
        self._asked = Asked(rules, geo)
        self._exercise = settings.exercise
        self._lateness = settings.lateness_ms
        self._clock = settings.clock
        self._offsets: dict[str, float] = {}
        self._adrift: set[str] = set()
        self._idle_after = settings.source_idle_after_s
        self._sightings = settings.topic("sightings")
        self._dead_letters = settings.topic("dead-letters")
        self._partitions = sightings_partitions
        topic = settings.topic(canary.EVENTS) if settings.canary_interval_s else ""
        self._canaries = Carrier(topic, self._sightings, sightings_partitions)
        self._intakes: dict[TP, Intake] = {}
        self._feedback = Feedback(settings, set(registry.sensors))
        self._resent = 0
        """Events of this batch that were sent in again."""
        self._told: dict[TP, int] = {}
        """The watermark of what was sent on: progress must not get ahead of a batch in hand."""
        self._heard_at: dict[TP, float] = {}
        self._came_in: dict[TP, int] = {}
        self._lags = Lags(STAGE)
        most = metrics.MOST_SENSORS  # those that are silent for longest, and furthest off
        self._heard_shown = metrics.Partitions(metrics.SENSOR_LAST_EVENT, most, lambda at: -at)
        self._offsets_shown = metrics.Partitions(metrics.SENSOR_CLOCK_OFFSET, most, abs)
        serve(app, [*sorted(self._parties), *self._canaries.topics], self, STAGE)
        app.timer(interval=PROGRESS_INTERVAL_S)(self.tell_progress)
        app.on_partitions_assigned.connect(self._assigned, weak=False)

    async def _assigned(self, sender: faust.App, assigned: set[TP], **_: object) -> None:
        consumer_of(self._app).before_commit = self.delivered
        assigned = self._canaries.assign(assigned)
        now = time.monotonic()
        self._feedback.begin(f"{tp.topic}/{tp.partition}" for tp in assigned)
        self._intakes = {tp: self._intake(tp) for tp in assigned}
        self._told = {tp: intake.watermark for tp, intake in self._intakes.items()}
        self._heard_at = dict.fromkeys(assigned, now)
        log.info(
            "%d partitions of %d events topics", len(assigned), len({tp.topic for tp in assigned})
        )
        parties = [self._parties[topic] for topic in {tp.topic for tp in assigned}]
        ours = {sensor for party in parties for sensor in self._sensors.get(party, ())}
        self._offsets = {s: offset for s, offset in self._offsets.items() if s in ours}
        self._adrift &= ours
        started = time.monotonic()
        await self._feedback.restore()  # last: batches come in already
        metrics.RESTORE_SECONDS.labels(STAGE).observe(time.monotonic() - started)

    def recovered(self) -> bool:
        """Whether what was counted of its sensors before has been read back."""
        return self._feedback.restored

    def _intake(self, tp: TP) -> Intake:
        sensors: Mapping[str, Party] = self._sensors.get(self._parties[tp.topic], {})
        source = f"{tp.topic}/{tp.partition}"
        return Intake(
            source,
            sensors,
            self._known,
            self._lengths,
            self._lateness,
            self._clock,
            company=self._company,
            asked=self._asked,
            figures=self._feedback.of(source),
            exercise=self._exercise,
        )

    async def handle(self, tp: TP, batch: Batch) -> None:
        """Decode, check, fold and send on one fetched batch."""
        if tp.topic == self._canaries.topic:
            await self._canaries.carry(tp, batch, self._outbox)
            consumer_of(self._app).done(tp, batch)
            return
        started = time.perf_counter()
        intake = self._intakes[tp]
        for record, place, rejection, came_in, resent in self._read(intake, batch):
            at = (tp.topic, tp.partition, record.offset, place)
            self._feedback.reject(intake.source, record, rejection)
            letter = dead_letter.dead_letter(rejection, *at, came_in, resent)
            await self._outbox.send(
                self._dead_letters, letter.key.encode(), dead_letter.encode(letter)
            )
        sent = 0
        for partition, packed in intake.pack(
            self._partitions, batch[0].timestamp if batch else 0
        ).items():
            for sightings in packed:
                sent += sum(len(group.values) for group in sightings.groups)
                for record in records(sightings):
                    await self._outbox.send(self._sightings, None, record, partition)
        if intake.tally.correlated or intake.tally.without_indicators:
            self._heard_at[tp] = time.monotonic()
        if batch:  # it may be sifted, and nothing be left
            self._came_in[tp] = batch[-1].timestamp
        self._told[tp] = intake.watermark
        consumer_of(self._app).done(tp, batch)
        self._feedback.changed(intake.source)
        self._count(intake, sent)
        metrics.BATCH_SECONDS.labels(STAGE).observe(time.perf_counter() - started)

    def _read(self, intake: Intake, batch: Batch) -> Iterator[tuple[Any, int, Rejection, int, int]]:
        """Read a batch: of what was rejected the record and its place there, when it came in, and
        how often it was sent in again.
        """
        marked = [n for n, record in enumerate(batch) if record.headers]
        begin = 0
        for end in (*marked, len(batch)):
            plain = batch[begin:end]
            messages = [record.value or b"" for record in plain]
            came_in = [record.timestamp for record in plain]
            for n, place, rejection in intake.read_all(messages, came_in):
                yield plain[n], place, rejection, came_in[n], 0
            if end < len(batch):
                record = batch[end]
                resent, in_at = dead_letter.resent_of(record.headers, record.timestamp)
                for place, rejection in self._read_marked(intake, record, in_at, resent):
                    yield record, place, rejection, in_at, resent
            begin = end + 1

    def _read_marked(
        self, intake: Intake, record: Any, came_in: int, resent: int
    ) -> Sequence[tuple[int, Rejection]]:
        """Read a record whose headers say that it was sent in again, or was too large to unpack."""
        refused = unpack.refused(record.headers)
        if refused is not None:
            return [(0, intake.refuse(Rejection(Reason.TOO_LARGE, refused, b"")))]
        before = intake.tally.received
        rejected = intake.read(record.value or b"", came_in)
        if resent:
            self._resent += intake.tally.received - before
        return rejected

    async def rehearsal(self, tp: TP) -> Work | None:
        """What `handle` does, but for sending."""
        intake = self._intakes.get(tp)
        if intake is None:
            return None  # canaries: nobody else writes there

        def work(batch: Batch) -> None:
            for _, place, rejection, came_in, resent in self._read(intake, batch):
                at = (tp.topic, tp.partition, 0, place)
                dead_letter.encode(dead_letter.dead_letter(rejection, *at, came_in, resent))
            for packed in intake.pack(self._partitions, 0).values():
                for sightings in packed:
                    list(records(sightings))

        return work

    async def set_aside(self, tp: TP, record: Any, why: str) -> None:
        """Keep a message that a bug of ours keeps us from reading: it counts as one event."""
        await keep(tp, record, why, STAGE, partial(self._outbox.send, self._dead_letters))
        await self._outbox.delivered()
        metrics.EVENTS_RECEIVED.inc()
        metrics.EVENTS_REJECTED.labels(Reason.BUG).inc()
        metrics.EVENTS_DISCARDED.labels(STAGE, Reason.BUG, "false").inc()

    def _count(self, intake: Intake, sent: int) -> None:
        tally, intake.tally = intake.tally, Tally()
        metrics.EVENTS_RESENT.inc(self._resent)
        self._resent = 0
        metrics.EVENTS_RECEIVED.inc(tally.received)
        metrics.EVENTS_CORRELATED.inc(tally.correlated)
        metrics.EVENTS_WITHOUT_INDICATORS.inc(tally.without_indicators)
        metrics.EVENTS_LATE.inc(tally.late)
        if tally.late:
            metrics.EVENTS_DISCARDED.labels(STAGE, Reason.TOO_LATE, "true").inc(tally.late)
        for reason, count in tally.rejected.items():
            metrics.EVENTS_REJECTED.labels(reason).inc(count)
            metrics.EVENTS_DISCARDED.labels(STAGE, reason, "false").inc(count)
        metrics.VALUES_UNCANONICAL.inc(tally.uncanonical)
        metrics.SIGHTINGS_SENT.inc(sent)

    async def delivered(self) -> bool:
        """Everything that was sent before has arrived, and what came of it is told.

        Not before the figures are read back: a commit may be the last for long, and what was
        counted until then would be told by none.
        """
        told = await self._feedback.tell(self._outbox)
        await self._outbox.delivered()
        return told

    async def tell_progress(self) -> None:
        """Tell every partition of `sightings` how far the sources of this worker are."""
        consumer = consumer_of(self._app)
        if self._app.rebalancing:
            return
        self._lags.show(consumer, self._intakes)
        self._heard_shown.show({(sensor,): ms / 1000 for ms, sensor in self._feedback.heard()})
        self._offsets_shown.show({(sensor,): s for sensor, s in self._offsets.items()})
        metrics.SENSORS_ADRIFT.set(len(self._adrift))
        if not self._intakes:
            return
        now, told_at = time.monotonic(), time.time_ns() // 1_000_000
        states: list[SourceState] = []
        for tp, intake in self._intakes.items():
            behind = consumer.lag(tp)
            backlog = behind != 0 and (told_at - self._came_in.get(tp, 0) > self._idle_after * 1000)
            idle = not backlog and now - self._heard_at[tp] >= self._idle_after
            states.append(SourceState(intake.source, self._told[tp], idle, backlog))
            self._note_clocks(intake)
        expected = [
            f"{topic}/{partition}"
            for topic in self._parties
            for partition in range(consumer.topic_partitions(topic) or 0)
        ]
        progress = encode(Progress(states, expected, told_at))
        await asyncio.gather(
            *(
                self._outbox.send(self._sightings, PROGRESS_KEY, progress, partition)
                for partition in range(self._partitions)
            )
        )

    def _note_clocks(self, intake: Intake) -> None:
        offsets, intake.offsets = intake.offsets, {}
        for sensor, offset in offsets.items():
            self._offsets[sensor] = offset / 1000
            if abs(offset) <= self._clock.bound_ms:
                self._adrift.discard(sensor)
            elif sensor not in self._adrift:
                self._adrift.add(sensor)
                log.warning(
                    "the clock of sensor %s is %.0f s %s the broker's: policy %s",
                    sensor,
                    abs(offset) / 1000,
                    "behind" if offset > 0 else "ahead of",
                    self._clock.policy,
                )
