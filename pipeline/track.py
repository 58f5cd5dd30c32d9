"""The state of the rules that share an indicator type and a timespan. No I/O here.

What is known of an indicator is joined in by `observe`; `settle` looks at what that changed;
`advance` closes what has ended; `sweep` forgets what has passed. See `pipeline.correlate`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from uuid import UUID, uuid5

from pipeline.episode import Change, Episode, LiveEpisode, Merger, Says
from pipeline.party import Parties
from pipeline.rule import Rule
from pipeline.sight import Group
from pipeline.window import (
    FIRST_SHIFT,
    PARTY,
    PARTY_BITS,
    SLICES,
    Window,
    pack_single,
    slice_of,
    unpack_single,
)

_NAMESPACE = UUID("7b1c7f0e-3f3c-5f0b-9a55-5e2a3d1f8c11")
_KEPT = SLICES + 1
"""Slices before the frontier that are remembered: those the last final windows cover."""


EVERYWHERE = (0, 1 << 62)
"""A span of slices: all of them."""

FEW = 8
"""Sightings by too few parties that are kept apart before they become a window."""


class Track:
    """The state of the rules that share an indicator type and a timespan."""

    __slots__ = (
        "_closings",
        "_lateness",
        "_least",
        "_owes",
        "_parties",
        "_stale",
        "_sweeping",
        "_swept_at",
        "changed",
        "dirty",
        "episodes",
        "frontier",
        "gone",
        "kind",
        "merged",
        "rules",
        "states",
        "timespan",
    )

    def __init__(
        self, kind: str, timespan_ms: int, rules: list[Rule], parties: Parties, lateness_ms: int
    ) -> None:
        self.kind = kind
        self.timespan = timespan_ms
        self.rules = rules
        self.frontier = 0
        self.states: dict[str, int | tuple[int, ...] | Window] = {}
        """What is known of an indicator: one sighting, a few by too few parties for any rule to
        hold, or a window. The first two are integers of `pack_single`."""
        self.episodes: dict[str, list[LiveEpisode]] = {}
        self.changed: dict[str, tuple[int, int]] = {}
        """Windows with something new since they were last looked at: in slices from … to."""
        self.merged: dict[str, list[Merger]] = {}
        """What the last `settle` merged; after a restore, what may not have been told yet."""
        self._owes = False
        self.dirty: list[str] = []
        """What changed since the last checkpoint; the same may stand in it often."""
        self.gone: set[str] = set()
        """Windows that were evicted since the last checkpoint; what they held may be back."""
        self._parties = parties
        self._lateness = lateness_ms
        self._least = min(rule.gte for rule in rules)
        self._closings: list[tuple[int, str]] = []
        self._stale: set[str] = set()
        self._swept_at = 0
        self._sweeping: Iterator[str] | None = None

    def observe(self, party: int, group: Group) -> int:
        """Note sightings by one party; how many were late."""
        states, dirty = self.states, self.dirty
        timespan, frontier, least = self.timespan, self.frontier, self._least
        late = 0
        for value, first, last in zip(group.values, group.first_seen, group.last_seen, strict=True):
            at = first * SLICES // timespan
            if first != last and last * SLICES // timespan != at:
                # Folded for other rules than ours: its ends are what we can be sure of.
                late += self.observe(party, Group(self.kind, [value], [last], [last]))
                last = first  # noqa: PLW2901
            if at < frontier:
                late += 1
                continue
            state = states.get(value)
            if state is None and least > 1:
                # `pack_single`, without the call: most indicators are met once.
                states[value] = first << FIRST_SHIFT | (last - first) << PARTY_BITS | party
                dirty.append(value)
            elif isinstance(state, Window):
                if state.see(party, at, first, last):
                    self._changed(value, at)
            else:
                self._note(value, state, party, at, first, last)
        return late

    def _changed(self, value: str, at: int) -> None:
        span = self.changed.get(value)
        if span is None:
            self.changed[value] = (at, at)
        elif not span[0] <= at <= span[1]:
            self.changed[value] = (min(span[0], at), max(span[1], at))

    def note(self, value: str, party: int, first: int, last: int) -> None:
        """Join one sighting, of one slice, into what is known of an indicator."""
        at = first * SLICES // self.timespan
        state = self.states.get(value)
        if not isinstance(state, Window):
            self._note(value, state, party, at, first, last)
        elif state.see(party, at, first, last):
            self._changed(value, at)

    def _note(
        self,
        value: str,
        state: int | tuple[int, ...] | None,
        party: int,
        at: int,
        first: int,
        last: int,
    ) -> None:
        few = (state,) if isinstance(state, int) else state or ()
        parties = {party}
        for n, single in enumerate(few):
            by = single & PARTY
            parties.add(by)
            if by == party and (single >> FIRST_SHIFT) * SLICES // self.timespan == at:
                _, was_first, was_last = unpack_single(single)
                joined = pack_single(party, min(first, was_first), max(last, was_last))
                if joined != single:
                    self._keep(value, (*few[:n], joined, *few[n + 1 :]))
                return
        if len(parties) < self._least and len(few) < FEW:
            single = first << FIRST_SHIFT | (last - first) << PARTY_BITS | party
            self.states[value] = (*few, single) if few else single
            self.dirty.append(value)
            return
        window = self.states[value] = self.widen(few, at)
        window.see(party, at, first, last)
        # Nothing could hold without this sighting: whatever does now covers it.
        self._changed(value, at)

    def _keep(self, value: str, few: tuple[int, ...]) -> None:
        self.states[value] = few if len(few) > 1 else few[0]
        self.dirty.append(value)

    def widen(self, few: Iterable[int], base: int) -> Window:
        """A window that holds what a few integers held."""
        window = Window(base)
        for single in few:
            party, first, last = unpack_single(single)
            window.see(party, slice_of(first, self.timespan), first, last)
        return window

    def settle(self) -> list[Episode]:
        """Look at what changed: the episodes that opened, grew or joined."""
        out: list[Episode] = []
        owed, self.merged = self.merged if self._owes else {}, {}
        for value, mergers in owed.items():
            for merger in mergers:
                self._merge(value, merger, out)
        self._owes = False
        for value, span in self.changed.items():
            window = self.states[value]
            assert isinstance(window, Window)
            if window.base + 4 * _KEPT < self.frontier:
                self._forget(value, window)
            self._look(value, window, span, out)
        self.dirty += self.changed
        self.changed.clear()
        return out

    def _look(self, value: str, window: Window, span: tuple[int, int], out: list[Episode]) -> None:
        parties = self._parties
        for rule in self.rules:
            if len(window.seen) < rule.gte:
                continue
            group = parties.countries if rule.field == "country" else parties.organisations
            if span is not EVERYWHERE and not window.may_hold(rule.gte, group, *span):
                continue
            for first, last in window.holding(rule.gte, group):
                if last < self.frontier - 1:
                    continue  # final: it was closed when it became so
                known = self.episodes.get(value, ())
                same = [
                    live
                    for live in known
                    if live.rule is rule and live.first <= last and live.last >= first
                ]
                if not same:
                    live = self._open(rule, value, first, last)
                else:
                    live = same[0]
                    if len(same) > 1:
                        live = self._join(value, window, same, out)
                    live.first = min(live.first, first)
                if live.last != last or live.published is None:
                    live.last = last
                    heapq.heappush(self._closings, (last, value))
                self._publish(value, window, live, out)

    def _open(self, rule: Rule, value: str, first: int, last: int) -> LiveEpisode:
        identity = uuid5(_NAMESPACE, f"{rule.id}|{self.kind}|{value}|{first}")
        live = LiveEpisode(str(identity), rule, first, last)
        self.episodes.setdefault(value, []).append(live)
        return live

    def _join(
        self, value: str, window: Window, same: list[LiveEpisode], out: list[Episode]
    ) -> LiveEpisode:
        oldest, *younger = sorted(same, key=lambda live: (live.first, live.id))
        for live in younger:
            self.episodes[value].remove(live)
            # After a crash it may have been told without our knowing.
            said = live.published or self._says(window, live)
            self._merge(value, Merger(live.id, live.rule, said, oldest.id), out)
        return oldest

    def _merge(self, value: str, merger: Merger, out: list[Episode]) -> None:
        self.merged.setdefault(value, []).append(merger)
        self.dirty.append(value)
        out.append(Episode(merger.id, merger.rule, value, Change.MERGED, *merger.said, merger.into))

    def _publish(self, value: str, window: Window, live: LiveEpisode, out: list[Episode]) -> None:
        says = self._says(window, live)
        before = live.published
        if before is None:
            out.append(Episode(live.id, live.rule, value, Change.OPENED, *says))
        elif says == before:
            return
        elif (says[0], *says[2:]) == (before[0], *before[2:]):
            # An attack that merely goes on is told by `refresh`, not at every batch.
            self._stale.add(value)
            return
        else:
            out.append(Episode(live.id, live.rule, value, Change.UPDATED, *says))
        live.published = says

    def _says(self, window: Window, live: LiveEpisode) -> Says:
        covered = window.cover(live.first - SLICES + 1, live.last)
        assert covered is not None  # its last window holds
        first, last, numbers = covered
        if live.carried_first is not None:
            first = live.carried_first
        parties = [self._parties.all[n] for n in live.carried_parties.union(numbers)]
        return (
            first,
            last,
            tuple(sorted({party.country for party in parties})),
            tuple(sorted({party.organisation for party in parties})),
        )

    def refresh(self) -> list[Episode]:
        """The revisions that `settle` held back: attacks that merely went on."""
        out: list[Episode] = []
        for value in self._stale:
            window = self.states.get(value)
            for live in self.episodes.get(value, ()):
                if isinstance(window, Window):
                    says = self._says(window, live)
                    if live.published is not None and says != live.published:
                        live.published = says
                        out.append(Episode(live.id, live.rule, value, Change.UPDATED, *says))
        self.dirty += self._stale
        self._stale.clear()
        return out

    def advance(self, watermark: int) -> list[Episode]:
        """Event time has come to `watermark` (ms): the episodes that ended for good.

        Settle first: an episode is closed as it was last looked at.
        """
        frontier = slice_of(max(watermark - self._lateness, 0), self.timespan)
        self.frontier = max(self.frontier, frontier)
        return self._close(self.frontier - 2)

    def finish(self) -> list[Episode]:
        """Nothing comes any more: every episode has ended."""
        return self._close(1 << 62)

    def _close(self, last: int) -> list[Episode]:
        out: list[Episode] = []
        closings = self._closings
        while closings and closings[0][0] <= last:
            _, value = heapq.heappop(closings)
            lives = self.episodes.get(value)
            if lives is None:
                continue
            window = self.states[value]
            assert isinstance(window, Window)
            for live in [live for live in lives if live.last <= last]:
                says = self._says(window, live)
                out.append(Episode(live.id, live.rule, value, Change.CLOSED, *says))
                lives.remove(live)
                window.floor = max(window.floor, live.last + 1)
                self.dirty.append(value)
            if not lives:
                del self.episodes[value]
        return out

    def _forget(self, value: str, window: Window) -> None:
        base = self.frontier - _KEPT
        for live in self.episodes.get(value, ()):
            first = live.first - SLICES + 1
            if first < base and window.since < base and (covered := window.cover(first, base - 1)):
                earliest, _, parties = covered
                if live.carried_first is None:
                    live.carried_first = earliest
                live.carried_parties = live.carried_parties.union(parties)
        window.forget(base)

    def sweep(self, budget: int) -> int:
        """Forget what the watermark has passed, looking at no more than `budget` indicators.

        How many were evicted. A full round starts each eighth of the time that state lives.
        """
        if self._sweeping is None:
            lives = SLICES + self._lateness * SLICES // self.timespan
            if self.frontier < self._swept_at + max(lives // 8, 1):
                return 0
            self._swept_at = self.frontier
            self._sweeping = iter(list(self.states))
        evicted = 0
        kept_from = self.frontier - _KEPT
        for value in self._sweeping:
            state = self.states.get(value)
            if state is None:
                continue
            if not isinstance(state, Window):
                few = (state,) if isinstance(state, int) else state
                newest = max(few) >> FIRST_SHIFT
                gone = slice_of(newest, self.timespan) < kept_from
            else:
                gone = state.newest < kept_from and value not in self.episodes
                if not gone and state.base < kept_from:
                    self._forget(value, state)
            if gone and value not in self.changed:
                del self.states[value]
                evicted += 1
                if isinstance(state, Window):  # the others have no episode to come back
                    self.gone.add(value)
            budget -= 1
            if budget <= 0:
                return evicted
        self._sweeping = None
        return evicted

    def resume(self) -> None:
        """After a restore: look at every episode again, and mind when each will end."""
        self._closings = [
            (live.last, value) for value, lives in self.episodes.items() for live in lives
        ]
        heapq.heapify(self._closings)
        self.changed.update(dict.fromkeys(self.episodes, EVERYWHERE))
        self._owes = True
