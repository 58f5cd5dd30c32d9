"""How near an indicator came to what a rule asks. No I/O here.

What decides is `Island.met`: windows that meet every demand. Here it is asked for more than whether
there are any, with the same demands and the same columns of bits:

    the nearest window     which one lacks the least, the earliest of these; and what it has
    the window it takes    of how many slices it would have to be, for the rule to hold at all

A window that ends without a sighting in its last slice has no more than the one that ends at its
last sighting: only those are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from pipeline.count_track import CountedWindow
from pipeline.rule import Field, Rule
from pipeline.slices import SLICES, runs
from pipeline.track import Track
from pipeline.window import Island, Window

ORDER = "order"
"""The field of the condition that base rules are met in their order."""


class Condition(Struct, frozen=True):
    """What a window must have, and has: so many distinct ones of a field.

    Of `event`, what is known: where a slice has as many as are asked for, no more are counted.
    """

    field: Field | str
    needed: int
    had: int

    @property
    def met(self) -> bool:
        return self.had >= self.needed


class Held(Struct, frozen=True):
    """An episode: the slices that its first and its last window end at, and what the first has."""

    first: int
    last: int
    conditions: tuple[Condition, ...]


class Judged(Struct, frozen=True):
    """How one rule finds one indicator. Slices are the rule's.

    `nearest`: the last slice of the nearest window, and what that has. `episodes`: none if the rule
    does not hold. `takes`: with how many slices a window it would hold; None if with no number.
    """

    rule: Rule
    value: str
    nearest: int
    conditions: tuple[Condition, ...]
    episodes: tuple[Held, ...]
    takes: int | None

    @property
    def missing(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if not condition.met)


def spanned(rule: Rule, first: int, last: int) -> tuple[int, int]:
    """The times of slices first … last: from … until, which does not belong to them, ms."""
    return -(-first * rule.timespan_ms // SLICES), -(-(last + 1) * rule.timespan_ms // SLICES)


def judge(track: Track, value: str) -> Iterator[Judged]:
    """How each rule of a track finds an indicator, if anything counts for it.

    The track is used up: nothing may be observed after it.
    """
    state = track.states.get(value)
    if state is None:
        return
    few = (state,) if isinstance(state, int) else state
    window = few if isinstance(few, Window) else track.widen(few)
    island = window.whole()
    if island is not None:
        for rule in track.rules:
            yield _Bench(track, rule, window, island).judged(value)


class _Bench:
    """What one rule asks of one indicator, and what is known of it."""

    def __init__(self, track: Track, rule: Rule, window: Window, island: Island) -> None:
        self._track, self._rule, self._window, self._island = track, rule, window, island
        demands = iter(track.demands(rule))
        self._columns = [
            None if field == "event" else island.columns(next(demands)[1]).values()
            for field, _ in rule.conditions
        ]
        further = track.further(rule, window) if rule.ordered else None
        self._ordered = None if further is None else further(island)

    def judged(self, value: str) -> Judged:
        island = self._island
        held = self._met(SLICES)
        ends = sorted(island.times)
        found = [self._conditions(at) for at in ends]
        lacks = [sum(max(of.needed - of.had, 0) for of in conditions) for conditions in found]
        nearest = lacks.index(min(lacks))
        return Judged(
            self._rule,
            value,
            ends[nearest],
            found[nearest],
            tuple(
                Held(island.base + first, island.base + last, self._conditions(island.base + first))
                for first, last in runs(held)
            ),
            SLICES if held else self._takes(),
        )

    def _met(self, slices: int) -> int:
        track, rule = self._track, self._rule
        further = track.further(rule, self._window, slices)
        return self._island.met(track.demands(rule), further, slices)

    def _conditions(self, at: int) -> tuple[Condition, ...]:
        """What the window that ends at a slice has."""
        bit = at - self._island.base
        found: list[Condition] = []
        for (field, needed), columns in zip(self._rule.conditions, self._columns, strict=True):
            if columns is None:
                assert isinstance(self._window, CountedWindow)
                had = sum(map(self._window.many, range(at - SLICES + 1, at + 1)))
            else:
                had = sum(column >> bit & 1 for column in columns)
            found.append(Condition(field, needed, had))
        if self._ordered is not None:
            found.append(Condition(ORDER, 1, self._ordered >> bit & 1))
        return tuple(found)

    def _takes(self) -> int | None:
        """The longer a window, the more is in it: so it is searched for by halves."""
        low, high = SLICES, self._island.last - self._island.base + 1
        if high <= low or not self._met(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if self._met(middle):
                high = middle
            else:
                low = middle
        return high
