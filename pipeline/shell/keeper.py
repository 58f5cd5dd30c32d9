"""One shard among the workers: the order in which what it gives out is sent, and its giving up."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import faust
from faust.types import TP

from pipeline.canary import Canaries
from pipeline.episode import Episode
from pipeline.shard import CheckpointRecord, Shard, Taken
from pipeline.shell import metrics
from pipeline.shell.app import consumer_of
from pipeline.shell.dispatch import Dispatch, Message, Post
from pipeline.shell.transport import Batch

WAITING = 16
"""Batches of a shard that are correlated before what they led to is sent: together, where
`at_once` lets them. Each going its way alone would wait for the broker twice."""

BLOCK_S = 0.02
"""How long the making of a checkpoint's segments keeps a shard from correlating, at a time …"""
BREATHES = 2
"""… and for how many times as long it then lets others go on: alerts must not wait for it."""


class GivenUpError(Exception):
    """The partition is not ours any more: what was being done with it is somebody else's now."""


class Stage(Protocol):
    """What a keeper asks of the stage that it keeps a shard for."""

    app: faust.App
    canaries: Canaries

    def tell(self, episodes: Sequence[Episode]) -> Sequence[Message]:
        """Revisions of alerts as they are sent."""


class Keeper:
    """One shard, and the order in which what it gives out is sent (see `pipeline.shard`).

    Correlating goes on while alerts of before are on their way; a checkpoint's segment is made
    only when none is, behind `gate`.
    """

    def __init__(self, stage: Stage, dispatch: Dispatch, partition: int, shard: Shard) -> None:
        self.shard = shard
        self.gate = asyncio.Lock()
        self._stage = stage
        self._dispatch = dispatch
        self._partition = partition
        self._unsent: deque[asyncio.Future[None]] = deque()
        self._given_up = asyncio.Event()

    async def take(self, tp: TP, batch: Batch) -> Taken:
        """Correlate a batch; what it led to is sent in its turn."""
        while self._unsent and self._unsent[0].done():
            self._unsent.popleft()
        if len(self._unsent) >= WAITING:
            await self._all_sent()
        async with self.gate:
            records = [(record.key, record.value) for record in batch]
            taken = self.shard.take(records)
            sent = asyncio.get_running_loop().create_future()
            self._unsent.append(sent)
            self._dispatch.post(Post(taken, self._stage.canaries.take(records), tp, batch, sent))
        return taken

    async def checkpoint(self) -> None:
        """Write a checkpoint; returns when it has arrived."""
        async with self.gate:
            await self._all_sent()
            await self._dispatch.publish(self._stage.tell(self.shard.refresh()))
        segments = self.shard.checkpoint()
        more = True
        while more:
            async with self.gate:
                await self._all_sent()
                await self._dispatch.alerts.delivered()
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
                await self._dispatch.save(self._partition, record)
            # Not while partitions are given up: the group waits for the last checkpoint then.
            breath = asyncio.sleep(BREATHES * took)
            await consumer_of(self._stage.app).unless_given_up(breath)
        await self._dispatch.checkpoints.delivered()

    def give_up(self) -> None:
        """The partition is not ours any more: nobody waits for what was not sent. That is its next
        owner's to find again.
        """
        self._given_up.set()

    async def _all_sent(self) -> None:
        """Wait for what was correlated to be sent; a `GivenUpError` if it never will be."""
        given_up = asyncio.ensure_future(self._given_up.wait())
        last: list[asyncio.Future[Any]] = list(self._unsent)[-1:]  # in their order: then all are
        if last:
            await asyncio.wait([*last, given_up], return_when=asyncio.FIRST_COMPLETED)
        given_up.cancel()
        if self._given_up.is_set():
            raise GivenUpError
