"""One shard among the workers: the order in which what it gives out is sent, and its giving up."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import faust
from faust.types import TP

from pipeline.canary import Canaries
from pipeline.episode import Episode
from pipeline.shard import CheckpointRecord, Shard, Taken
from pipeline.shell import metrics
from pipeline.shell.app import consumer_of
from pipeline.shell.dispatch import Dispatch, Post
from pipeline.shell.transport import Batch

WAITING = 16
"""Batches of a shard that are correlated before what they led to is sent: together, where
`at_once` lets them. Each going its way alone would wait for the broker twice."""

BLOCK_S = 0.01
"""How long the making of a checkpoint's segments keeps a shard from correlating, at a time …"""
BREATHES = 4
"""… and for how many times as long it then lets others go on: alerts must not wait for it."""
TRIES = 3
"""How often it is tried to find that nothing is on its way, without keeping a shard from it."""


class GivenUpError(Exception):
    """The partition is not ours any more: what was being done with it is somebody else's now."""


class Stage(Protocol):
    """What a keeper asks of the stage that it keeps a shard for."""

    app: faust.App
    canaries: Canaries


class Keeper:
    """One shard, and the order in which what it gives out is sent (see `pipeline.shard`).

    Correlating goes on while alerts of before are on their way; a checkpoint's segment is made
    only when none is, behind `gate`.
    """

    def __init__(self, stage: Stage, dispatch: Dispatch, tp: TP, shard: Shard) -> None:
        """`tp`: the partition of sightings that the shard is of."""
        self.shard = shard
        self.gate = asyncio.Lock()
        self._stage = stage
        self._dispatch = dispatch
        self._tp = tp
        self._posted: list[asyncio.Future[None]] = []
        """What is on its way."""
        self._given_up = asyncio.Event()

    async def take(self, batch: Batch) -> Taken:
        """Correlate a batch; what it led to is sent in its turn."""
        if self._on_its_way() >= WAITING:
            await self._all_arrived()
        async with self.gate:
            records = [(record.key, record.value) for record in batch]
            taken = self.shard.take(records)
            self._post(taken, self._stage.canaries.take(records), batch)
        return taken

    async def checkpoint(self) -> None:
        """Write a checkpoint; returns when it has arrived."""
        async with self.gate:
            if self._given_up.is_set():
                raise GivenUpError
            self._post(Taken(self.shard.refresh(), []), [], None)
        segments = self.shard.checkpoint()
        more = True
        while more:
            await self._close_gate()
            try:
                started = time.perf_counter()
                made: list[CheckpointRecord] = []
                while more and time.perf_counter() - started < BLOCK_S:
                    record = next(segments, None)
                    more = record is not None
                    if record is not None:
                        made.append(record)
                took = time.perf_counter() - started
            finally:
                self.gate.release()
            metrics.CHECKPOINT_BLOCK_SECONDS.observe(took)
            for record in made:
                if self._given_up.is_set():
                    raise GivenUpError
                await self._dispatch.save(self._tp.partition, record)
            # Not while partitions are given up: the group waits for the last checkpoint then.
            breath = asyncio.sleep(BREATHES * took)
            await consumer_of(self._stage.app).unless_given_up(breath)
        await self._dispatch.checkpoints.delivered()

    def give_up(self) -> None:
        """The partition is not ours any more: nobody waits for what was not sent. That is its next
        owner's to find again.
        """
        self._given_up.set()

    def _post(self, taken: Taken, canaries: list[Episode], batch: Batch | None) -> None:
        arrived = asyncio.get_running_loop().create_future()
        self._posted.append(arrived)
        self._dispatch.post(Post(taken, canaries, self._tp, batch, arrived))

    async def _close_gate(self) -> None:
        """Take the gate when all that was given out has arrived. Who waits for that behind a closed
        gate keeps all shards from correlating: not before it was tried with an open one.
        """
        for _ in range(TRIES):
            await self._all_arrived()
            await self.gate.acquire()
            if not self._on_its_way():
                return
            self.gate.release()
        await self.gate.acquire()
        try:
            await self._all_arrived()
        except BaseException:
            self.gate.release()
            raise

    def _on_its_way(self) -> int:
        """Batches of which not all that they led to has arrived."""
        self._posted = [each for each in self._posted if not each.done()]
        return len(self._posted)

    async def _all_arrived(self) -> None:
        """Wait for what was given out; a `GivenUpError` if it never will arrive."""
        if self._on_its_way():
            given_up = asyncio.ensure_future(self._given_up.wait())
            arrived = asyncio.ensure_future(asyncio.wait(self._posted))
            await asyncio.wait({arrived, given_up}, return_when=asyncio.FIRST_COMPLETED)
            arrived.cancel()
            given_up.cancel()
        if self._given_up.is_set():
            raise GivenUpError
