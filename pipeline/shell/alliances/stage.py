"""The stage of alliances: campaigns in, and on each alliance's topic what it may see of them.

One worker of all is active, the others stand by. What it must know is on the topics `campaigns` and
`alliance.*`, and in the folder of alliances, all read once more by who takes over, and whenever the
folder changes: the version that is there when something is released decides, and is written to the
audit log before it goes out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from math import inf
from typing import Any, Final

import faust
import msgspec
from faust.types import TP

from pipeline.campaign import campaign
from pipeline.campaign.campaign import Campaign
from pipeline.registry import Registry
from pipeline.share import counts
from pipeline.share.alliance import Alliance, counts_topic, digest_of, topic
from pipeline.share.release import Reader
from pipeline.share.views import REMEMBERED_MS, Publication, long_over
from pipeline.shell import metrics, topics
from pipeline.shell.alliances import folder
from pipeline.shell.app import (
    Outbox,
    before_each_produce,
    consumer_of,
    crash,
    log,
    serve,
    still_ours,
)
from pipeline.shell.audit_log import AuditLog, audit_path
from pipeline.shell.rehearsal import Work
from pipeline.shell.restoring import everything, everything_stamped
from pipeline.shell.settings import FailedError, Settings
from pipeline.shell.sieve import keep
from pipeline.shell.taking_over import TakingOver
from pipeline.shell.transport import Batch

STAGE: Final = "alliances"
_LOOK_ANYWAY_MS: Final = 60_000
"""How lively a campaign is changes with time alone."""
_AGAIN_S: Final = 10.0
_DAYS: Final = 30
"""So many days back it is looked whether their numbers were told."""


class AllianceStage:
    """What each alliance has been told, if this worker is the active one."""

    def __init__(
        self,
        app: faust.App,
        settings: Settings,
        registry: Registry,
        audit: AuditLog,
        now: Callable[[], int],
    ) -> None:
        self.app = app
        self._settings = settings
        self._registry = registry
        self._audit = audit
        self._now = now
        self._letters = Outbox(app)
        self._outbox = Outbox(app)
        self._held: TakingOver[Case] = TakingOver(self._load)
        self._telling = asyncio.Lock()
        self._looks = folder.looks(settings)
        self._again_at = inf
        self._lag = metrics.Partitions(metrics.LAG)
        serve(app, [settings.topic("campaigns")], self, STAGE)
        app.timer(interval=1.0)(self.tick)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)
        app.on_before_shutdown.connect(self._shut_down, weak=False)

    async def _revoked(self, sender: faust.App, revoked: set[TP], **_: object) -> None:
        self._held.drop()
        async with self._telling:
            await self._outbox.delivered()

    async def _shut_down(self, sender: faust.App, **_: object) -> None:
        await self._revoked(sender, set())

    async def _assigned(self, sender: faust.App, assigned: set[TP], **_: object) -> None:
        await self._revoked(sender, assigned)
        before_each_produce(self.app, partial(still_ours, self.app, STAGE))
        if assigned:
            self._held.start()

    async def _load(self) -> Case:
        settings = self._settings
        self._again_at = inf
        self._looks = folder.looks(settings)
        read = folder.read(settings)
        for name, wrong in read.wrong.items():
            log.warning("nothing is released to the alliance %s: %s", name, wrong)
        metrics.ALLIANCES_REFUSED.set(len(read.wrong))
        case = Case(read.current, self._registry, settings)
        try:
            await topics.ensure(self._registry, settings)
            for name in read.current:
                async for _, _, value in everything(settings, settings.topic(topic(name))):
                    case.remember(name, value)
                async for _, key, _ in everything(settings, settings.topic(counts_topic(name))):
                    case.counted.add((name, key or b""))
        except FailedError as error:
            log.warning("nothing is released to alliances for now: %s", error)
            self._again_at = time.monotonic() + _AGAIN_S
            return Case({}, self._registry, settings)
        async for _, record in everything_stamped(settings, settings.topic("campaigns")):
            case.take(record)
        log.info("alliances: %d, %d campaigns read", len(read.current), len(case.campaigns))
        return case

    def recovered(self) -> bool:
        """Whether it stands by, or has read what was told."""
        return not self._held.is_loading

    async def handle(self, tp: TP, batch: Batch) -> None:
        """Take note of one fetched batch: what is committed is only how far this came, for
        whoever takes over reads it all again.
        """
        case = await consumer_of(self.app).unless_given_up(self._held.ready())
        if case is None:
            return  # revoked meanwhile: it comes to whoever has it now
        for record in batch:
            case.take(record)
        metrics.RECORDS_NOT_OURS.inc(case.not_ours)
        case.not_ours = 0
        consumer_of(self.app).done(tp, batch)

    async def rehearsal(self, tp: TP) -> Work | None:
        """What comes of a batch, but for sending it."""
        case = await consumer_of(self.app).unless_given_up(self._held.ready())
        if case is None:
            return None

        def work(batch: Batch) -> None:
            for record in batch:
                case.take(record)
            for of in case.alliances.values():
                of.publication.look(self._now())

        return work

    async def set_aside(self, tp: TP, record: Any, why: str) -> None:
        """Keep a record that a bug of ours keeps us from reading."""
        name = self._settings.topic("dead-letters")
        await keep(tp, record, why, STAGE, partial(self._letters.send, name))
        await self._letters.delivered()

    async def tick(self) -> None:
        """Release what is due; take up what the folder says now."""
        if self.app.rebalancing:
            return
        try:
            if self._held.case is not None and self._is_outdated():
                self._held.start()
            if self._held.is_loading:
                return
            case = await self._held.ready()
            if case is None:
                return
            async with self._telling:
                await self._tell(case)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
            crash(f"{STAGE}: what was due was not released")
        consumer = consumer_of(self.app)
        self._lag.show(
            {(STAGE, tp.topic, tp.partition): consumer.lag(tp) or 0 for tp in consumer.assignment()}
        )

    def _is_outdated(self) -> bool:
        if time.monotonic() > self._again_at:
            return True
        return folder.looks(self._settings) != self._looks

    async def _tell(self, case: Case) -> None:
        for of in case.alliances.values():
            for key, value, name, about in of.due(case, self._now()):
                if self._held.case is not case:
                    return
                await self._write_down(of.alliance, value, name, about)
                await self._outbox.send(self._settings.topic(name), key, value, 0)
                metrics.ALLIANCE_RELEASES.inc()
        await self._outbox.delivered()

    async def _write_down(self, alliance: Alliance, value: bytes, name: str, about: str) -> None:
        """In the audit log, before it goes out: what, to whom, by which version."""
        await asyncio.to_thread(
            self._audit.append,
            STAGE,
            folder.RELEASED,
            about,
            alliance=alliance.id,
            version=alliance.version,
            signed=digest_of(alliance),
            topic=name,
            digest=sha256(value).hexdigest(),
        )


Due = tuple[bytes, bytes, str, str]
"""Key, value, topic without its prefix, and what it is about."""


class _Alliance:
    """One of them, as of one version."""

    def __init__(self, alliance: Alliance, registry: Registry) -> None:
        self.alliance = alliance
        self.publication = Publication(registry.terms, alliance.recipient, alliance.policy.after)
        self._members = tuple(Reader(one.organisation, one.country) for one in alliance.members)
        self._looked_at = 0

    def due(self, case: Case, now: int) -> list[Due]:
        """What is to be told now."""
        found: list[Due] = []
        if self.publication.is_due(now) or now - self._looked_at >= _LOOK_ANYWAY_MS:
            self._looked_at = now
            case.forget(now - REMEMBERED_MS)
            name = topic(self.alliance.id)
            for view in self.publication.look(now):
                found.append((view.id.encode(), campaign.encode(view), name, view.id))
            found += self._counts(case, now)
        return found

    def _counts(self, case: Case, now: int) -> list[Due]:
        """The days that are over and were not told of: whatever is learnt of them later."""
        policy = self.alliance.policy
        if not policy.counts:
            return []
        found: list[Due] = []
        today = (now - policy.after) // counts.DAY_MS
        for day in range(max(today - _DAYS, self.alliance.at // counts.DAY_MS), today):
            key = str(day * counts.DAY_MS).encode()
            if (self.alliance.id, key) in case.counted:
                continue
            case.counted.add((self.alliance.id, key))
            of = case.campaigns.values()
            members = counts.counts(of, case.terms, self._members, policy.counts, day)
            since, until = day * counts.DAY_MS, (day + 1) * counts.DAY_MS
            told = counts.Counts(self.alliance.id, self.alliance.version, since, until, members)
            name = counts_topic(self.alliance.id)
            found.append((key, counts.encode(told), name, f"day {since}"))
        return found


class Case:
    """All alliances, and all campaigns."""

    def __init__(
        self, alliances: dict[str, Alliance], registry: Registry, settings: Settings
    ) -> None:
        self.terms = registry.terms
        self.alliances = {name: _Alliance(one, registry) for name, one in alliances.items()}
        self.campaigns: dict[str, Campaign] = {}
        self.counted: set[tuple[str, bytes]] = set()
        self.not_ours = 0

    def remember(self, name: str, value: bytes | None) -> None:
        """Take up what a predecessor told an alliance."""
        try:
            if value is not None:
                self.alliances[name].publication.remember(campaign.decode(value))
        except msgspec.DecodeError:
            metrics.RECORDS_NOT_OURS.inc()

    def take(self, record: Any) -> None:
        """Note one record of `campaigns`."""
        try:
            one = campaign.decode(record.value or b"")
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.not_ours += 1
            return
        self.campaigns[one.id] = one
        for of in self.alliances.values():
            of.publication.hear(one, record.timestamp, record.offset)

    def forget(self, before_ms: int) -> None:
        """What has been over for long."""
        for one in long_over(self.campaigns.values(), before_ms):
            del self.campaigns[one.id]


def make_alliance_stage(app: faust.App, settings: Settings, registry: Registry) -> AllianceStage:
    """The stage of these settings, by the wall's clock."""
    audit = AuditLog(audit_path(settings))
    return AllianceStage(app, settings, registry, audit, lambda: time.time_ns() // 1_000_000)
