"""One shard among the workers: the order in which what it gives out is sent, and its giving up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import faust
from faust.types import TP

from pipeline.canary import Canaries
from pipeline.episode import Change, Episode
from pipeline.shard import CheckpointRecord, Shard, Taken, at_once
from pipeline.shell import exemplars, metrics
from pipeline.shell.app import Outbox, consumer_of, crash
from pipeline.shell.in_hand import InHand
from pipeline.shell.settings import Settings
from pipeline.shell.transport import Batch

WAITING = 16
"""Batches of a shard that are correlated before what they led to is sent: together, where
`at_once` lets them. Each going its way alone would wait for the broker twice."""

BLOCK_S = 0.02
"""How long the making of a checkpoint's segments keeps a shard from correlating, at a time …"""
BREATHES = 2
"""… and for how many times as long it then lets others go on: alerts must not wait for it."""


class _Post(NamedTuple):
    """What came of a batch, to be sent in its turn."""

    taken: Taken
    canaries: list[Episode]
    tp: TP
    batch: Batch


class GivenUpError(Exception):
    """The partition is not ours any more: what was being done with it is somebody else's now."""


class Stage(Protocol):
    """What a keeper asks of the stage that it keeps a shard for."""

    app: faust.App
    settings: Settings
    hand: InHand
    canaries: Canaries

    async def publish(self, outbox: Outbox, episodes: Sequence[Episode]) -> None:
        """Send revisions of alerts."""

    async def publish_canaries(self, outbox: Outbox, episodes: Sequence[Episode]) -> None:
        """Send what came of canaries, where nobody else looks."""


class Keeper:
    """One shard, and the order in which what it gives out is sent (see `pipeline.shard`).

    Correlating goes on while alerts of before are on their way; a checkpoint's segment is made
    only when none is, behind `gate`.
    """

    def __init__(self, stage: Stage, partition: int, shard: Shard) -> None:
        self.shard = shard
        self.gate = asyncio.Lock()
        self._stage = stage
        self._partition = partition
        self._alerts = Outbox(stage.app)
        self._checkpoints = Outbox(stage.app)
        self._posts: asyncio.Queue[_Post] = asyncio.Queue()
        self._sender = asyncio.ensure_future(self._send_all())
        self._given_up = asyncio.Event()

    async def take(self, tp: TP, batch: Batch) -> Taken:
        """Correlate a batch; what it led to is sent in its turn."""
        if self._posts.qsize() >= WAITING:
            await self._all_sent()
        async with self.gate:
            records = [(record.key, record.value) for record in batch]
            taken = self.shard.take(records)
            self._posts.put_nowait(_Post(taken, self._stage.canaries.take(records), tp, batch))
        return taken

    async def _send_all(self) -> None:
        waiting: list[_Post] = []
        try:
            while True:
                if not waiting:
                    waiting.append(await self._posts.get())
                while not self._posts.empty():
                    waiting.append(self._posts.get_nowait())
                count = at_once(post.taken for post in waiting)
                await self._write_ahead(waiting[:count])
                for _ in range(count):
                    await self._post(waiting[0])
                    del waiting[0]
        except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
            if waiting and waiting[0].batch:
                self._stage.hand.take(waiting[0].tp, waiting[0].batch)
            crash(f"correlate: alerts of partition {self._partition} were not sent")

    async def _write_ahead(self, posts: Sequence[_Post]) -> None:
        records = [record for post in posts for record in post.taken.write_ahead]
        if not records:
            return
        await self._alerts.delivered()
        for record in records:
            await self._save(*record)
        await self._checkpoints.delivered()

    async def _post(self, post: _Post) -> None:
        await self._send(post.taken)
        if post.canaries:
            await self._stage.publish_canaries(self._alerts, post.canaries)
        consumer_of(self._stage.app).done(post.tp, post.batch)
        self._posts.task_done()

    async def _send(self, taken: Taken) -> None:
        if taken.episodes:
            await self._stage.publish(self._alerts, taken.episodes)
            opened = next((e for e in taken.episodes if e.change is Change.OPENED), None)
            if taken.ingested_ms and opened is not None:
                seconds = max(time.time() - taken.ingested_ms / 1000, 0)
                metrics.ALERT_SECONDS.observe(seconds)
                exemplars.ALERT_LATENCY.note(opened.id, seconds)

    async def _save(self, key: bytes, segment: bytes | None) -> None:
        topic = self._stage.settings.topic("checkpoints")
        await self._checkpoints.send(topic, key, segment, self._partition)

    async def checkpoint(self) -> None:
        """Write a checkpoint; returns when it has arrived."""
        async with self.gate:
            await self._all_sent()
            await self._stage.publish(self._alerts, self.shard.refresh())
        segments = self.shard.checkpoint()
        more = True
        while more:
            async with self.gate:
                await self._all_sent()
                await self._alerts.delivered()
                started = time.perf_counter()
                made: list[CheckpointRecord] = []
                while more and time.perf_counter() - started < BLOCK_S:
                    record = next(segments, None)
                    more = record is not None
                    if record is not None:
                        made.append(record)
                took = time.perf_counter() - started
                metrics.CHECKPOINT_BLOCK_SECONDS.observe(took)
            for record in made:
                if self._given_up.is_set():
                    raise GivenUpError
                await self._save(*record)
            # Not while partitions are given up: the group waits for the last checkpoint then.
            breath = asyncio.sleep(BREATHES * took)
            await consumer_of(self._stage.app).unless_given_up(breath)
        await self._checkpoints.delivered()

    async def close(self) -> None:
        """Give the partition up: what was not sent is its next owner's to find again. What is on
        its way arrives before this returns: the next owner must not begin between.
        """
        self._sender.cancel()
        self._given_up.set()
        await self._alerts.delivered()
        await self._checkpoints.delivered()

    async def _all_sent(self) -> None:
        """Wait for what was correlated to be sent; a `GivenUpError` if it never will be."""
        sent = asyncio.ensure_future(self._posts.join())
        given_up = asyncio.ensure_future(self._given_up.wait())
        await asyncio.wait({sent, given_up}, return_when=asyncio.FIRST_COMPLETED)
        sent.cancel()
        given_up.cancel()
        if self._given_up.is_set():
            raise GivenUpError
