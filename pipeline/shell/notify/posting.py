"""Letters that wait, out on their ways: those of one destination one after the other, those of
different ones beside each other, again after a pause where one failed.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from pipeline.lane import Act, withheld
from pipeline.share.ledger import Entry, Failure, Ledger, State, Way, tried
from pipeline.share.letter import Letter
from pipeline.share.way import EMAIL, SYSLOG, TOPIC, WEBHOOK
from pipeline.shell import metrics
from pipeline.shell.app import log
from pipeline.shell.notify.collector import Collector
from pipeline.shell.notify.mail import Post
from pipeline.shell.notify.sources import Sources
from pipeline.shell.notify.webhook import Webhook

AT_ONCE: Final = 16
"""Destinations that something is sent to at the same time."""
MOST_WAITING: Final = 5_000
"""Letters that wait for one destination; beyond it the oldest are given up, and counted."""
MOST_IN_ONE: Final = 100
"""Letters in one mail."""

Publish = Callable[[str, Letter], Awaitable[None]]
Settled = Callable[[Entry, str, Way], Awaitable[None]]


class Destination(NamedTuple):
    """Whom by which way."""

    to: str
    way: str


_OUTSIDE = {WEBHOOK: Act.WEBHOOK, EMAIL: Act.MAIL, SYSLOG: Act.PUSH}


class Job(NamedTuple):
    """Letters that go to a destination together; all but mails alone."""

    where: Destination
    entries: tuple[Entry, ...]


class Posting:
    """Sends what waits in a ledger. `publish` puts a letter on a topic; `settled` hears how each
    try went, and writes it down; `may_send` ends the process where it must not.
    """

    def __init__(
        self,
        sources: Sources,
        publish: Publish,
        settled: Settled,
        may_send: Callable[[], None],
        exercise: str = "",
    ) -> None:
        """`exercise`: whose lane it is on: of one, letters go to topics only."""
        self._exercise = exercise
        self._sources = sources
        self._publish = publish
        self._settled = settled
        self._may_send = may_send
        delivery = sources.delivery
        self._webhook = Webhook(delivery.webhooks)
        self._post = Post(delivery.mail, sources.mail_password) if delivery.mail else None
        self._collectors = {
            name: Collector(ways.syslog) for name, ways in sources.ways.items() if ways.syslog
        }
        self._busy: dict[Destination, asyncio.Task[None]] = {}

    async def round(self, ledger: Ledger) -> None:
        """Begin what can be begun now."""
        for job in self._jobs(ledger, _now_ms()):
            if len(self._busy) >= AT_ONCE:
                return
            self._busy[job.where] = task = asyncio.ensure_future(self._do(ledger, job))
            task.add_done_callback(partial(self._free, job.where))

    def _free(self, where: Destination, _: asyncio.Task[None]) -> None:
        self._busy.pop(where, None)

    def _jobs(self, ledger: Ledger, now: int) -> list[Job]:
        queues: dict[Destination, list[tuple[Entry, Way]]] = {}
        waiting = dict.fromkeys((TOPIC, WEBHOOK, EMAIL, SYSLOG), 0)
        for entry, name, way in ledger.waiting():
            waiting[name] += 1
            queues.setdefault(Destination(entry.to, name), []).append((entry, way))
        for name, count in waiting.items():
            metrics.DELIVERIES_WAITING.labels(name).set(count)
        jobs = []
        for where, queue in queues.items():
            if where in self._busy:
                continue
            if len(queue) > MOST_WAITING:
                over = tuple(entry for entry, _ in queue[: len(queue) - MOST_WAITING])
                jobs.append(Job(where, over))  # given up, see `_do`
                continue
            if (ready := self._ready(where, queue, now)) is not None:
                jobs.append(Job(where, ready))
        return jobs

    def _ready(
        self, where: Destination, queue: Sequence[tuple[Entry, Way]], now: int
    ) -> tuple[Entry, ...] | None:
        """What goes next; None while all of it must rest."""
        ways = self._sources.ways.get(where.to)
        if where.way == EMAIL and ways is not None and ways.digest_ms:
            oldest = min(entry.letter.at for entry, _ in queue)
            rest = max(way.next for _, way in queue)
            if now < max(oldest + ways.digest_ms, rest):
                return None
            return tuple(entry for entry, _ in queue[:MOST_IN_ONE])
        return next(((entry,) for entry, way in queue if way.next <= now), None)

    async def _do(self, ledger: Ledger, job: Job) -> None:
        self._may_send()
        over = len(job.entries) > 1 and job.where.way != EMAIL
        failure = Failure.OVERFLOW if over else await self._tried(job)
        at = _now_ms()
        for entry in job.entries:
            way = tried(entry.ways[job.where.way], failure, at, secrets.randbelow(1000) / 1000)
            settled = ledger.settle(entry.key, entry.letter.id, job.where.way, way)
            if failure is not None:
                metrics.DELIVERY_FAILURES.labels(job.where.way, failure).inc()
            elif settled is not None:
                metrics.DELIVERIES.labels(job.where.way).inc()
            # Of one that a newer letter has taken the place of, its arrival still is a fact.
            if settled is not None or way.state is State.DELIVERED:
                await self._settled(settled or entry, job.where.way, way)

    async def _tried(self, job: Job) -> Failure | None:
        try:
            return await self._send(job)
        except Exception:  # noqa: BLE001 - a letter that kills would kill every successor, too
            log.critical("share: a letter was not sent\n%s", traceback.format_exc())
            return Failure.BUG

    async def _send(self, job: Job) -> Failure | None:
        ways, letter = self._sources.ways.get(job.where.to), job.entries[0].letter
        act = _OUTSIDE.get(job.where.way)
        if act is not None and withheld(act, self._exercise):
            return Failure.NOT_ALLOWED
        match job.where.way, ways:
            case "topic", found if found is not None:
                await self._publish(found.topic, letter)
                return None
            case "webhook", found if found is not None and found.hook is not None:
                return await self._webhook.send(found.hook.url, found.hook.secret, letter)
            case "email", found if found is not None and found.mailbox and self._post:
                return await self._post.send(found.mailbox, [entry.letter for entry in job.entries])
            case "syslog", found if job.where.to in self._collectors:
                return await self._collectors[job.where.to].send(letter)
        return Failure.NOT_ALLOWED  # it was reached this way once, and is no more

    async def close(self) -> None:
        """Stop: what was being sent is sent again by whoever goes on, under the same id."""
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._webhook.close()
        for collector in self._collectors.values():
            await collector.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
