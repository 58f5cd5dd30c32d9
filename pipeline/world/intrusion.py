"""A staged intrusion: at each victim a scan, an exploit, a payload, then a call home."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.indicator_type import DOMAIN, IP, JA3, JA4, SHA256, URL, USER_AGENT
from pipeline.world import saying
from pipeline.world.act import HOUR, MINUTE, Act, Scene
from pipeline.world.commons import CVES, PORTS, common
from pipeline.world.script import script, typed

_HOURS = (8, 20)
_VICTIMS = (1, 2)  # in one country
_PROBES = (3, 8)
_CALLS = (4, 12)


def acts(scene: Scene) -> Iterator[Act]:
    """Victim by victim, each in another country than the one before."""
    dice, mint = scene.dice, scene.mint
    begin, end = scene.opening(dice.between(*_HOURS) * HOUR)
    scanner, breaker, home = mint.address(dice), mint.address(dice), mint.domain(dice)
    agent, sha256, cve = mint.agent(dice), mint.digest(dice), common(dice, CVES)
    ja3, ja4 = mint.digest(dice, 32), mint.ja4(dice)
    url = f"http://{home}/{dice.hexadecimal(8)}"
    shell = dice.child("shell")
    steps = script(shell)
    again = [country for country in scene.victims for _ in range(dice.between(*_VICTIMS) - 1)]
    victims = [*scene.victims, *again]
    for place, country in enumerate(victims):
        site = scene.site(country)
        time = begin + (end - begin) * place // (2 * len(victims)) + dice.below(10 * MINUTE)
        for _ in range(dice.between(*_PROBES)):
            body = saying.connection(dice, scanner, dice.one(PORTS))
            yield Act(time + dice.below(5 * MINUTE), site, body, ((IP, scanner),))
        time += dice.between(5, 40) * MINUTE
        host = f"www.{scene.places.sites[site].sensor}.example"
        yield Act(
            time,
            site,
            saying.http(dice, breaker, agent, host, "/api/v1/upload", post=True),
            ((IP, breaker), (USER_AGENT, agent)),
        )
        yield Act(time + 80, site, saying.weakness(dice, cve, breaker), ((IP, breaker),))
        line = typed(shell, mint, steps)
        yield Act(time + 900, site, saying.typed(shell, breaker, line), ((IP, breaker),))
        time += dice.between(1, 5) * MINUTE
        yield Act(
            time,
            site,
            saying.fetched(dice, breaker, url, sha256, "svc"),
            ((IP, breaker), (URL, url), (SHA256, sha256)),
        )
        calls = dice.between(*_CALLS)
        for call in range(calls):
            time += MINUTE + (end - begin) * call // (4 * calls * calls) + dice.below(MINUTE)
            yield Act(time, site, saying.dns(dice, None, home), ((DOMAIN, home),))
            yield Act(
                time + 40,
                site,
                saying.tls(dice, None, home, ja3, ja4),
                ((DOMAIN, home), (JA3, ja3), (JA4, ja4)),
            )
