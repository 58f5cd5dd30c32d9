"""Who was at the same parties at the same times, beyond chance. No I/O here.

A visit is a run of half hours in which one party saw an indicator. If its visits fell anywhere that
anything is seen, so many of them would fall beside those of another by chance: busy parties and
busy hours are in the reckoning, for it counts what was seen there.
"""

from __future__ import annotations

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
LEAST_COUNTRIES = 3
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
    """When the third country of those that both visited had been visited, ms."""


class About(Struct, frozen=True):
    """The cells in which, or next to which, a group was seen, and all that was seen in them."""

    cells: frozenset[Cell] | set[Cell]
    volume: int


class Presence:
    """The visits of those that may belong to a campaign."""

    def __init__(self, evidence: Evidence, members: Iterable[Indicator]) -> None:
        self._parties = evidence.parties.all
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
        self._visits = {one: list(_visits(mine)) for one, mine in cells.items()}
        self.rare = {one for one, visits in self._visits.items() if len(visits) <= MOST_VISITS}
        self._near = {one: _near(cells[one]) for one in self.rare}
        self._marked = {one: self._volume(near) for one, near in self._near.items()}

    def _volume(self, cells: Iterable[Cell]) -> int:
        return sum(self._busy[cell] for cell in cells)

    def ties(self) -> Iterator[tuple[Indicator, Indicator, Shared]]:
        """Each two of which one was there together with the other mostly, each pair once."""
        there: dict[Cell, list[Indicator]] = defaultdict(list)
        for one in sorted(self.rare):
            for cell in self._cells[one]:
                there[cell].append(one)
        for one in sorted(self.rare):
            others: Counter[Indicator] = Counter()
            for cell in self._near[one]:
                others.update(other for other in there.get(cell, ()) if other > one)
            for other, cells in others.items():
                if cells >= LEAST_COUNTRIES and (shared := self.shared(one, other)) is not None:
                    yield one, other, shared

    def shared(self, one: Indicator, other: Indicator) -> Shared | None:
        """What two share: the likelier way round, if either is worth a word."""
        there, back = self.beside(one, other), self.beside(other, one)
        if there is None or back is None:
            return None
        weaker = max(there, back, key=lambda shared: (shared.p, shared.hits, shared.visits))
        return structs.replace(weaker, telling=there.telling or back.telling)

    def beside(self, one: Indicator, other: Indicator) -> Shared | None:
        """How far one was there when the other was, or None if that is not most of the time."""
        if one not in self.rare or other not in self.rare:
            return None
        return self._beside(one, self._near[other], self._marked[other])

    def about(self, group: Collection[Indicator]) -> About:
        """Where and when a group, each member of which was rarely there, was about."""
        near = {cell for member in group if member in self.rare for cell in self._near[member]}
        return About(near, self._volume(near))

    def with_group(self, one: Indicator, about: About) -> Shared | None:
        """What one shares with a group."""
        if one not in self.rare or not about.cells:
            return None
        return self._beside(one, about.cells, about.volume)

    def _beside(self, one: Indicator, near: Collection[Cell], marked: int) -> Shared | None:
        visits = self._visits[one]
        hits: list[tuple[int, int]] = []
        for visit in visits:
            times = [self._cells[one][cell] for cell in visit if cell in near]
            if times:
                hits.append((min(times), visit[0][0]))
        if len(hits) < _NOTICED * len(visits):
            return None
        countries: set[str] = set()
        for time, party in sorted(hits):
            countries.add(self._parties[party].country)
            if len(countries) == LEAST_COUNTRIES:
                p = hypergeometric_tail(len(hits), len(visits), marked, self._all)
                telling = 2 * len(hits) > len(visits) and _times(hits) >= _TIMES
                return Shared(len(hits), len(visits), p, telling, time)
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
