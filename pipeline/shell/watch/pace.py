"""Whether a reader keeps up, and whether it has the broker: what is worth saying, once each. No I/O
here.
"""

from __future__ import annotations

from collections.abc import Iterator

BEHIND_MS = 5_000
"""So far behind, it is said that one is."""
AGAIN_MS = 10_000
"""And so long after, again."""


class Pace:
    """What was said last, and what is to be said now. Times in ms."""

    def __init__(self) -> None:
        self.behind = 0
        """Records that are still to be read."""
        self.behind_ms = 0
        """How old the newest one that was read was then."""
        self.lost = False
        self._said_behind: int | None = None

    def read(self, left: int, age_ms: int, now_ms: int) -> Iterator[str]:
        """After a reading: `left` records are left, and the last one was `age_ms` old."""
        self.behind, self.behind_ms = left, age_ms if left else 0
        if left and age_ms >= BEHIND_MS:
            if self._said_behind is None or now_ms - self._said_behind >= AGAIN_MS:
                self._said_behind = now_ms
                yield f"behind by {left:,} records, {age_ms // 1000:,} s"
        elif not left and self._said_behind is not None:
            self._said_behind = None
            yield "caught up"

    def broker(self, *, there: bool) -> Iterator[str]:
        """After asking whether the broker is there."""
        if there == self.lost:
            self.lost = not there
            yield (
                "the broker is back: going on where it was"
                if there
                else "lost the broker: retrying"
            )
