"""A Faust transport that hands an agent whole fetched batches.

Faust spends 50 µs and four tasks on a Kafka message before an agent sees it. Here one stream
element is all that one fetch brought from one partition: a list of records. What a batch costs
Faust no longer counts.

Faust counts an element as done when the agent's loop comes round, even if that raised. Here an
offset counts as done only when our own code says so (`done`), and it is committed only after
`before_commit` returned True: what the batch led to is durable by then.

Overridden, and read in faust-streaming 0.15.3 (a test holds that these are still what they were):

    Consumer.getmany              one `Message` a partition batch, its value the list of records
    Consumer._new_offset          what `done` noted, not a walk over acked offsets
    Consumer._add_gap             nothing: a gap between batches is not a gap in what is done
    Consumer.ack                  only ends Faust's waiting for the element
    Consumer.force_commit         note offsets, make durable, commit, and note a commit that failed
    Consumer.topic_partitions     from the broker's metadata, not from the leader's notes
    Consumer.on_partitions_assigned listen to the heartbeats of aiokafka's coordinator
    Consumer.on_partitions_revoked  forget what was done of a partition that is gone
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from time import monotonic, time
from typing import Any, ClassVar, TypeVar

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.utils.futures import notify

from pipeline.shell import metrics

Result = TypeVar("Result")
Batch = Sequence[Any]
"""Records of one partition, in order of offset: `offset`, `timestamp` (ms), `timestamp_type`,
`key`, `value`, `headers`; see `pipeline.shell.fetching`."""


def stage_of(app: Any) -> str:
    """The stage that an app is: its group is `<prefix>sightline-<stage>`."""
    return str(app.conf.id).rpartition("sightline-")[2]


class Sifted(list[Any]):
    """What is left of a batch from which records were set aside; `last` was the last of it all."""

    def __init__(self, records: Iterable[Any], last: Any) -> None:
        super().__init__(records)
        self.last = last


def last_of(batch: Batch) -> Any:
    """The last record of a batch as it was fetched."""
    return batch.last if isinstance(batch, Sifted) else batch[-1]


class BatchConsumer(driver.Consumer):
    """A consumer whose messages are batches; see the module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[TP, int] = {}
        self.before_commit: Callable[[], Awaitable[bool]] | None = None
        self._giving_up = asyncio.Event()
        self._heard_at = monotonic()
        self._listening_to: Any = None
        self._caught_up_at: dict[TP, float] = {}
        """All that came before this, s since the epoch, is done."""

    def done(self, tp: TP, batch: Batch) -> None:
        """Everything that came of `batch` is on its way: it may be committed."""
        last = last_of(batch)
        self._done[tp] = last.offset + 1
        self._caught_up_at[tp] = last.timestamp / 1000

    def topic_partitions(self, topic: str) -> int | None:
        """Partitions of a topic, as the broker says. Faust asks what the group's leader noted for
        its assignment: of everybody else, and of a leader that was started again, it gets nothing.
        """
        consumer = self._thread._consumer
        found = consumer.partitions_for_topic(topic) if consumer is not None else None
        return len(found) if found else None

    def forget(self, tp: TP) -> None:
        """Nobody is left who could make durable what came of `tp`: it must not be committed."""
        self._done.pop(tp, None)

    def silent_for(self) -> float:
        """Seconds for which the broker may not have heard of us. Beyond the session timeout our
        partitions may be somebody else's, though we have not been told.
        """
        return monotonic() - self._heard_at

    async def unless_given_up(self, work: Awaitable[Result]) -> Result | None:
        """Wait for work, but not when partitions are to be given up: then None, at once.

        The group waits for us then, and nobody gets anything meanwhile. The work goes on, and must
        be such that nothing comes of it when it ends.
        """
        working = asyncio.ensure_future(work)
        given_up = asyncio.ensure_future(self._giving_up.wait())
        try:
            await asyncio.wait({working, given_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            given_up.cancel()
        return working.result() if working.done() else None

    def _listen(self) -> None:
        """Note each heartbeat that the broker answered: when it was sent, which is sooner than
        the broker's own clock for us began anew.
        """
        self._heard_at = monotonic()
        coordinator = self._thread._consumer._coordinator
        if coordinator is self._listening_to:
            return
        self._listening_to = coordinator
        beat = coordinator._do_heartbeat

        async def heartbeat() -> bool:
            sent = monotonic()
            answered: bool = await beat()
            if answered:
                self._heard_at = max(self._heard_at, sent)
            return answered

        coordinator._do_heartbeat = heartbeat

    def leave_for_good(self) -> None:
        """Give up the partitions when stopped. Otherwise the group keeps them for the session: it
        expects a member that has a name of its own (`group_instance_id`) back.
        """
        consumer = self._thread._consumer
        if consumer is not None and consumer._coordinator is not None:
            consumer._coordinator._group_instance_id = None

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._giving_up.clear()
        self._listen()
        await super().on_partitions_assigned(assigned, generation_id)

    def lag(self, tp: TP) -> int | None:
        """Records of a partition that are not done; None where its end is not known yet."""
        end: int | None = self.highwater(tp)
        if end is None:
            return None
        done: int | None = self._done.get(tp)
        if done is None:
            done = self._committed_offset.get(tp) or 0
        return max(end - done, 0)

    def waited(self, tp: TP) -> float:
        """Seconds that the oldest record of a partition that is not done has waited, at most. Ask
        now and then: what is known to be done then is not thought to wait later.
        """
        now = time()
        if not self.lag(tp):
            self._caught_up_at[tp] = now
        return max(now - self._caught_up_at.setdefault(tp, now), 0.0)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if not records or self.should_stop:
            return
        for tp, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                # A rebalance. What is not handed on must be fetched again, and aiokafka has moved
                # on behind it; the rebalance's own seek may have been before the fetch.
                await self.perform_seek()
                break
            if batch and (active is None or tp in active or tp in self._buffered_partitions):
                yield tp, self._batch_message(tp, batch)

    def _batch_message(self, tp: TP, batch: Batch) -> ConsumerMessage:
        last = batch[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            (),
            None,
            batch,
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def ack(self, message: Any) -> bool:
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        return self._done.get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        pass

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        noted = {
            tp: offset
            for tp, offset in self._done.items()
            if (topics is None or tp in topics or tp.topic in topics)
            and self._should_commit(tp, offset)
        }
        if not noted:
            return False
        started = monotonic()
        if self.before_commit is not None and not await self.before_commit():
            return False
        assigned = self.assignment()
        noted = {tp: offset for tp, offset in noted.items() if tp in assigned}
        if not noted or not await self._commit(noted):
            return False
        self._committed_offset.update(noted)
        metrics.COMMIT_SECONDS.labels(stage_of(self.app)).observe(monotonic() - started)
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._giving_up.set()
        await super().on_partitions_revoked(revoked)  # commits what is done
        for tp in revoked:
            self._done.pop(tp, None)
            self._caught_up_at.pop(tp, None)


class BatchTransport(driver.Transport):
    """aiokafka as ever, with the consumer above."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
