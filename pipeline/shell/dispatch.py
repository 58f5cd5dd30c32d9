"""What the shards of a worker led to, sent in the order that `pipeline.shard` asks for.

All of it goes the same way, by one sender. Each send is a question to the broker, and costs both
the worker and the broker a millisecond, whatever it holds: what waits meanwhile, of whichever
shard, goes together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import faust
from faust.types import TP

from pipeline.episode import Change, Episode
from pipeline.shard import CheckpointRecord, Taken, at_once
from pipeline.shell import exemplars, metrics
from pipeline.shell.app import Outbox, consumer_of, crash
from pipeline.shell.in_hand import InHand
from pipeline.shell.settings import Settings
from pipeline.shell.transport import Batch


class Message(NamedTuple):
    """For a partition of `alerts`."""

    partition: int
    key: bytes
    value: bytes


class Post(NamedTuple):
    """What came of a batch, if of one, to be sent in its turn; `arrived` is done when all did."""

    taken: Taken
    canaries: list[Episode]
    tp: TP
    batch: Batch | None
    arrived: asyncio.Future[None]


class Stage(Protocol):
    """What is asked of the stage whose alerts these are."""

    app: faust.App
    settings: Settings
    hand: InHand

    def tell(self, episodes: Sequence[Episode]) -> Sequence[Message]:
        """Revisions of alerts as they are sent."""

    async def publish_canaries(self, outbox: Outbox, episodes: Sequence[Episode]) -> None:
        """Send what came of canaries, where nobody else looks."""


class Dispatch:
    """The sender of a worker's shards, while they are its own."""

    def __init__(self, stage: Stage) -> None:
        self.checkpoints = Outbox(stage.app)
        self._alerts = Outbox(stage.app)
        self._ahead = Outbox(stage.app)  # of its own: it waits for no checkpoint
        self._stage = stage
        self._posts: asyncio.Queue[Post] = asyncio.Queue()
        self._blamed: Post | None = None
        """Whose batch is to be looked at, if this fails."""
        self._sender = asyncio.ensure_future(self._send_all())
        self._arrivals: set[asyncio.Task[None]] = set()

    def post(self, post: Post) -> None:
        """Have it sent after all that was posted before."""
        self._posts.put_nowait(post)

    async def save(self, partition: int, record: CheckpointRecord) -> None:
        """Send a record of a checkpoint."""
        await self._save(self.checkpoints, partition, record)

    async def close(self) -> None:
        """Send nothing more. What is on its way arrives before this returns."""
        self._sender.cancel()
        for outbox in (self._alerts, self._ahead, self.checkpoints):
            await outbox.delivered()

    async def _save(self, outbox: Outbox, partition: int, record: CheckpointRecord) -> None:
        await outbox.send(self._stage.settings.topic("checkpoints"), *record, partition)

    async def _send_all(self) -> None:
        waiting: list[Post] = []
        try:
            while True:
                if not waiting:
                    waiting.append(await self._posts.get())
                while not self._posts.empty():
                    waiting.append(self._posts.get_nowait())
                count = at_once(post.taken for post in waiting)
                self._blamed = waiting[0]
                await self._write_ahead(waiting[:count])
                await self._tell(waiting[:count])
                del waiting[:count]
        except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
            if self._blamed is not None and self._blamed.batch:
                self._stage.hand.take(self._blamed.tp, self._blamed.batch)
            crash("correlate: alerts were not sent")

    async def _write_ahead(self, posts: Sequence[Post]) -> None:
        if not any(post.taken.write_ahead for post in posts):
            return
        await self._alerts.delivered()
        for post in posts:
            for record in post.taken.write_ahead:
                await self._save(self._ahead, post.tp.partition, record)
        await self._ahead.delivered()

    async def _tell(self, posts: Sequence[Post]) -> None:
        by_partition: dict[int, list[tuple[bytes, bytes]]] = {}
        for post in posts:
            self._blamed = post
            for message in self._stage.tell(post.taken.episodes):
                by_partition.setdefault(message.partition, []).append((message.key, message.value))
        topic = self._stage.settings.topic("alerts")
        for partition, messages in by_partition.items():
            await self._alerts.send_packed(topic, partition, messages)
        for post in posts:
            if post.canaries:
                await self._stage.publish_canaries(self._alerts, post.canaries)
            _note_latency(post.taken)
            if post.batch is not None:
                consumer_of(self._stage.app).done(post.tp, post.batch)
        arriving = asyncio.ensure_future(self._arrive(posts))
        self._arrivals.add(arriving)
        arriving.add_done_callback(self._arrivals.discard)

    async def _arrive(self, posts: Sequence[Post]) -> None:
        try:
            await self._alerts.delivered()
        except Exception:  # noqa: BLE001 - dead infrastructure
            crash("correlate: alerts did not arrive")
        for post in posts:
            post.arrived.set_result(None)


def _note_latency(taken: Taken) -> None:
    opened = next((e for e in taken.episodes if e.change is Change.OPENED), None)
    if taken.ingested_ms and opened is not None:
        seconds = max(time.time() - taken.ingested_ms / 1000, 0)
        metrics.ALERT_SECONDS.observe(seconds)
        exemplars.ALERT_LATENCY.note(opened.id, seconds)
