"""Low and slow: one visit every few hours, for as long as the world lasts, a country at a time."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.indicator_type import DOMAIN, IP, SHA256, URL, USER_AGENT
from pipeline.world import saying
from pipeline.world.act import HOUR, MINUTE, SECOND, Act, Scene
from pipeline.world.commons import PATHS, common

_BETWEEN = 6 * HOUR  # two visits, on average


def acts(scene: Scene) -> Iterator[Act]:
    """Round by round through the countries, each visit at its own time from one of two hosts."""
    dice, mint = scene.dice, scene.mint
    hosts = [mint.address(dice) for _ in range(2)]
    agent, stage, sha256 = mint.agent(dice), mint.domain(dice), mint.digest(dice)
    url = f"https://{stage}/{dice.hexadecimal(6)}"
    span = scene.end - scene.begin - HOUR
    # Every country twice at least: a world of one day has so many visits, too.
    visits = max(2 * len(scene.victims), span // _BETWEEN)
    step = span // visits
    for visit in range(visits):
        country = scene.victims[visit % len(scene.victims)]
        site, ip = scene.site(country), dice.one(hosts)
        time = scene.begin + visit * step + dice.below(max(step // 2, 1))
        host = f"www.{scene.places.sites[site].sensor}.example"
        yield Act(
            time,
            site,
            saying.http(dice, ip, agent, host, common(dice, PATHS)),
            ((IP, ip), (USER_AGENT, agent)),
        )
        time += dice.between(1, 20) * MINUTE
        yield Act(
            time,
            site,
            saying.fetched(dice, ip, url, sha256, "update"),
            ((IP, ip), (URL, url), (SHA256, sha256)),
        )
        time += dice.between(5, 300) * SECOND
        yield Act(time, site, saying.dns(dice, None, stage), ((DOMAIN, stage),))
