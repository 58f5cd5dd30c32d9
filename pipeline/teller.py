"""What is told of an episode, as its window stands and as it stood. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.endemic import Standing
from pipeline.episode import LiveEpisode, Says
from pipeline.party import Parties
from pipeline.rule import Rule
from pipeline.slices import SLICES
from pipeline.surprise import STRETCH, Background, Chance, Surprise
from pipeline.window import Window


class Teller:
    """For the episodes of some rules; without a `background` none has a p-value."""

    __slots__ = ("_chances", "_parties", "base")

    def __init__(
        self, rules: Iterable[Rule], parties: Parties, background: Background | None
    ) -> None:
        self._chances = (
            {rule.id: Chance(rule, background) for rule in rules if rule.spread}
            if background
            else {}
        )
        self._parties = parties
        self.base = max((chance.base for chance in self._chances.values()), default=0)
        """Slices before an episode in which sightings are counted for a p-value."""

    def carry(self, window: Window, live: LiveEpisode, since: int) -> None:
        """Note with an episode what slices before `since` say of it: they are to be forgotten."""
        first = live.first - SLICES + 1
        # What can no longer change: these windows and all before them are final.
        if self.base and live.carried_before is None and first - self.base < since:
            live.carried_before = self._count_before(window, live)
        if self.base and live.carried_spread is None and first < since:
            live.carried_spread = self._count_spread(window, live)
        if first < since and window.since < since and (covered := window.cover(first, since - 1)):
            earliest, _, parties = covered
            if live.carried_first is None:
                live.carried_first = earliest
            live.carried_parties = live.carried_parties.union(parties)

    def says(self, window: Window, live: LiveEpisode) -> Says:
        covered = window.cover(live.first - SLICES + 1, live.last)
        assert covered is not None  # its last window holds
        first, last, numbers = covered
        if live.carried_first is not None:
            first = live.carried_first
        parties = [self._parties.all[n] for n in live.carried_parties.union(numbers)]
        return Says(
            first,
            last,
            tuple(sorted({party.country for party in parties})),
            tuple(sorted({party.organisation for party in parties})),
            None if (surprise := self.surprise(window, live)) is None else surprise.p_value,
            (standing := self.standing(window, live)) is not None and standing.endemic,
        )

    def surprise(self, window: Window, live: LiveEpisode) -> Surprise | None:
        """How likely its spread is by chance; None where that is not worked out."""
        chance = self._chances.get(live.rule.id)
        if chance is None:
            return None
        before, spread = live.carried_before, live.carried_spread
        if before is None:
            before = self._count_before(window, live)
        if spread is None:
            spread = self._count_spread(window, live)
        return chance.surprise(before, spread)

    def _count_before(self, window: Window, live: LiveEpisode) -> int:
        first = live.first - SLICES + 1
        return window.count(first - self.base, first - 1)

    def _count_spread(self, window: Window, live: LiveEpisode) -> int:
        first = live.first - SLICES + 1
        covered = window.cover(first, min(first + STRETCH - 1, live.last))
        assert covered is not None  # its first window holds
        group = self._groups(live.rule)
        return len({group[party] for party in covered[2]})

    def standing(self, window: Window, live: LiveEpisode) -> Standing | None:
        """Whether it is everywhere always; None while it has not lasted for that."""
        chance = self._chances.get(live.rule.id)
        if chance is None or live.last - live.first < chance.base:
            return None
        end = live.last - SLICES
        base = window.cover(end - chance.base + 1, end)
        if base is None:
            return None
        group = self._groups(live.rule)
        return Standing(
            chance.groups,
            chance.base,
            window.count(end - chance.base + 1, end),
            len({group[party] for party in base[2]}),
            window.count(end + 1, live.last),
        )

    def _groups(self, rule: Rule) -> dict[int, int]:
        parties = self._parties
        return parties.countries if rule.spread == "country" else parties.organisations
