"""The share stage: campaigns, alerts and what recipients write back in, letters out.

One worker of all is active, the others stand by. What it must know is on topics, read once more by
who takes over: `deliveries` above all, which holds every letter that was written, and how far it
is. A letter is written down there before it goes out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import faust
import msgspec
from faust.types import TP

from pipeline.registry import Registry
from pipeline.share import ledger, letter, reply
from pipeline.share.correspondence import Correspondence
from pipeline.share.ledger import Entry, Way
from pipeline.share.letter import Letter, Raised
from pipeline.share.route import Routes
from pipeline.share.ruling import encode_open
from pipeline.share.terms import Terms
from pipeline.share.way import TOPIC
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
from pipeline.shell.audit_log import AuditLog, audit_path
from pipeline.shell.lags import Lags
from pipeline.shell.notify.case import Case
from pipeline.shell.notify.posting import Posting
from pipeline.shell.notify.records import now_ms
from pipeline.shell.notify.sources import Sources, sources_of, topics_of
from pipeline.shell.rehearsal import Work
from pipeline.shell.restoring import everything
from pipeline.shell.settings import Settings
from pipeline.shell.sieve import keep
from pipeline.shell.taking_over import TakingOver
from pipeline.shell.transport import Batch

STAGE: Final = "share"
_LATELY_S: Final = 0.2


class ShareStage:
    """The correspondence, if this worker is the active one."""

    def __init__(
        self,
        app: faust.App,
        settings: Settings,
        sources: Sources,
        routes: Routes,
        terms: Terms,
        audit: AuditLog,
    ) -> None:
        self.app = app
        self._settings = settings
        self._sources = sources
        self._routes = routes
        self._terms = terms
        self._audit = audit
        self._topics = read_topics(settings, sources)
        self._letters = Outbox(app)
        self._outbox = Outbox(app)
        self._held: TakingOver[Case] = TakingOver(self._load, self._take_up)
        self._writing = asyncio.Lock()
        self._posting: Posting | None = None
        self._lags = Lags(STAGE)
        serve(app, self._topics, self, STAGE)
        app.timer(interval=_LATELY_S)(self.post)
        app.timer(interval=1.0)(self.look_again)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)
        app.on_before_shutdown.connect(self._shut_down, weak=False)

    async def _revoked(self, sender: faust.App, revoked: set[TP], **_: object) -> None:
        self._held.drop()
        posting, self._posting = self._posting, None
        if posting is not None:
            await posting.close()
        async with self._writing:
            await self._outbox.delivered()

    async def _shut_down(self, sender: faust.App, **_: object) -> None:
        await self._revoked(sender, set())

    async def _assigned(self, sender: faust.App, assigned: set[TP], **_: object) -> None:
        await self._revoked(sender, assigned)
        consumer_of(self.app).before_commit = self.told
        before_each_produce(self.app, partial(still_ours, self.app, STAGE))
        if assigned:
            self._held.start()

    async def _load(self) -> Case:
        settings = self._settings
        case = Case(
            Correspondence(
                self._routes,
                self._terms,
                self._sources.delivery,
                hold_ms=settings.notify_hold_ms,
            ),
            settings,
        )
        for name in ("deliveries", "questions"):
            async for _, key, value in everything(settings, settings.topic(name)):
                case.restore(name, key or b"", value)
        group = settings.topic(f"sightline-{STAGE}")
        for topic in self._topics:
            # What was written back before has led to what it leads to; the rest is still to come.
            of = group if case.is_replies(topic) else None
            async for _, key, value in everything(settings, topic, of):
                case.take(topic, key, value, again=True)
        await self._look_on_topics(case)
        log.info("share: %d letters known", len(case.of.ledger))
        return case

    async def _look_on_topics(self, case: Case) -> None:
        """Which letters are on their topics, though a predecessor did not live to note it."""
        waiting = {entry.to for entry, name, _ in case.of.ledger.waiting() if name == TOPIC}
        for to in sorted(waiting & self._sources.ways.keys()):
            topic = self._settings.topic(self._sources.ways[to].topic)
            async for _, _, value in everything(self._settings, topic):
                try:
                    case.there.add(letter.decode(value or b"").id)
                except msgspec.DecodeError:
                    case.not_ours += 1

    def recovered(self) -> bool:
        """Whether it stands by, or has read what was told and sent."""
        return not self._held.is_loading

    async def _take_up(self, case: Case) -> None:
        """What was left waiting goes out."""
        self._posting = Posting(
            self._sources,
            self._publish,
            self._settled,
            partial(still_ours, self.app, STAGE),
            self._settings.exercise,
        )
        await self._write(case, case.of.standing)

    async def handle(self, tp: TP, batch: Batch) -> None:
        """Take note of one fetched batch, and write what follows from it."""
        case = await consumer_of(self.app).unless_given_up(self._held.ready())
        if case is None:
            return  # revoked meanwhile: it comes to whoever has it now
        started = time.perf_counter()
        about: dict[str, None] = {}
        replies: list[Entry] = []
        for record in batch:
            taken = case.take(tp.topic, record.key, record.value)
            about |= dict.fromkeys(taken.about)
            replies += taken.entries
            for said in taken.said:
                await self._note(*said)
        await self._write(case, about, replies)
        metrics.RECORDS_NOT_OURS.inc(case.not_ours)
        case.not_ours = 0
        consumer_of(self.app).done(tp, batch)
        metrics.BATCH_SECONDS.labels(STAGE).observe(time.perf_counter() - started)

    async def rehearsal(self, tp: TP) -> Work | None:
        """What comes of a batch, but for writing it."""
        case = await consumer_of(self.app).unless_given_up(self._held.ready())
        if case is None:
            return None

        def work(batch: Batch) -> None:
            for record in batch:
                for about in case.take(tp.topic, record.key, record.value).about:
                    case.of.due(about, now_ms())
                    case.of.questions(about, now_ms())

        return work

    async def set_aside(self, tp: TP, record: Any, why: str) -> None:
        """Keep a record that a bug of ours keeps us from reading."""
        topic = self._settings.topic("dead-letters")
        await keep(tp, record, why, STAGE, partial(self._letters.send, topic))
        await self._letters.delivered()

    async def told(self) -> bool:
        """Whether all that is to be committed is written down."""
        case = self._held.case
        if case is None:
            return False
        await self._outbox.delivered()
        return case is self._held.case

    async def _write(self, case: Case, about: Iterable[str], also: Sequence[Entry] = ()) -> None:
        """Write down what is due of these campaigns and alerts, and what a person is asked."""
        async with self._writing:
            put = list(also)
            for entry in also:
                await self._put(entry)
            for one in list(about):
                if self._held.case is not case:
                    return
                entries = case.of.due(one, now_ms())
                put += entries
                for entry in entries:
                    await self._put(entry)
                new, gone = case.of.questions(one, now_ms())
                topic = self._settings.topic("questions")
                for question in new:
                    value = encode_open(question)
                    await self._outbox.send(topic, question.key.encode(), value, 0)
                for key in gone:
                    await self._outbox.send(topic, key.encode(), None, 0)
            await self._outbox.delivered()
            for entry in put:
                case.of.ledger.written(entry)
        case.measure()

    async def _put(self, entry: Entry) -> None:
        topic = self._settings.topic("deliveries")
        await self._outbox.send(topic, entry.key.encode(), ledger.encode(entry), 0)

    async def post(self) -> None:
        """Send what waits."""
        case, posting = self._held.case, self._posting
        if self.app.rebalancing or case is None or posting is None:
            return
        await posting.round(case.of.ledger)

    async def _publish(self, topic: str, one: Letter) -> None:
        if self._held.case is not None and one.id in self._held.case.there:
            return
        try:
            key = letter.reference(one).encode()
            name = self._settings.topic(topic)
            outbox = Outbox(self.app)
            await outbox.send(name, key, letter.encode(one), 0)
            await outbox.delivered()
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
            crash(f"share: a letter was not put on {topic}")

    async def _settled(self, entry: Entry, name: str, way: Way) -> None:
        try:
            await self._receipt(entry, name, way)
            # As it is now: what was written meanwhile must not be put back to what it was.
            case = self._held.case
            now = case.of.ledger.get(entry.about, entry.to) if case is not None else None
            if case is None or now is None or case.of.ledger.is_draft(now):
                return
            topic = self._settings.topic("deliveries")
            outbox = Outbox(self.app)
            await outbox.send(topic, now.key.encode(), ledger.encode(now), 0)
            await outbox.delivered()
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
            crash("share: how a delivery went was not written down")

    async def _receipt(self, entry: Entry, name: str, way: Way) -> None:
        """In the audit log: what went, to whom, by which way. Alerts are too many for it."""
        if isinstance(entry.letter.body, Raised) or way.state is ledger.State.WAITING:
            return
        await asyncio.to_thread(
            self._audit.append,
            STAGE,
            way.state,
            entry.about,
            to=entry.to,
            way=name,
            letter=entry.letter.id,
            revision=entry.revision,
            tlp=str(entry.letter.tlp),
            tries=way.tries,
            **({"reason": str(way.why)} if way.why else {}),
        )

    async def _note(self, by: str, said: reply.Said, about: str) -> None:
        """In the audit log: what came back."""
        kind = type(said).__name__.lower()
        metrics.REPLIES.labels(kind).inc()
        word = {"word": str(said.word)} if isinstance(said, reply.Reply) else {}
        await asyncio.to_thread(self._audit.append, by, kind, about, **word)

    async def look_again(self) -> None:
        """What was too soon before; what has been over for long; what can be read off the state."""
        case = self._held.case
        if self.app.rebalancing or case is None:
            await self._begin()
            return
        if case.of.held:
            await self._write(case, list(case.of.held))
        for key in case.of.ledger.forget(now_ms()):
            await self._outbox.send(self._settings.topic("deliveries"), key.encode(), None, 0)
        consumer = consumer_of(self.app)
        self._lags.show(consumer, consumer.assignment())

    async def _begin(self) -> None:
        """With nothing new to read, what was left waiting goes out nevertheless."""
        if not self.app.rebalancing and self._held.is_loaded:
            await self._held.ready()


def make_share_stage(app: faust.App, settings: Settings, registry: Registry) -> ShareStage:
    """The stage of these settings; a `WrongUseError` says which of its files is wrong."""
    made = sources_of(settings)
    routes = Routes(made.directory, registry.organisations)
    audit = AuditLog(audit_path(settings))
    return ShareStage(app, settings, made, routes, registry.terms, audit)


def read_topics(settings: Settings, sources: Sources) -> list[str]:
    """What the stage reads: full names."""
    _, back = topics_of(settings)
    names = ["campaigns", *back, "rulings", "suppressions"]
    if sources.delivery.subscribers:
        names.append("alerts")
    return [settings.topic(name) for name in names]
