"""How far event time has come, over all sources. No I/O here.

A source is a partition of an `events` topic; its watermark is the latest event time read from
it. The watermark of the whole is the least over the live sources: one that lags holds it back,
so that nothing it still has to say comes too late. An idle source, at the end of its partition
and silent for a while, stops counting. A source that is expected but has not been heard of
holds everything back: it may have all its past still to tell.

A straggler does not: a live source, read to its end, that stays further behind the foremost than
events may be late. Its clock is wrong; waiting for it would hold everybody's time for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.sight import UNKNOWN_WATERMARK, Progress, SourceState

STRAGGLER_MS = 600_000
"""How long a source may be further behind than the lateness before time goes on without it."""


class Watermarks:
    """The watermark of each source, and of the whole. Only ever rises."""

    __slots__ = (
        "_behind_since",
        "_expected",
        "_idle",
        "_lateness",
        "_marks",
        "_patience",
        "_whole",
        "stragglers",
    )

    def __init__(self, lateness_ms: int, patience_ms: int = STRAGGLER_MS) -> None:
        self._lateness = lateness_ms
        self._patience = patience_ms
        self._marks: dict[str, int] = {}
        self._idle: set[str] = set()
        self._expected: set[str] = set()
        self._behind_since: dict[str, int] = {}
        self._whole = UNKNOWN_WATERMARK
        self.stragglers: frozenset[str] = frozenset()

    def heard(self, source: str, watermark: int) -> None:
        """A source sent sightings: it is live, and has come this far."""
        self._idle.discard(source)
        if watermark > self._marks.get(source, UNKNOWN_WATERMARK - 1):
            self._marks[source] = watermark

    def told(self, progress: Progress) -> None:
        """An intake worker told how far its sources are, and which sources it expects."""
        self._expected.update(progress.expected)
        for state in progress.sources:
            self.heard(state.source, state.watermark)
            if state.idle:
                self._idle.add(state.source)
        self._find_stragglers(progress)

    def _find_stragglers(self, progress: Progress) -> None:
        foremost = max(
            (mark for source, mark in self._marks.items() if source not in self._idle),
            default=UNKNOWN_WATERMARK,
        )
        found = set(self.stragglers)
        for state in progress.sources:
            source = state.source
            behind = foremost - self._marks[source]
            if state.idle or state.backlog or behind <= self._lateness:
                self._behind_since.pop(source, None)
                found.discard(source)
            elif progress.told_at - self._behind_since.setdefault(source, progress.told_at) >= (
                self._patience
            ):
                found.add(source)
        self.stragglers = frozenset(found)

    def whole(self) -> int:
        """The watermark of the whole, ms; `UNKNOWN_WATERMARK` until every source is known."""
        marks = self._marks
        if not self._expected or not self._expected.issubset(marks):
            return self._whole
        live = [
            mark
            for source, mark in marks.items()
            if source not in self._idle and source not in self.stragglers
        ]
        # With every source idle all that was sent has been read: the latest holds.
        mark = min(live) if live else max(marks.values())
        self._whole = max(self._whole, mark)
        return self._whole

    def states(self) -> list[SourceState]:
        return [
            SourceState(source, mark, source in self._idle) for source, mark in self._marks.items()
        ]

    @property
    def idle(self) -> int:
        """How many sources are idle."""
        return len(self._idle)

    @property
    def known(self) -> int:
        """How many sources have been heard of."""
        return len(self._marks)

    def restore(self, states: Iterable[SourceState], whole: int) -> None:
        """Take up a checkpoint's; nothing in it can lower what is known.

        What is expected must be heard of anew.
        """
        for state in states:
            self.heard(state.source, state.watermark)
        self._whole = max(self._whole, whole)
