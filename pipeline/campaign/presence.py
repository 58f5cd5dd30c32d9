"""Who was at the same parties at the same times, beyond chance. No I/O here.

A visit is a run of half hours in which one party saw an indicator. If its visits fell anywhere that
anything is seen, so many of them would fall beside those of another by chance: busy parties and
busy hours are in the reckoning, for it counts what was seen there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct, structs

from pipeline.campaign.chance import hypergeometric_tail
from pipeline.campaign.evidence import Evidence
from pipeline.indicator import Indicator

HALF_HOUR = 1_800_000  # ms
_LONGEST = 3
"""Half hours of a visit; what stays longer is there again."""
MOST_VISITS = 32
"""Who is there more often meets everybody who is about in the same days: it tells nothing."""
_TIMES = 3
_NOTICED = 0.25
"""The part of its visits beside another's, below which it is no company."""

Cell = tuple[int, int]
"""Number of the party, half hour."""


class Shared(Struct, frozen=True):
    """Of an indicator's visits, how many were beside another's: `p` by chance.

    `telling`: more than half of the visits of either one were, and at several times: two campaigns
    that strike everywhere in the same hour meet everywhere once.
    """

    hits: int
    visits: int
    p: float
    telling: bool
    known_at: int
    """When the last of the countries that it takes had been visited by both, ms."""


class About(Struct, frozen=True):
    """The cells in which, or next to which, a group was seen, and all that was seen in them."""

    cells: set[Cell]
    volume: int


class Presence:
    """The visits of those that may belong to a campaign."""

    def __init__(self, evidence: Evidence, members: Iterable[Indicator]) -> None:
        self._parties = evidence.parties.all
        self._least = evidence.least_countries
        self._busy: Counter[Cell] = Counter()
        cells: dict[Indicator, dict[Cell, int]] = {}
        wanted = set(members)
        for indicator, facts in evidence.telling():
            mine: dict[Cell, int] = {}
            for (party, _), fact in facts.items():
                for time in {fact.first, fact.last}:
                    cell = (party, time // HALF_HOUR)
                    mine[cell] = min(mine.get(cell, time), time)
            self._busy.update(mine.keys())
            if indicator in wanted:
                cells[indicator] = mine
        self._all = self._busy.total()
        self._cells = cells
        visits = {one: list(_visits(mine)) for one, mine in cells.items()}
        self.rare = {one for one, mine in visits.items() if len(mine) <= MOST_VISITS}
        self._visits = {one: len(visits[one]) for one in self.rare}
        self._begins = {one: [visit[0] for visit in visits[one]] for one in self.rare}
        self._visit_of = {
            one: {cell: number for number, visit in enumerate(visits[one]) for cell in visit}
            for one in self.rare
        }
        self._near = {one: _near(cells[one]) for one in self.rare}
        self._marked = {one: self._volume(near) for one, near in self._near.items()}

    def _volume(self, cells: Iterable[Cell]) -> int:
        return sum(self._busy[cell] for cell in cells)

    def ties(
        self, weakest: float = 1.0, asked: Collection[tuple[Indicator, Indicator]] = ()
    ) -> Iterator[tuple[Indicator, Indicator, Shared]]:
        """Each two of which one was there together with the other mostly, each pair once.

        Not what is likelier than `weakest` by chance, unless the pair is one of those asked for:
        almost all pairs that ever meet are such, and most of the work would be theirs.
        """
        there: dict[Cell, list[Indicator]] = defaultdict(list)
        for one in sorted(self.rare):
            for cell in self._cells[one]:
                there[cell].append(one)
        for one in sorted(self.rare):
            others: Counter[Indicator] = Counter()
            for cell in self._near[one]:
                who = there.get(cell)
                if who is not None and one < who[-1]:
                    others.update(who[bisect_right(who, one) :])  # each is in order
            for other, cells in others.items():
                if cells < self._least:
                    continue
                limit = 1.0 if (one, other) in asked else weakest
                if (shared := self.shared(one, other, limit)) is not None:
                    yield one, other, shared

    def shared(self, one: Indicator, other: Indicator, weakest: float = 1.0) -> Shared | None:
        """What two share: the likelier way round, if either is worth a word."""
        there = self.beside(one, other, weakest)
        if there is None:
            return None
        back = self.beside(other, one, weakest)
        if back is None:
            return None
        weaker = max(there, back, key=lambda shared: (shared.p, shared.hits, shared.visits))
        return structs.replace(weaker, telling=there.telling or back.telling)

    def beside(self, one: Indicator, other: Indicator, weakest: float = 1.0) -> Shared | None:
        """How far one was there when the other was, or None if that is not most of the time."""
        if one not in self.rare or other not in self.rare:
            return None
        return self._beside(one, self._near[other], self._marked[other], weakest)

    def about(self, group: Collection[Indicator]) -> About:
        """Where and when a group, each member of which was rarely there, was about."""
        near = {cell for member in group if member in self.rare for cell in self._near[member]}
        return About(near, self._volume(near))

    def with_group(self, one: Indicator, about: About) -> Shared | None:
        """What one shares with a group."""
        if one not in self.rare or not about.cells:
            return None
        return self._beside(one, about.cells, about.volume)

    def _beside(
        self, one: Indicator, near: set[Cell], marked: int, weakest: float = 1.0
    ) -> Shared | None:
        times, visit_of, visits = self._cells[one], self._visit_of[one], self._visits[one]
        cells = times.keys() & near
        hit = {visit_of[cell] for cell in cells}
        if len(hit) < _NOTICED * visits or len(hit) < self._least:
            return None
        p = hypergeometric_tail(len(hit), visits, marked, self._all)
        if p > weakest:
            return None
        first: dict[int, int] = {}
        for cell in cells:
            number, time = visit_of[cell], times[cell]
            first[number] = min(first.get(number, time), time)
        begins = self._begins[one]
        hits = [(time, begins[number][0]) for number, time in first.items()]
        countries: set[str] = set()
        for time, party in sorted(hits):
            countries.add(self._parties[party].country)
            if len(countries) == self._least:
                telling = 2 * len(hits) > visits and _times(hits) >= _TIMES
                return Shared(len(hits), visits, p, telling, time)
        return None


def _visits(cells: Iterable[Cell]) -> Iterator[list[Cell]]:
    visit: list[Cell] = []
    for cell in sorted(cells):
        if visit and (cell != (visit[-1][0], visit[-1][1] + 1) or len(visit) == _LONGEST):
            yield visit
            visit = []
        visit.append(cell)
    if visit:
        yield visit


def _times(hits: Iterable[tuple[int, int]]) -> int:
    """How many times that are not one after the other these (ms, party) lie at."""
    count, last = 0, -2
    for half in sorted({time // HALF_HOUR for time, _ in hits}):
        if half > last + 1:
            count += 1
        last = half
    return count


def _near(cells: Iterable[Cell]) -> set[Cell]:
    return {(party, at + by) for party, at in cells for by in (-1, 0, 1)}
