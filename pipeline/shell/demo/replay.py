"""The demo's replay: three weeks of real attacks at a pace, and a worker that is killed meanwhile.

The embedded broker keeps about 5 MiB a partition, so nobody may fall far behind: the sender waits
for the workers, and the alerts are read as they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

from confluent_kafka import KafkaError, Producer

from pipeline.registry import topic_name
from pipeline.shell import marx
from pipeline.shell.demo.cast import Cast
from pipeline.shell.demo.heard import Ends, Heard
from pipeline.shell.demo.lines import Progress
from pipeline.shell.demo.screen import Screen
from pipeline.shell.settings import FailedError

MOST_AHEAD = 8_000  # events that the workers may be behind
LINGER_MS = 80  # the broker answers a fetch with one produced batch: let there be much in it
RATE_OVER_S = 4.0
CATCH_UP_S = 300.0
_POLL_S = 0.25
_AT_ONCE = 200  # events between two looks at the clock


class Replay:
    """One run of the rows through the workers."""

    def __init__(self, cast: Cast, heard: Heard, screen: Screen, broker: str) -> None:
        self.sent = 0
        self.taken_over_s: float | None = None
        """How long after half way all that had been sent until then was read."""
        self._cast = cast
        self._heard = heard
        self._screen = screen
        self._rules = {rule.id: rule for rule in cast.rules}
        self._clock = cast.rows[0].time_ms
        self._behind = 0
        self._looked = 0.0
        self._speed: deque[tuple[float, int]] = deque()
        self._mark: Ends = {}
        self._half_way_at = 0.0
        self._trouble: KafkaError | None = None
        self._producer = Producer(
            {"bootstrap.servers": broker, "linger.ms": LINGER_MS, "log_level": 2}
        )

    def run(self, seconds: float, half_way: Callable[[], None]) -> None:
        """Send everything within so many seconds or a little more, and wait until it is read;
        `half_way` is called when half of it is sent.
        """
        rows = self._cast.rows
        topic = {host: topic_name(party) for host, party in self._cast.registry.sensors.items()}
        first = self._cast.start.timestamp() * 1000
        pace = seconds / (self._cast.end.timestamp() * 1000 - first)
        began = monotonic()
        for number, (row, event) in enumerate(zip(rows, marx.events(rows), strict=True)):
            if number == len(rows) // 2:
                self._producer.flush(30.0)
                self._mark = self._heard.ends()
                half_way()
                self._half_way_at = monotonic()
            self._clock = max(self._clock, row.time_ms)
            due = began + (self._clock - first) * pace
            while due > monotonic() + 0.01:
                self._look(min(due - monotonic(), _POLL_S))
            if number % _AT_ONCE == 0:
                self._look()
                while self._behind >= MOST_AHEAD:
                    self._look(_POLL_S)
            self._producer.produce(topic[row.host], event, on_delivery=self._delivered)
            self.sent += 1
        if self._producer.flush(30.0) or self._trouble is not None:
            raise FailedError(f"not all events were delivered: {self._trouble or 'in time'}")
        end = monotonic() + CATCH_UP_S
        while self._behind or self.taken_over_s is None:
            if monotonic() > end:
                raise FailedError(f"not all was read within {CATCH_UP_S:.0f} s")
            self._look(_POLL_S)
        for alert in self._heard.caught_up():
            self._screen.opened(alert, self._rules)
        self._behind = 0
        self._show()

    def _delivered(self, error: KafkaError | None, _: object) -> None:
        self._trouble = self._trouble or error

    def _look(self, within: float = 0.0) -> None:
        """Show what has come, and, now and then, how far the workers are."""
        self._producer.poll(0)
        for alert in self._heard.read(within):
            self._screen.opened(alert, self._rules)
        now = monotonic()
        if now - self._looked >= _POLL_S:
            self._looked = now
            self._heard.check()
            self._behind = self._heard.behind()
            if self._mark and self.taken_over_s is None and self._heard.reached(self._mark):
                self.taken_over_s = now - self._half_way_at
            self._show()

    def _show(self) -> None:
        now, read = monotonic(), self.sent - self._behind
        self._speed.append((now, read))
        while self._speed[0][0] < now - RATE_OVER_S:
            self._speed.popleft()
        since, count = self._speed[0]
        self._screen.progress(
            Progress(
                clock=self._clock,
                sent=self.sent,
                of=len(self._cast.rows),
                behind=self._behind,
                opened=self._heard.opened,
                rate=max(0.0, (read - count) / (now - since)) if now > since else 0.0,
            )
        )
