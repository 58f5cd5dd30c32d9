"""Sensors that lie: they tell what others saw as their own, name innocents, and make things up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.world import saying
from pipeline.world.act import Act, Scene
from pipeline.world.commons import INNOCENT, PORTS

_ECHO, _FRAME, _INVENT = range(3)


def acts(scene: Scene, of_campaigns: Sequence[Act], lies: int) -> Iterator[Act]:
    """So many lies of each lying sensor, at any time of the world.

    They are no campaign's events, also where they repeat what a campaign's events say.
    """
    dice = scene.dice
    for site, place in enumerate(scene.places.sites):
        if not place.liar:
            continue
        for _ in range(lies):
            what = dice.below(3)
            time = dice.between(scene.begin, scene.end - 1)
            if what == _ECHO and of_campaigns:
                body = dice.one(of_campaigns).body
            elif what == _FRAME:
                body = saying.connection(dice, dice.one(INNOCENT), dice.one(PORTS))
            else:
                address = scene.mint.address(dice)
                body = saying.fetched(dice, address, None, scene.mint.digest(dice), "invented")
            yield Act(time, site, body)
