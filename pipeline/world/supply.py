"""A poisoned release: who installs it runs its payload, which calls home. No attacker comes by."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.indicator_type import DOMAIN, PURL, SHA256
from pipeline.world import saying
from pipeline.world.act import HOUR, MINUTE, SECOND, Act, Scene
from pipeline.world.commons import CLIENTS, common

_HOURS = (12, 30)
_VICTIMS = (1, 4)  # in one country
_CALLS = (2, 8)


def acts(scene: Scene) -> Iterator[Act]:
    """Most install it soon after its release; the payload then calls every now and then."""
    dice, mint = scene.dice, scene.mint
    begin, end = scene.opening(dice.between(*_HOURS) * HOUR)
    purl, sha256, home = mint.purl(dice), mint.digest(dice), mint.domain(dice)
    ja3, ja4 = common(dice, CLIENTS)  # the runtime's own, as any other program's on it
    for country in scene.victims:
        for _ in range(dice.between(*_VICTIMS)):
            site = scene.site(country)
            soon = min(dice.below(end - begin), dice.below(end - begin)) // 2
            time = begin + soon
            yield Act(time, site, saying.package(dice, purl, "CWE-506"), ((PURL, purl),))
            time += dice.between(1, 60) * SECOND
            yield Act(
                time,
                site,
                saying.fetched(dice, None, None, sha256, "postinstall"),
                ((SHA256, sha256),),
            )
            for _ in range(dice.between(*_CALLS)):
                time += dice.between(1, 40) * MINUTE
                yield Act(time, site, saying.dns(dice, None, home), ((DOMAIN, home),))
                body = saying.tls(dice, None, home, ja3, ja4)
                yield Act(time + 30, site, body, ((DOMAIN, home),))
