"""One stage as a Faust app: its consumer group, its producer, its clock."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import faust
from aiokafka.protocol.produce import ProduceRequest
from faust.assignor.partition_assignor import PartitionAssignor
from faust.types import TP

from pipeline.shell import fetching, metrics, unpack
from pipeline.shell.in_hand import InHand
from pipeline.shell.one_active import OneActive
from pipeline.shell.pulse import Pulse
from pipeline.shell.security import for_faust
from pipeline.shell.settings import Settings
from pipeline.shell.sieve import Stage, sifted
from pipeline.shell.transport import BatchConsumer, BatchTransport, stage_of

SESSION_TIMEOUT_S = 10.0  # a worker that was killed is missed this long
HEARTBEAT_S = 2.0
REQUEST_TIMEOUT_S = 30.0
MAX_POLL_RECORDS = 16_000
FETCH_BYTES = 2 << 20  # of one partition: who catches up works on large batches
BATCHES_WAITING = 4  # a stream element is a whole batch: a few are enough
BUG = 70  # exit status (EX_SOFTWARE)

log = logging.getLogger("sightline")


def make_app(
    stage: str, settings: Settings, folder: Path, *, one_active: bool = False
) -> faust.App:
    """A Faust app for one stage; `folder` is its own, for what Faust wants to keep. With
    `one_active`, one member of all has every partition.

    Each stage is a consumer group of its own, so that it scales without the others rebalancing.
    """
    fetching.install()
    unpack.install()
    app = faust.App(
        settings.topic(f"sightline-{stage}"),
        broker=";".join(f"kafka://{server}" for server in settings.broker.split(",")),
        broker_credentials=for_faust(settings),
        datadir=folder,
        key_serializer="raw",
        value_serializer="raw",
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # There are no tables: Faust asks its own assignor for the sake of this alone.
        table_standby_replicas=int(one_active),
        PartitionAssignor=OneActive if one_active else PartitionAssignor,
        consumer_auto_offset_reset="earliest",
        # A stage that is started again is the same member of its group: it takes up its partitions
        # at once, where a new one would wait until the session of the old one is over.
        consumer_group_instance_id=f"{stage}-{folder.parent.name}",
        consumer_max_fetch_size=FETCH_BYTES,
        stream_buffer_maxsize=BATCHES_WAITING,
        stream_wait_empty=True,
        broker_max_poll_records=MAX_POLL_RECORDS,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_request_timeout=REQUEST_TIMEOUT_S,
        broker_commit_interval=settings.checkpoint_interval_s,
        producer_acks=-1,
        producer_linger=0.002,
        producer_max_batch_size=256 * 1024,
        producer_max_request_size=4 << 20,
        producer_request_timeout=REQUEST_TIMEOUT_S,
    )
    app.boot_strategy.enable_web = False  # the setting alone still binds a port
    app.transport = BatchTransport(app.conf.broker_consumer, app, loop=app.loop)
    return app


class Outbox:
    """Sends, and knows what has not been delivered yet. A delivery that fails is a crash."""

    def __init__(self, app: faust.App, most: int = 5_000) -> None:
        self._app = app
        self._most = most
        self._waiting: list[asyncio.Future[Any]] = []

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = None
    ) -> None:
        """Send without waiting for the delivery, unless too much is on its way."""
        if len(self._waiting) >= self._most:
            await self.delivered()
        sent = await self._app.producer.send(topic, key, value, partition, None, None)
        self._note(sent)

    async def send_packed(
        self, topic: str, partition: int, messages: Iterable[tuple[bytes, bytes]]
    ) -> None:
        """Send (key, value) messages to one partition, a Kafka batch at a time: a fifth of what
        sending them one by one costs.
        """
        producer = self._app.producer._producer  # noqa: SLF001 - Faust has no batches
        batch = producer.create_batch()
        for key, value in messages:
            if batch.append(key=key, value=value, timestamp=None) is None:
                self._note(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        self._note(await producer.send_batch(batch, topic, partition=partition))

    def _note(self, sent: Awaitable[Any]) -> None:
        self._waiting.append(asyncio.ensure_future(sent))

    async def delivered(self) -> None:
        """Wait until everything that was sent has arrived."""
        # What is waited for stays in the list until it has arrived: another who asks meanwhile
        # must not be told that nothing is on its way.
        waiting = list(self._waiting)
        if waiting:
            # Not `gather`: who stops waiting must not cancel what another waits for, too.
            arrived, _ = await asyncio.wait(waiting)
            failed = sum(not one.cancelled() and one.exception() is not None for one in arrived)
            if failed:
                metrics.PRODUCE_ERRORS.labels(stage_of(self._app)).inc(failed)
            for one in arrived:
                one.result()
            self._waiting = [one for one in self._waiting if one not in arrived]


def serve(app: faust.App, topics: Sequence[str], stage: Stage, name: str) -> InHand:
    """Let the stage's agent hand every batch to it; a bug in it ends the process.

    Faust would take a batch whose handling raised for done; so nothing is left that could. What
    was in hand then is noted: a batch that kills twice is sifted.
    """
    hand = InHand(Path(app.conf.datadir))

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            tp, batch = event.message.tp, event.message.value
            try:
                batch = await sifted(tp, batch, hand, stage)
                metrics.RECORDS_RECEIVED.labels(name).inc(len(batch))
                if batch:
                    hand.take(tp, batch)
                await stage.handle(tp, batch)
                hand.put_down()
            except Exception:  # noqa: BLE001 - a bug, or dead infrastructure
                crash(f"{name}: a batch of {tp} failed")

    agent.__name__ = name
    app.agent(app.topic(*topics), name=name, concurrency=1)(agent)
    return hand


def crash(what: str) -> None:
    """End this process now, before anything more counts as done."""
    log.critical("%s\n%s", what, traceback.format_exc())
    logging.shutdown()
    os._exit(BUG)


def still_ours(app: faust.App, stage: str) -> None:
    """End this process if its partitions may be somebody else's by now: one that was stopped or
    starved beyond the session timeout must not tell what another tells meanwhile.
    """
    silent = consumer_of(app).silent_for()
    if silent > SESSION_TIMEOUT_S * 0.8:
        crash(f"{stage}: the broker has not heard of this worker for {silent:.0f} s")


def before_each_produce(app: faust.App, check: Callable[[], None]) -> None:
    """Have `check` called when a request to produce is about to be written to the wire.

    What was given to the producer may lie there for as long as this process is stopped, and would
    go out as soon as it runs again: asking when it is handed over is asking too early.
    """
    client = app.producer._producer.client  # noqa: SLF001 - Faust has no way in
    if hasattr(client, "unchecked_send"):
        return
    client.unchecked_send = client.send

    async def send(node_id: int, request: Any, **options: Any) -> Any:
        if isinstance(request, ProduceRequest):
            check()
        return await client.unchecked_send(node_id, request, **options)

    client.send = send


def consumer_of(app: faust.App) -> BatchConsumer:
    consumer = app.consumer
    assert isinstance(consumer, BatchConsumer)
    return consumer


def run(app: faust.App, stage: str, pulse: Pulse) -> int:
    """Run a stage's app until SIGTERM or SIGINT, or SIGHUP: then its partitions stay its own, for
    it comes again at once. The exit status.
    """
    return asyncio.get_event_loop().run_until_complete(_run(app, stage, pulse))


async def _run(app: faust.App, stage: str, pulse: Pulse) -> int:
    # The state is millions of objects in no cycle: looking through them for garbage is the most
    # of what the collector would do. Faust's own cycles are young when they die.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 500, 1_000)
    # The consumer's thread needs the interpreter often and for little; a wait of 5 ms at each
    # step of a fetch would leave the agent without data.
    sys.setswitchinterval(0.0005)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    comes_again = asyncio.Event()

    def come_again() -> None:
        comes_again.set()
        stop.set()

    loop.add_signal_handler(signal.SIGHUP, come_again)

    said = False

    async def on_assigned(sender: Any, assigned: set[TP], **_: Any) -> None:
        nonlocal said
        if not said:
            print(f"ready {stage}", flush=True)
        said = pulse.assigned = True
        metrics.REBALANCES.labels(stage).inc()
        metrics.ASSIGNED.labels(stage).set(len(assigned))

    app.on_partitions_assigned.connect(on_assigned, weak=False)
    beating = asyncio.ensure_future(pulse.beat())
    await app.start()
    stopping = asyncio.ensure_future(stop.wait())
    ended = asyncio.ensure_future(app.wait_until_stopped())
    await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        log.critical("%s: %r", stage, app.crash_reason)
        return 1
    if not comes_again.is_set():
        consumer_of(app).leave_for_good()
    await app.stop()
    beating.cancel()
    ended.cancel()
    return 0
