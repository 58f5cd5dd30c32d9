"""Credential stuffing: one leaked word list, tried everywhere at one pace through many hosts."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.indicator_type import CREDENTIAL, IP, USER_AGENT
from pipeline.world import saying
from pipeline.world.act import HOUR, MINUTE, SECOND, Act, Scene
from pipeline.world.script import script, typed

_HOSTS = (6, 16)
_LIST = (15, 40)  # credentials
_HOURS = (2, 8)
_TRIED = (9, 10)  # of the countries, each credential
_WITHIN = 10 * MINUTE  # a credential is tried everywhere
_ON_WEB = (2, 3)  # of the logons; the others are by SSH
_LET_IN = (1, 3)  # of these


def acts(scene: Scene) -> Iterator[Act]:
    """Credential after credential; each in nearly every country within minutes."""
    dice, mint = scene.dice, scene.mint
    begin, end = scene.opening(dice.between(*_HOURS) * HOUR)
    hosts = [mint.address(dice) for _ in range(dice.between(*_HOSTS))]
    words = [mint.credential(dice) for _ in range(dice.between(*_LIST))]
    agent = mint.agent(dice)
    shell = dice.child("shell")
    steps = script(shell)
    for place, credential in enumerate(words):
        start = begin + (end - begin) * place // len(words)
        for country in scene.victims:
            if place and not dice.chance(*_TRIED):
                continue
            ip, site = dice.one(hosts), scene.site(country)
            time = start + dice.below(_WITHIN)
            user = f"user{dice.below(1_000)}"
            host = f"login.{scene.places.sites[site].sensor}.example"
            on_web = place == 0 or dice.chance(*_ON_WEB)
            own = [(IP, ip), (CREDENTIAL, credential)]
            if on_web:
                own.append((USER_AGENT, agent))
            web = (agent, host) if on_web else None
            yield Act(time, site, saying.logon(dice, ip, user, credential, web), tuple(own))
            if not on_web and shell.chance(*_LET_IN):
                line = typed(shell, mint, steps)
                yield Act(time + SECOND, site, saying.typed(shell, ip, line), ((IP, ip),))
