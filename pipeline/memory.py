"""What is remembered of the indicators of one type, in slices of one length. No I/O here.

The state is a join-semilattice: sightings can be joined into it in any order, and as often as
they come. Most indicators are met once or a few times; they become a window only when enough
parties have seen them, near enough in time, for a rule to hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import msgspec

from pipeline.sight import Group
from pipeline.slices import (
    FIRST_SHIFT,
    PARTY,
    PARTY_BITS,
    SLICES,
    pack_single,
    slice_of,
    unpack_single,
)
from pipeline.window import Window

FEW = 8
"""Sightings for which no rule can hold that are kept apart before they become a window."""


_AT_ONCE = 1_000
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[str]).decode


def snapshot(values: Iterable[str]) -> Iterator[str]:
    """These as they are now, to be gone through bit by bit while others come and go.

    Packed: a list of a million strings is looked through by Python's garbage collector soon after
    it was made, and keeps everybody waiting for a quarter of a second.
    """
    rest = iter(values)
    packed = [_pack(some) for some in iter(lambda: list(islice(rest, _AT_ONCE)), [])]
    return chain.from_iterable(map(_unpack, packed))


class Memory:
    """Indicators by value, and what has become of them since the last look and checkpoint."""

    __slots__ = ("_least", "changed", "dirty", "frontier", "gone", "kind", "states", "timespan")

    def __init__(self, kind: str, timespan_ms: int, least: int) -> None:
        """`least`: how many parties it takes for any rule to hold."""
        self.kind = kind
        self.timespan = timespan_ms
        self.frontier = 0
        """The first slice in which a sighting may still come."""
        self.states: dict[str, int | tuple[int, ...] | Window] = {}
        """What is known of an indicator: one sighting; a few, by too few parties or too far apart
        for any rule to hold; or a window. The first two are integers of `pack_single`."""
        self.changed: dict[str, tuple[int, int]] = {}
        """Windows with something new since they were last looked at: in slices from … to."""
        self.dirty: dict[str, None] = {}
        """What changed since the last checkpoint, in order: to the garbage collector a dict of
        strings and nothing is nothing, where it looks through a list or a set for a long time."""
        self.gone: set[str] = set()
        """Windows that were evicted since the last checkpoint; what they held may be back."""
        self._least = least

    def observe(self, party: int, group: Group) -> int:
        """Note sightings by one party; how many were late."""
        states, dirty = self.states, self.dirty
        timespan, least = self.timespan, self._least
        # The first millisecond that is not late: a slice is worked out for those only that need it.
        since = -(-self.frontier * timespan // SLICES)
        late = 0
        for value, first, last in zip(group.values, group.first_seen, group.last_seen, strict=True):
            if first != last and last * SLICES // timespan != first * SLICES // timespan:
                # Folded for other rules than ours: its ends are what we can be sure of.
                late += self.observe(party, Group(self.kind, [value], [last], [last]))
                last = first  # noqa: PLW2901
            if first < since:
                late += 1
                continue
            state = states.get(value)
            if state is None and least > 1:
                # `pack_single`, without the call: most indicators are met once.
                states[value] = first << FIRST_SHIFT | (last - first) << PARTY_BITS | party
                dirty[value] = None
            elif isinstance(state, Window):
                at = first * SLICES // timespan
                if state.see(party, at, first, last):
                    self._changed(value, at)
            else:
                self._note(value, state, party, first, last)
        return late

    def _changed(self, value: str, at: int) -> None:
        span = self.changed.get(value)
        if span is None:
            self.changed[value] = (at, at)
        elif not span[0] <= at <= span[1]:
            self.changed[value] = (min(span[0], at), max(span[1], at))

    def note(self, value: str, party: int, first: int, last: int) -> None:
        """Join one sighting, of one slice, into what is known of an indicator."""
        state = self.states.get(value)
        if not isinstance(state, Window):
            self._note(value, state, party, first, last)
        else:
            at = slice_of(first, self.timespan)
            if state.see(party, at, first, last):
                self._changed(value, at)

    def _note(
        self, value: str, state: int | tuple[int, ...] | None, party: int, first: int, last: int
    ) -> None:
        few = (state,) if isinstance(state, int) else state or ()
        # Sightings that one window covers are less than a timespan apart.
        low, high = first - self.timespan << FIRST_SHIFT, first + self.timespan << FIRST_SHIFT
        parties = {party}
        for n, single in enumerate(few):
            if not low < single < high:
                continue
            by = single & PARTY
            parties.add(by)
            if by == party:
                _, was_first, was_last = unpack_single(single)
                if slice_of(was_first, self.timespan) == slice_of(first, self.timespan):
                    joined = pack_single(party, min(first, was_first), max(last, was_last))
                    if joined != single:
                        self._keep(value, (*few[:n], joined, *few[n + 1 :]))
                    return
        if len(parties) < self._least and len(few) < FEW:
            single = first << FIRST_SHIFT | (last - first) << PARTY_BITS | party
            self.states[value] = (*few, single) if few else single
            self.dirty[value] = None
            return
        window = self.states[value] = self.widen(few)
        # What ended before is settled: a restore may join this to a life that was evicted.
        window.floor = max(self.frontier - 1, 0)
        at = slice_of(first, self.timespan)
        window.see(party, at, first, last)
        # Nothing could hold without this sighting: whatever does now covers it.
        self._changed(value, at)

    def solitary(self) -> dict[int, list[str]]:
        """By party number, the indicators that nobody else has seen, in order of their coming.

        No rule can ever have held for them: nothing has been told of them.
        """
        of: dict[int, list[str]] = {}
        if self._least == 1:
            return of
        for value, state in self.states.items():
            if isinstance(state, int):
                party = state & PARTY
            elif isinstance(state, Window):
                seen = {party for island in state.islands for party in island.seen}
                if len(seen) != 1 or state.since or value in self.changed:
                    continue
                (party,) = seen
            else:
                party = state[0] & PARTY
                if any(single & PARTY != party for single in state):
                    continue
            of.setdefault(party, []).append(value)
        return of

    def _keep(self, value: str, few: tuple[int, ...]) -> None:
        self.states[value] = few if len(few) > 1 else few[0]
        self.dirty[value] = None

    def window(self) -> Window:
        """A new one."""
        return Window()

    def widen(self, few: Iterable[int]) -> Window:
        """A window that holds what a few integers held."""
        window = self.window()
        for single in sorted(few):  # in order of time: each at its island's end
            party, first, last = unpack_single(single)
            window.see(party, slice_of(first, self.timespan), first, last)
        return window
