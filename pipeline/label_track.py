"""The state of rules that count labels: origins of sources, or base rules met. No I/O here.

A party has a number for each label of what it saw, so that a window stays one integer each. Rules
with an order hold where labels can be found in it, slice by slice:

    slice           0 1 2 3 4 5 6 7        three labels in order, five slices a window
    a               x . . . . . . .
    b               . . x . . . . .
    c               . x . . x . . .
    a before b before c             x      from the c in 4 on, while the window covers the a in 0

Labels in one slice are in order, whichever came first: a rule's time has no finer grain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from pipeline.party import Parties
from pipeline.rule import ANY_EVENT, Aspect, Rule
from pipeline.sight import Group
from pipeline.slices import PARTY, SLICES
from pipeline.surprise import Background
from pipeline.track import Track
from pipeline.window import Island, Window

MOST_NUMBERS: Final = 1 << 18
"""Parties times labels of one track. Beyond, what has a new label is not noted, and counted."""


def label_of(aspect: Aspect) -> str:
    """What sightings that meet a base rule are labelled with, where base rules are counted."""
    return ANY_EVENT if aspect.selection is None else aspect.selection.digest


def in_order(columns: Sequence[int], slices: int = SLICES) -> int:
    """The windows in which there are slices s1 <= s2 <= … with bit s1 in the first column, s2 in
    the second, and so on. Bit i of the result: the window of so many slices that ends at slice i.
    """
    latest = [-1] * len(columns)  # of chains up to each column, the latest beginning
    held = 0
    since = None  # the windows from here on are not yet judged
    for at in _slices(columns):
        if since is not None:
            held |= _ones(since, min(at, latest[-1] + slices))
        for n, column in enumerate(columns):
            if column >> at & 1:
                latest[n] = at if n == 0 else latest[n - 1]
        since = at if latest[-1] >= 0 else None
    return held if since is None else held | _ones(since, latest[-1] + slices)


def _slices(columns: Sequence[int]) -> Iterator[int]:
    some = 0
    for column in columns:
        some |= column
    while some:
        yield (some & -some).bit_length() - 1
        some &= some - 1


def _ones(start: int, end: int) -> int:
    return (1 << end) - (1 << start) if start < end else 0


def _renumbered(single: int, new: Mapping[int, int]) -> int:
    return single - (single & PARTY) + new[single & PARTY]


class LabelTrack(Track):
    """The state of the rules that count the same labels of the same sightings."""

    __slots__ = ("_columns", "_label_of", "_of_party", "_shared")

    def __init__(
        self,
        kind: str,
        timespan_ms: int,
        rules: list[Rule],
        parties: Parties,
        lateness_ms: int,
        background: Background | None = None,
    ) -> None:
        self._shared = parties
        """Those that sightings come from; numbers with labels are this track's own."""
        super().__init__(kind, timespan_ms, rules, Parties(), lateness_ms, background)
        self._of_party: list[int] = []
        """By number, that of the party alone."""
        aspects = [aspect for rule in rules for aspect in rule.aspects if rule.field == "rule"]
        self._label_of = {aspect.kind: label_of(aspect) for aspect in aspects}
        self._columns = {
            rule.id: {label_of(aspect): n for n, aspect in enumerate(rule.aspects)}
            for rule in rules
            if rule.ordered
        }

    def hear(self, party: int, group: Group) -> int:
        """See `Track.hear`."""
        label = self._label_of.get(group.type)
        if label is not None:
            return self._observe(party, label, group)
        by_label: dict[str, Group] = {}
        for value, first, last, label in zip(
            group.values, group.first_seen, group.last_seen, group.labels, strict=True
        ):
            of = by_label.get(label)
            if of is None:
                of = by_label[label] = Group(group.type, [], [], [])
            of.values.append(value)
            of.first_seen.append(first)
            of.last_seen.append(last)
        return sum(self._observe(party, label, of) for label, of in by_label.items())

    def _observe(self, party: int, label: str, group: Group) -> int:
        of = self._shared.all[party]
        if len(self.parties.all) >= MOST_NUMBERS and not self.parties.knows(of, label):
            self.unplaced += len(group.values)
            return 0
        return self.observe(self.number(party, label), group)

    def number(self, party: int, label: str) -> int:
        """The number of a party, by its number without a label, with one."""
        number = self.parties.number(self._shared.all[party], label)
        if number == len(self._of_party):
            self._of_party.append(party)
        return number

    def sweep(self, budget: int) -> int:
        """See `Track.sweep`. After a round, numbers of what was forgotten are free for others."""
        before = self._sweeping, self._swept_at
        evicted = super().sweep(budget)
        over = self._sweeping is None and before != (None, self._swept_at)
        if over and 2 * len(self.parties.all) > MOST_NUMBERS:
            self._renumber()
        return evicted

    def _renumber(self) -> None:
        new = self.parties.keep(set[int]().union(*map(self.numbers, self.states)))
        self._of_party = [self._of_party[old] for old in new]
        for value, state in self.states.items():
            if isinstance(state, Window):
                for island in state.islands:
                    island.seen = {new[number]: bits for number, bits in island.seen.items()}
                for live in self.episodes.get(value, ()):
                    live.carried_parties = frozenset(map(new.__getitem__, live.carried_parties))
            elif isinstance(state, int):
                self.states[value] = _renumbered(state, new)
            else:
                self.states[value] = tuple(_renumbered(single, new) for single in state)

    def numbers(self, value: str) -> set[int]:
        """All numbers that what is remembered of an indicator holds."""
        state = self.states.get(value)
        if isinstance(state, int):
            return {state & PARTY}
        if not isinstance(state, Window):
            return {single & PARTY for single in state or ()}
        carried = [live.carried_parties for live in self.episodes.get(value, ())]
        return {number for island in state.islands for number in island.seen}.union(*carried)

    def further(
        self,
        rule: Rule,
        window: Window,  # noqa: ARG002 - `CountTrack` needs it
        slices: int = SLICES,
    ) -> Callable[[Island], int] | None:
        """See `Track.further`."""
        columns = self._columns.get(rule.id)
        if columns is None:
            return None
        said = self.parties.said

        def further(island: Island) -> int:
            seen = [0] * len(columns)
            for number, bits in island.seen.items():
                n = columns.get(said[number])
                if n is not None:
                    seen[n] |= bits
            return in_order(seen, slices)

        return further

    def solitary(self) -> dict[int, list[str]]:
        """See `Memory.solitary`: by the number of a party, under whatever labels."""
        of: dict[int, list[str]] = {}
        for value, state in self.states.items():
            if isinstance(state, Window) and (
                state.since or value in self.changed or value in self.episodes
            ):
                continue
            parties = {self._of_party[number] for number in self.numbers(value)}
            if len(parties) == 1:
                of.setdefault(parties.pop(), []).append(value)
        return of
