"""Packs to the broker: a window of them on the way, and what was acknowledged, in order.

librdkafka sends again until the broker has it, with pauses that double up to ten seconds, each cut
or stretched by chance. A refusal that asking again does not mend is a `FailedError`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.shell.settings import FailedError
from pipeline.shell.ship.pack import Pack

WINDOW_BYTES = 8 << 20
AWAY_S = 2.0
"""The broker is away when it has answered nothing for so long."""
_PAUSES = {
    "retry.backoff.ms": 100,
    "retry.backoff.max.ms": 10_000,
    "reconnect.backoff.ms": 100,
    "reconnect.backoff.max.ms": 10_000,
    "message.timeout.ms": 0,  # never given up
    "topic.metadata.refresh.interval.ms": 60_000,
}
_PASSING = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001 - librdkafka's own errors are named so
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
    }
)


class _Sent:
    __slots__ = ("arrived", "pack", "segments")

    def __init__(self, pack: Pack, segment: Path | None) -> None:
        self.pack = pack
        self.segments = [segment] if segment else []
        self.arrived = False


class Sender:
    """`arrived` is called for each pack that the broker has, in the order in which they were
    sent, with the segments of the spool that ended with it.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        key: str,
        compression: str,
        arrived: Callable[[Pack, list[Path]], None],
    ) -> None:
        self._topic = topic
        self._key = key.encode()
        self._arrived = arrived
        self._trouble: KafkaError | None = None
        self._waiting: deque[_Sent] = deque()
        self._bytes = 0
        self._heard_at = time.monotonic()
        self._producer = Producer(
            {
                **client,
                **_PAUSES,
                "enable.idempotence": True,
                "compression.type": compression,
                "linger.ms": 5,
                "queue.buffering.max.kbytes": WINDOW_BYTES // 1024 * 4,
                "error_cb": self._heard_of,
            }
        )

    @property
    def room(self) -> bool:
        return self._bytes < WINDOW_BYTES

    @property
    def idle(self) -> bool:
        return not self._waiting

    @property
    def away(self) -> bool:
        """Whether what was sent has found nobody for some time."""
        return bool(self._waiting) and time.monotonic() - self._heard_at > AWAY_S

    @property
    def waiting(self) -> list[Pack]:
        """What was sent and has not arrived."""
        return [sent.pack for sent in self._waiting if not sent.arrived]

    def ends(self, segment: Path) -> None:
        """With what was sent last `segment` has arrived, too."""
        self._waiting[-1].segments.append(segment)

    def check(self, within: float) -> bool:
        """Whether the broker answers, and takes something for our topic; a `FailedError` if not."""
        try:
            found = self._producer.list_topics(self._topic, timeout=within).topics[self._topic]
        except KafkaException as error:
            self.poll(0)
            if error.args[0].code() in _PASSING:
                return False
            raise FailedError(error.args[0].str()) from None
        if found.error is not None and found.error.code() != KafkaError.LEADER_NOT_AVAILABLE:
            raise FailedError(f"topic {self._topic}: {found.error.str()}")
        return True

    def send(self, pack: Pack, segment: Path | None = None) -> None:
        sent = _Sent(pack, segment)
        if not self._waiting:
            self._heard_at = time.monotonic()
        self._waiting.append(sent)
        if not pack.events:
            sent.arrived = True
            self._take_arrived()
            return
        self._bytes += len(pack.payload)

        def delivered(error: KafkaError | None, _: Any) -> None:
            if error is not None:
                self._trouble = self._trouble or error
                return
            self._heard_at = time.monotonic()
            self._bytes -= len(pack.payload)
            sent.arrived = True

        self._producer.produce(self._topic, pack.payload, self._key, on_delivery=delivered)

    def poll(self, within: float) -> None:
        """Hear what the broker says, for so long at most; a `FailedError` if it refuses."""
        self._producer.poll(within)
        self._take_arrived()
        if self._trouble is not None:
            raise FailedError(f"the broker refuses events: {self._trouble.str()}")

    def _take_arrived(self) -> None:
        while self._waiting and self._waiting[0].arrived:
            sent = self._waiting.popleft()
            self._arrived(sent.pack, sent.segments)

    def _heard_of(self, error: KafkaError) -> None:
        if error.code() not in _PASSING or error.fatal():
            self._trouble = error
