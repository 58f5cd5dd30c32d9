"""The state of rules that count events. No I/O here.

Beside who saw an indicator in which slice, a window remembers the events of each slice, by hashes,
until there are as many as a rule asks for: then it remembers that there are (`FULL` in
`pipeline.aspects`). An event lies in one slice only, so that a window holds as many as its slices
hold together.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from pipeline.aspects import FULL, joined, parted
from pipeline.rule import Rule
from pipeline.sight import Group
from pipeline.slices import SLICES, slice_of
from pipeline.track import Track
from pipeline.window import Island, Window


class CountedWindow(Window):
    """A window that knows its events. `room`: how many of a slice make it full."""

    __slots__ = ("events", "room")

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.events: dict[int, bytes] = {}
        """By slice, the hashes of its events as they travel, or `FULL`."""

    def add(self, at: int, events: bytes) -> bool:
        """Join some of the events of a slice; whether that says anything new."""
        known = self.events.get(at)
        if at < self.since or known in (FULL, events):
            return False
        if known is not None and events != FULL:
            events = joined((*parted(known), *parted(events)), self.room)
            if events == known:
                return False
        self.events[at] = events
        return True

    def forget(self, since: int) -> None:
        super().forget(since)
        if self.events and min(self.events) < self.since:
            self.events = {at: of for at, of in self.events.items() if at >= self.since}

    def join(self, other: Window) -> None:
        super().join(other)
        assert isinstance(other, CountedWindow)
        for at, events in list(other.events.items()):
            self.add(at, events)

    def many(self, at: int) -> int:
        """How many events are known of a slice; there may be more where it is full."""
        events = self.events.get(at)
        if events is None:
            return 0
        return self.room if events == FULL else len(parted(events))

    def counting(self, least: int, island: Island, slices: int = SLICES) -> int:
        """The windows with at least so many events, of an island: bit i for its slice i."""
        changes: dict[int, int] = {}
        for at in self.events:
            if island.base <= at <= island.last:
                many = self.many(at)
                changes[at] = changes.get(at, 0) + many
                changes[at + slices] = changes.get(at + slices, 0) - many
        held = count = 0
        for at, until in pairwise(sorted(changes)):
            count += changes[at]
            if count >= least:
                held |= (1 << until - island.base) - (1 << at - island.base)
        return held


class CountTrack(Track):
    """The state of the rules that count the events of the same sightings, to the same number."""

    __slots__ = ()

    @staticmethod
    def _fewest(rules: list[Rule]) -> int:  # noqa: ARG004 - whatever they are
        # What is known of an indicator is a window at once: integers hold no events.
        return 1

    def window(self) -> CountedWindow:
        """See `Memory.window`."""
        return CountedWindow(self.rules[0].gte)

    def hear(self, party: int, group: Group) -> int:
        """See `Track.hear`."""
        late = self.observe(party, group)
        for value, first, events in zip(group.values, group.first_seen, group.events, strict=True):
            at = slice_of(first, self.timespan)
            if at >= self.frontier:
                window = self.states[value]
                assert isinstance(window, CountedWindow)
                if window.add(at, events):
                    self._changed(value, at)
        return late

    def further(self, rule: Rule, window: Window, slices: int = SLICES) -> Callable[[Island], int]:
        """See `Track.further`."""
        assert isinstance(window, CountedWindow)
        return lambda island: window.counting(rule.gte, island, slices)

    def solitary(self) -> dict[int, list[str]]:
        """See `Memory.solitary`: of what only one party has seen, that of which nothing is open."""
        of: dict[int, list[str]] = {}
        for value, window in self.states.items():
            assert isinstance(window, Window)
            if window.since or value in self.changed or value in self.episodes:
                continue
            seen = {party for island in window.islands for party in island.seen}
            if len(seen) == 1:
                of.setdefault(seen.pop(), []).append(value)
        return of
