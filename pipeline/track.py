"""The state of the rules that share an indicator type and a timespan. No I/O here.

What is known of an indicator is joined in by `Memory.observe`; `settle` looks at what that changed;
`advance` closes what has ended; `sweep` forgets what has passed. See `pipeline.correlate`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from uuid import UUID, uuid5

from pipeline.endemic import Standing
from pipeline.episode import Change, Episode, LiveEpisode, Merger, Says
from pipeline.memory import Memory, snapshot
from pipeline.party import Parties
from pipeline.rule import Rule
from pipeline.sight import Group
from pipeline.slices import FIRST_SHIFT, SLICES, slice_of
from pipeline.surprise import Background, Surprise
from pipeline.teller import Teller
from pipeline.window import EVERYWHERE, Demand, Island, Window

_NAMESPACE = UUID("7b1c7f0e-3f3c-5f0b-9a55-5e2a3d1f8c11")
_KEPT = SLICES + 1
"""Slices before the frontier that are remembered: those the last final windows cover. Before them,
those in which sightings are counted for a p-value."""


class Track(Memory):
    """The state of the rules that share an indicator type and a timespan."""

    __slots__ = (
        "_base",
        "_closings",
        "_demands",
        "_kept",
        "_lateness",
        "_owes",
        "_stale",
        "_sweeping",
        "_swept_at",
        "_teller",
        "episodes",
        "merged",
        "parties",
        "rules",
        "unplaced",
    )

    def __init__(
        self,
        kind: str,
        timespan_ms: int,
        rules: list[Rule],
        parties: Parties,
        lateness_ms: int,
        background: Background | None = None,
    ) -> None:
        super().__init__(kind, timespan_ms, self._fewest(rules))
        self.rules = rules
        self._demands: list[tuple[Rule, list[Demand]]] = [
            (rule, _demands(rule, parties)) for rule in rules
        ]
        self._teller = Teller(rules, parties, background)
        self._base = self._teller.base
        self._kept = _KEPT + self._base
        self.episodes: dict[str, list[LiveEpisode]] = {}
        self.merged: dict[str, list[Merger]] = {}
        """What the last `settle` merged; after a restore, what may not have been told yet."""
        self._owes = False
        self.parties = parties
        """Whose numbers its sightings have."""
        self.unplaced = 0
        """Sightings that there was no number left for; possible misses."""
        self._lateness = lateness_ms
        self._closings: list[tuple[int, str]] = []
        self._stale: set[str] = set()
        self._swept_at = 0
        self._sweeping: Iterator[str] | None = None

    @staticmethod
    def _fewest(rules: list[Rule]) -> int:
        """See `Memory`: how many parties it takes for any rule to hold."""
        return min(rule.least for rule in rules)

    def hear(self, party: int, group: Group) -> int:
        """Note sightings of a kind that its rules ask for, by one party; how many were late."""
        return self.observe(party, group)

    def further(
        self,
        rule: Rule,  # noqa: ARG002 - for those that inherit it
        window: Window,  # noqa: ARG002
        slices: int = SLICES,  # noqa: ARG002
    ) -> Callable[[Island], int] | None:
        """What a window must meet beside the demands, if anything; see `Window.holding`."""
        return None

    def demands(self, rule: Rule) -> list[Demand]:
        """What a window must meet, in the order of `Rule.conditions` without events."""
        return next(demands for of, demands in self._demands if of is rule)

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
            if window.oldest + 4 * self._kept < self.frontier:
                self._forget(value, window)
            # Most look in vain: that is found out the cheap way first.
            if value in self.episodes or window.met_by(span, self._least):
                self._look(value, window, span, out)
        self.dirty.update(dict.fromkeys(self.changed))
        self.changed.clear()
        return out

    def _look(self, value: str, window: Window, span: tuple[int, int], out: list[Episode]) -> None:
        if self._base and value in self.episodes:
            # What an open episode is measured by lies before it: it may be judged otherwise now.
            span = (span[0], span[1] + self._base)
        for rule, demands in self._demands:
            for first, last in window.holding(demands, span, self.further(rule, window)):
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
        identity = uuid5(_NAMESPACE, f"{rule.id}|{rule.indicator_type}|{value}|{first}")
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
            said = live.published or self._teller.says(window, live)
            self._merge(value, Merger(live.id, live.rule, said, oldest.id), out)
        return oldest

    def _merge(self, value: str, merger: Merger, out: list[Episode]) -> None:
        self.merged.setdefault(value, []).append(merger)
        self.dirty[value] = None
        out.append(
            _revision(merger.id, merger.rule, value, Change.MERGED, merger.said, merger.into)
        )

    def _publish(self, value: str, window: Window, live: LiveEpisode, out: list[Episode]) -> None:
        says = self._teller.says(window, live)
        before = live.published
        if before is None:
            out.append(_revision(live.id, live.rule, value, Change.OPENED, says))
        elif says == before:
            return
        elif (says[0], *says[2:]) == (before[0], *before[2:]):
            # An attack that merely goes on is told by `refresh`, not at every batch.
            self._stale.add(value)
            return
        else:
            out.append(_revision(live.id, live.rule, value, Change.UPDATED, says))
        live.published = says

    def refresh(self) -> list[Episode]:
        """The revisions that `settle` held back: attacks that merely went on."""
        out: list[Episode] = []
        for value in self._stale:
            window = self.states.get(value)
            for live in self.episodes.get(value, ()):
                if isinstance(window, Window):
                    says = self._teller.says(window, live)
                    if live.published is not None and says != live.published:
                        live.published = says
                        out.append(_revision(live.id, live.rule, value, Change.UPDATED, says))
        self.dirty.update(dict.fromkeys(self._stale))
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
                says = self._teller.says(window, live)
                out.append(_revision(live.id, live.rule, value, Change.CLOSED, says))
                lives.remove(live)
                window.floor = max(window.floor, live.last + 1)
                self.dirty[value] = None
            if not lives:
                del self.episodes[value]
        return out

    def _forget(self, value: str, window: Window) -> None:
        before = self.frontier - self._kept
        for live in self.episodes.get(value, ()):
            self._teller.carry(window, live, before)
        window.forget(before)

    def sweep(self, budget: int) -> int:
        """Forget what the watermark has passed, looking at no more than `budget` indicators.

        How many were evicted. A full round starts each quarter of the time that state lives.
        """
        if self._sweeping is None:
            lives = SLICES + self._base + self._lateness * SLICES // self.timespan
            if self.frontier < self._swept_at + max(lives // 4, 1):
                return 0
            self._swept_at = self.frontier
            self._sweeping = snapshot(self.states)
        evicted = 0
        kept_from = self.frontier - self._kept
        # What `pack_single` makes of a sighting of before that is less.
        least = -(-kept_from * self.timespan // SLICES) << FIRST_SHIFT
        for value in self._sweeping:
            state = self.states.get(value)
            if state is None:
                continue
            if isinstance(state, int):
                gone = state < least
            elif isinstance(state, tuple):
                gone = max(state) < least
            else:
                gone = state.newest < kept_from and value not in self.episodes
                if not gone and state.oldest < kept_from:
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

    def terms(self, value: str) -> list[tuple[LiveEpisode, Surprise | None, Standing | None]]:
        """What the p-value, and the standing, of each open episode of an indicator are made of."""
        window = self.states.get(value)
        if not isinstance(window, Window):
            return []
        tell = self._teller
        return [
            (live, tell.surprise(window, live), tell.standing(window, live))
            for live in self.episodes.get(value, ())
        ]

    def resume(self) -> None:
        """After a restore: look at every episode again, and mind when each will end."""
        self._closings = [
            (live.last, value) for value, lives in self.episodes.items() for live in lives
        ]
        heapq.heapify(self._closings)
        self.changed.update(dict.fromkeys(self.episodes, EVERYWHERE))
        self._owes = True


def _revision(
    identity: str, rule: Rule, value: str, change: Change, says: Says, into: str | None = None
) -> Episode:
    first, last, countries, organisations, p_value, standing = says
    return Episode(
        identity,
        rule,
        value,
        change,
        first,
        last,
        countries,
        organisations,
        into,
        p_value,
        standing,
    )


def _demands(rule: Rule, parties: Parties) -> list[Demand]:
    # Of events, `CountTrack` knows more.
    groups = {"country": parties.countries, "organisation": parties.organisations}
    return [
        (needed, groups.get(of, parties.labels)) for of, needed in rule.conditions if of != "event"
    ]
