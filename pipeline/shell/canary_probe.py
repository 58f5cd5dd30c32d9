"""`sightline canary`: lets canaries fly, and waits for their alerts, as somebody outside would.

It is its own process, so that it sees what a sensor and a reader see: what the broker, intake and
correlate take together. A canary whose alert does not come is lost, and counts against the
objective as one that is late does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import time
from collections.abc import AsyncIterator

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline import canary
from pipeline.shell import canary_metrics, metrics_server
from pipeline.shell.observe import decode_alert
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import FailedError, Settings, WrongUseError

LOST_AFTER_S = 30.0
"""An alert that has not come by then is not waited for."""
REQUEST_TIMEOUT_MS = 10_000

log = logging.getLogger("sightline")


def run(settings: Settings) -> int:
    """Until SIGTERM or SIGINT. The exit status."""
    if not settings.canary_interval_s:
        raise WrongUseError("canary_interval is 0s: no canaries are wanted, nor carried by workers")
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _clients(settings) as (producer, consumer):
        probe = Probe(settings, producer, consumer)
        _serve(settings, probe)
        reading = asyncio.ensure_future(probe.read())
        print("ready canary", flush=True)
        stopping = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            started = time.monotonic()
            await probe.fly()
            left = settings.canary_interval_s - (time.monotonic() - started)
            await asyncio.wait(
                {stopping, reading}, timeout=max(left, 0), return_when=asyncio.FIRST_COMPLETED
            )
            if reading.done() and not stop.is_set():
                reading.result()  # what ended it
        reading.cancel()
    return 0


@contextlib.asynccontextmanager
async def _clients(
    settings: Settings,
) -> AsyncIterator[tuple[AIOKafkaProducer, AIOKafkaConsumer]]:
    producer = AIOKafkaProducer(
        **for_aiokafka(settings), acks="all", request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), enable_auto_commit=False)
    try:
        await producer.start()
        await consumer.start()
        alerts = TopicPartition(settings.topic(canary.ALERTS), 0)
        consumer.assign([alerts])
        await consumer.seek_to_end(alerts)
        await consumer.position(alerts)  # from here on nothing is missed
        yield producer, consumer
    except KafkaError as error:
        raise FailedError(f"canaries at {settings.broker}: {error!r}") from None
    finally:
        await consumer.stop()
        await producer.stop()


class Probe:
    """The canaries that fly, each until its alert is read or it is given up."""

    def __init__(
        self, settings: Settings, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer
    ) -> None:
        self._topic = settings.topic(canary.EVENTS)
        self._producer = producer
        self._consumer = consumer
        self._interval = settings.canary_interval_s
        self._awaited: dict[str, asyncio.Future[float]] = {}
        self._round_at = time.monotonic()

    async def fly(self) -> None:
        """One canary, from its events to its alert."""
        self._round_at = time.monotonic()
        name = secrets.token_hex(8)
        seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._awaited[name] = seen
        canary_metrics.CANARIES_SENT.inc()
        started = time.monotonic()
        try:
            async with asyncio.timeout(LOST_AFTER_S):
                await asyncio.gather(
                    *(
                        self._producer.send_and_wait(self._topic, event)
                        for event in canary.events(name, time.time_ns() // 1_000_000)
                    )
                )
                canary_metrics.CANARY_SECONDS.observe(await seen - started)
            canary_metrics.CANARY_SEEN.set_to_current_time()
        except (TimeoutError, KafkaError) as error:
            canary_metrics.CANARIES_LOST.inc()
            log.warning("canary %s is lost: %r", name, error)
        finally:
            del self._awaited[name]

    async def read(self) -> None:
        """Read alerts, until it is cancelled."""
        async for record in self._consumer:
            try:
                alert = decode_alert(record.value or b"")
            except msgspec.DecodeError:
                continue
            seen = self._awaited.get(canary.name_of(alert.observables[0].value))
            if seen is not None and not seen.done():
                seen.set_result(time.monotonic())

    def ill(self) -> list[str]:
        """Why it does not live: a round takes at most as long as a canary is waited for."""
        since = time.monotonic() - self._round_at
        if since > self._interval + 2 * LOST_AFTER_S:
            return [f"canary: no round for {since:.0f} s"]
        return []


def _serve(settings: Settings, probe: Probe) -> None:
    probes = {"/livez": probe.ill, "/readyz": probe.ill}
    metrics_server.serve_registry(settings, canary_metrics.REGISTRY, probes)
