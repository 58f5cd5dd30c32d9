"""The campaign stage: sightings, alerts, labels and watches in, campaigns and watches' alerts out.

One worker of all is active, the others stand by (`pipeline.shell.one_active`): what campaigns are
is seen from everything at once. Its state is what the topics hold, read once more by who takes
over; so there is no checkpoint, and an offset is committed when what it led to has been told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import faust
import msgspec
from faust.types import TP

from pipeline import alert
from pipeline.benign import Benign
from pipeline.campaign import campaign
from pipeline.campaign.campaign import Campaign, Status
from pipeline.campaign.desk import Desk
from pipeline.geo import Geo
from pipeline.lane import crossing
from pipeline.rule import Rule
from pipeline.share.terms import Terms
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
from pipeline.shell.case import READ, Case
from pipeline.shell.correlating import SEVERITIES
from pipeline.shell.lags import Lags
from pipeline.shell.rehearsal import Work
from pipeline.shell.restoring import ends, everything, unread
from pipeline.shell.settings import Settings
from pipeline.shell.sieve import keep
from pipeline.shell.taking_over import TakingOver
from pipeline.shell.threads import in_thread
from pipeline.shell.transport import Batch, last_of
from pipeline.sight import (
    every_length,
    partition_of,
)
from pipeline.watch import WATCHED
from pipeline.watching import Watching
from pipeline.watermark import Watermarks

STAGE = "campaign"
_REST = 4
"""A look takes at most one part in so many and one of the time."""


class CampaignStage:
    """The desk, if this worker is the active one."""

    def __init__(
        self,
        app: faust.App,
        settings: Settings,
        rules: Sequence[Rule],
        benign: Benign,
        terms: Terms,
        sightings_partitions: int,
        alert_partitions: int,
        geo: Geo,
    ) -> None:
        self.app = app
        self._settings = settings
        self._lengths = every_length(rules)
        self._benign = benign
        self._terms = terms
        self._partitions = sightings_partitions
        self._alert_partitions = alert_partitions
        self._geo = geo
        self._topics = {name: settings.topic(name) for name in READ}
        self._letters = Outbox(app)
        self._campaigns = Outbox(app)
        self._alerts = Outbox(app)
        self._held: TakingOver[Case] = TakingOver(self._load)
        self._telling = asyncio.Lock()
        self._rests_until = 0.0
        self._lags = Lags(STAGE)
        serve(app, list(self._topics.values()), self, STAGE)
        app.timer(interval=1.0)(self.measure)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)
        app.on_before_shutdown.connect(self._shut_down, weak=False)

    async def _revoked(self, sender: faust.App, revoked: set[TP], **_: object) -> None:
        # At once: what is being told stops at its next campaign. What is on its way arrives before
        # this returns: who takes over reads what was told, and must not miss it.
        self._held.drop()
        async with self._telling:
            await self._delivered()

    async def _delivered(self) -> None:
        await self._alerts.delivered()
        await self._campaigns.delivered()

    async def _shut_down(self, sender: faust.App, **_: object) -> None:
        await self._revoked(sender, set())

    async def _assigned(self, sender: faust.App, assigned: set[TP], **_: object) -> None:
        await self._revoked(sender, assigned)
        consumer_of(self.app).before_commit = self.tell
        before_each_produce(self.app, partial(still_ours, self.app, STAGE))
        if assigned:
            self._held.start()

    def _new_case(self) -> Case:
        settings = self._settings
        desk = Desk(
            self._lengths,
            self._benign,
            self._terms,
            settings.campaign_horizon_ms,
            settings.campaign_facts_max,
            Watching(
                self._lengths,
                self._benign,
                self._terms,
                settings.campaign_horizon_ms,
                self._geo,
                settings.watches_max,
                settings.exercise,
            ),
            exercise=settings.exercise,
            least_countries=settings.campaign_countries,
        )
        marks = [
            Watermarks(settings.lateness_ms, settings.straggler_after_ms)
            for _ in range(self._partitions)
        ]
        return Case(desk, marks, self._topics)

    async def _load(self) -> Case:
        """All that was told, and what led to it: what was committed. The rest is still to come."""
        case, count = self._new_case(), 0
        started = time.monotonic()
        settings = self._settings
        async for _, _, value in everything(settings, settings.topic("campaigns")):
            try:
                if value is None:
                    continue
                told = campaign.decode(value)
                if crossing(told.exercise, settings.exercise) is None:
                    case.desk.remember(told)
            except msgspec.DecodeError:
                metrics.RECORDS_NOT_OURS.inc()
        async for partition, key, value in everything(settings, self._topics["alerts"]):
            # To the end: what was told of a watch must not be told anew, nor told less.
            if WATCHED.uid.encode() in (value or b""):
                case.take(TP(self._topics["alerts"], partition), (key, value))
        # All watches that stand now: what was committed may be short of those that were told of.
        case.watches_upto = await ends(settings, self._topics["watches"])
        upto: dict[TP, int] = {}
        for name, topic in self._topics.items():
            group = None if name == "watches" else settings.topic(f"sightline-{STAGE}")
            async for partition, key, value in everything(settings, topic, group):
                # It was told: no look is taken at the past.
                case.take(TP(topic, partition), (key, value))
                count += 1
            if group is not None:
                left = await unread(settings, topic, group)
                upto |= {TP(topic, partition): end for partition, end in left.items()}
        case.follow(upto)
        metrics.RESTORE_SECONDS.labels(STAGE).observe(time.monotonic() - started)
        log.info("campaigns: %d records read, %d told", count, len(case.desk.told))
        return case

    def recovered(self) -> bool:
        """Whether it stands by, or has read what was seen and told."""
        return not self._held.is_loading

    async def handle(self, tp: TP, batch: Batch) -> None:
        """Take note of one fetched batch."""
        consumer = consumer_of(self.app)
        case = await consumer.unless_given_up(self._held.ready())
        started = time.perf_counter()
        if case is None or not await consumer.unless_given_up(self._take(case, tp, batch)):
            return  # revoked meanwhile: it comes to whoever has it now
        metrics.RECORDS_NOT_OURS.inc(case.not_ours)
        if case.not_ours:
            metrics.EVENTS_DISCARDED.labels(STAGE, "not-ours", "false").inc(case.not_ours)
        case.not_ours = 0
        consumer.done(tp, batch)
        metrics.BATCH_SECONDS.labels(STAGE).observe(time.perf_counter() - started)

    async def _take(self, case: Case, tp: TP, batch: Batch) -> bool:
        async with case.gate:
            case.rehearsed = False
            for record in batch:
                if not case.knows(tp, record.offset) and case.take(tp, (record.key, record.value)):
                    await self._look_and_tell(case)
            case.has_read(tp, last_of(batch).offset + 1)
            await self._raise(case)
        return True

    async def rehearsal(self, tp: TP) -> Work | None:
        """What comes of a batch, but for sending it."""
        case = await consumer_of(self.app).unless_given_up(self._held.ready())
        if case is None:
            return None
        async with case.gate:
            case.rehearsed = True  # by copies of this process: no thread may be at work on it

        def work(batch: Batch) -> None:
            for record in batch:
                case.take(tp, (record.key, record.value))
            case.raised()
            case.look()

        return work

    async def set_aside(self, tp: TP, record: Any, why: str) -> None:
        """Keep a record that a bug of ours keeps us from reading."""
        topic = self._settings.topic("dead-letters")
        await keep(tp, record, why, STAGE, partial(self._letters.send, topic))
        await self._letters.delivered()

    async def tell(self) -> bool:
        """Tell what has changed, before it is committed; False if it must rest before."""
        case = self._held.case
        if case is None or case.unread:
            return False
        try:
            if case.desk.changed:
                if case.rehearsed or time.monotonic() < self._rests_until:
                    return False
                started = time.monotonic()
                if not await consumer_of(self.app).unless_given_up(self._look(case)):
                    return False
                now = time.monotonic()
                self._rests_until = now + _REST * (now - started)
            await self._delivered()
        except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
            crash("campaign: campaigns were not told")
        return case is self._held.case

    async def _raise(self, case: Case) -> None:
        """With `gate` held: tell of the watches that were seen."""
        async with self._telling:
            topic = self._topics["alerts"]
            for change, one in case.raised():
                if self._held.case is not case:
                    return
                name = one.finding_info.uid
                partition = partition_of(name, self._alert_partitions)
                await self._alerts.send(topic, name.encode(), alert.encode(one), partition)
                metrics.ALERTS.labels(SEVERITIES[one.severity_id], change).inc()

    async def _look(self, case: Case) -> bool:
        async with case.gate:
            await self._look_and_tell(case)
        return True

    async def _look_and_tell(self, case: Case) -> None:
        """With `gate` held. The look is a thread's, or nothing else could be done meanwhile."""
        started = time.perf_counter()
        revisions = await in_thread(case.look)
        metrics.LOOK_SECONDS.observe(time.perf_counter() - started)
        async with self._telling:
            await self._tell(case, revisions)
        metrics.FACTS_SHED.inc(case.desk.shed)
        for cause, count in (("expired", case.desk.expired), ("shed", case.desk.shed)):
            if count:
                metrics.EVICTIONS.labels(STAGE, cause).inc(count)
        case.desk.shed = case.desk.expired = 0

    async def _tell(self, case: Case, revisions: Sequence[Campaign]) -> None:
        topic = self._settings.topic("campaigns")
        for one in revisions:
            if self._held.case is not case:
                return
            await self._campaigns.send(topic, one.id.encode(), campaign.encode(one))
            metrics.CAMPAIGNS.labels(one.status).inc()

    async def measure(self) -> None:
        """What can be read off the state from time to time."""
        consumer = consumer_of(self.app)
        case = self._held.case
        if self.app.rebalancing or case is None:
            return
        self._lags.show(consumer, consumer.assignment())
        metrics.FACTS.set(case.desk.evidence.count)
        metrics.WATCHES.set(len(case.desk.watching.watches))
        metrics.WATCHES_LEFT_OUT.inc(case.desk.watching.left_out)
        case.desk.watching.left_out = 0
        standing = (one for one in list(case.desk.told.values()) if _is_open(one))
        metrics.OPEN_CAMPAIGNS.set(sum(1 for _ in standing))


def _is_open(one: Campaign) -> bool:
    return one.status in {Status.OPEN, Status.GROWING, Status.DORMANT}
