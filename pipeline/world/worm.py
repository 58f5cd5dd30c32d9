"""A worm: every host it takes attacks others; one binary, one address to fetch it from."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.indicator_type import HASSH, IP, SHA256, URL
from pipeline.world import saying
from pipeline.world.act import HOUR, SECOND, Act, Scene
from pipeline.world.commons import LOGONS, common
from pipeline.world.script import script, typed

_HOSTS = (20, 60)
_HOURS = (4, 12)
_TARGETS = (2, 9)  # of one host
_TAKEN = (2, 3)  # of the targets: these fetch the binary


def acts(scene: Scene) -> Iterator[Act]:
    """Generation by generation, each twice as large; the first host strikes every country."""
    dice, mint = scene.dice, scene.mint
    begin, end = scene.opening(dice.between(*_HOURS) * HOUR)
    hassh, sha256 = mint.digest(dice, 32), mint.digest(dice)
    url = f"http://{mint.address(dice)}/{dice.one(('bins.sh', 'arm7', 'x86', 'mips'))}"
    hosts = dice.between(*_HOSTS)
    generations = hosts.bit_length()
    shell = dice.child("shell")
    steps = script(shell)
    for host in range(hosts):
        ip = mint.address(dice)
        generation = (host + 1).bit_length() - 1
        taken = begin + (end - begin) * generation // generations
        first = host == 0
        countries = scene.victims if first else [
            dice.one(scene.victims) for _ in range(dice.between(*_TARGETS))
        ]  # fmt: skip
        for country in countries:
            # The first host strikes within the first hour, the others until the worm is stopped.
            until = min(end, begin + HOUR) if first else end
            time = dice.between(taken, max(taken, until - 1))
            site = scene.site(country)
            yield Act(time, site, saying.ssh(dice, ip, hassh), ((IP, ip), (HASSH, hassh)))
            user, credential = common(dice, LOGONS)
            yield Act(time + SECOND, site, saying.logon(dice, ip, user, credential), ((IP, ip),))
            if first or dice.chance(*_TAKEN):
                line = typed(shell, mint, steps)
                yield Act(time + SECOND, site, saying.typed(shell, ip, line), ((IP, ip),))
                yield Act(
                    time + dice.between(2, 20) * SECOND,
                    site,
                    saying.fetched(dice, ip, url, sha256, "bins.sh"),
                    ((IP, ip), (URL, url), (SHA256, sha256)),
                )
