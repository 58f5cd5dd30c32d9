"""How events reach us: by clocks that drift, some of them late, some of them twice.

The shapes are those of the Marx set, where one host's clock falls 21 minutes behind in six months,
and of shippers that buffer: most events come within two seconds, a few after minutes, and what a
sensor kept through an outage comes hours later. Nothing is later than the default lateness of 24 h.
"""

from __future__ import annotations

from msgspec import Struct

from pipeline.world.act import DAY, HOUR, MINUTE, SECOND
from pipeline.world.dice import Dice

_GOOD = (85, 100)  # of clocks: kept by NTP
_NTP = 2 * SECOND
_FURTHEST = 21 * MINUTE  # a clock that nobody keeps is off by less
_DRIFT = 3 * SECOND  # a day, at most

_BUFFERED = (4, 100)
_OUTAGE = (4, 1000)
_TWICE = (3, 100)


class Clock(Struct, frozen=True):
    """`offset` ms at the beginning, and `drift` ms more a day. Bad clocks fall behind."""

    offset: int
    drift: int

    def stated(self, time: int, begin: int) -> int:
        """What the sensor says the time is; never below 0 for a begin that is a date."""
        return time + self.offset + self.drift * (time - begin) // DAY


def clock(dice: Dice) -> Clock:
    if dice.chance(*_GOOD):
        return Clock(dice.between(-_NTP // 2, _NTP // 2), 0)
    drift = dice.between(1, _DRIFT)
    return Clock(-dice.below(_FURTHEST - 90 * _DRIFT), -drift)


def arrivals(dice: Dice, time: int) -> list[int]:
    """When an event that happened at `time` arrives, each time that it does."""
    if dice.chance(*_OUTAGE):
        first = time + dice.between(HOUR, 6 * HOUR)
    elif dice.chance(*_BUFFERED):
        first = time + dice.between(MINUTE, 15 * MINUTE)
    else:
        first = time + dice.between(20, 2 * SECOND)
    if dice.chance(*_TWICE):
        return [first, first + dice.heavy(SECOND, HOUR)]
    return [first]
