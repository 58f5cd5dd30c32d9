"""DDoS with forged sources: what is forged names innocents; the tool and its bait are its own."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.indicator_type import DOMAIN, IP, USER_AGENT
from pipeline.world import saying
from pipeline.world.act import MINUTE, Act, Scene
from pipeline.world.commons import INNOCENT

_MINUTES = (10, 50)
_EVENTS = (50, 120)  # a country
_FORGED = 150  # addresses that the tool makes up
_FAVOURITES = 8  # of these, come again and again
_REQUEST, _QUERY, _PACKET = range(3)


def acts(scene: Scene) -> Iterator[Act]:
    """All countries at once. A forged source is nobody's: not the campaign's, not to be found."""
    dice, mint = scene.dice, scene.mint
    begin, end = scene.opening(dice.between(*_MINUTES) * MINUTE)
    forged = [mint.address(dice) for _ in range(_FORGED)]
    bait, agent = mint.domain(dice), mint.agent(dice)
    for country in scene.victims:
        site = scene.site(country)
        times = sorted(dice.between(begin, end - 1) for _ in range(dice.between(*_EVENTS)))
        for number, time in enumerate(times):
            if dice.chance(1, 10):
                ip = dice.one(INNOCENT)
            elif dice.chance(1, 5):
                ip = forged[dice.below(_FAVOURITES)]
            else:
                ip = dice.one(forged)
            foreign = () if ip in INNOCENT else ((IP, ip),)
            # The first ones are of each kind: every country meets both the tool and the bait.
            what = number if number <= _PACKET else dice.below(3)
            if what == _QUERY:
                yield Act(time, site, saying.dns(dice, ip, bait, "ANY"), ((DOMAIN, bait),), foreign)
            elif what == _REQUEST:
                host = f"www.{scene.places.sites[site].sensor}.example"
                body = saying.http(dice, ip, agent, host, "/")
                yield Act(time, site, body, ((USER_AGENT, agent),), foreign)
            else:
                body = saying.connection(dice, ip, 80, "udp")
                yield Act(time, site, body, (), foreign)
