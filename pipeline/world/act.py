"""One thing that a sensor notices, the scene that a campaign plays on, and the rhythm of days."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from pipeline.indicator import Indicator
from pipeline.world.dice import Dice, Weights
from pipeline.world.mint import Mint
from pipeline.world.places import Places

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Traffic by the hour of the day where the sensor stands: machines all night, people by day.
_HOURS = Weights(
    [6, 5, 5, 5, 5, 6, 7, 9, 11, 13, 13, 13, 12, 13, 13, 13, 12, 11, 10, 10, 9, 8, 7, 6]
)


class Act(NamedTuple):
    """`time` is the true one, ms; `site` the number of a site; `body` what is said of it.

    `own` are the indicators in it that are the campaign's own. `foreign` are those that came with
    the campaign but that nobody is asked to find, such as forged sources.
    """

    time: int
    site: int
    body: bytes
    own: tuple[Indicator, ...] = ()
    foreign: tuple[Indicator, ...] = ()


class Scene(Struct):
    """What a campaign is drawn from. Times in ms; `end` is where the world ends."""

    dice: Dice
    mint: Mint
    places: Places
    begin: int
    end: int
    victims: list[str]
    """Countries that it strikes, three at least."""

    def site(self, country: str) -> int:
        """One of the country's sensors."""
        return self.dice.one(self.places.of(country))

    def opening(self, duration: int) -> tuple[int, int]:
        """When something that takes so long begins and ends; shorter where the world is."""
        duration = min(duration, (self.end - self.begin) * 3 // 4)
        begin = self.dice.between(self.begin, self.end - duration - 1)
        return begin, begin + duration


def rhythm(dice: Dice, begin: int, days: int, zone: int) -> int:
    """A time within `days` after `begin` (a midnight, UTC), by the hours of a zone.

    So many draws are a Poisson process of that rhythm, given how many events it had.
    """
    hour = (dice.weighted(_HOURS) - zone) % 24
    return begin + dice.below(days) * DAY + hour * HOUR + dice.below(HOUR)
