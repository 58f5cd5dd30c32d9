"""What goes on anyway: sources with heavy-tailed rates, endemic word lists, scanners, CDN noise.

Shares and shapes are those of published honeypot measurements, roughly: sources by Zipf's law, most
of them met once and by one sensor; a tenth of the traffic from scanners that visit everybody daily;
a few credentials that make up most logons. Source: the Marx, Heralding and Dionaea sets.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.world import saying
from pipeline.world.act import SECOND, Act, rhythm
from pipeline.world.commons import (
    AGENTS,
    CDN,
    CLIENTS,
    CVES,
    FILES,
    HASSHES,
    LOGONS,
    NAMES,
    PACKAGES,
    PATHS,
    PORTS,
    RESOLVERS,
    TYPED,
    common,
)
from pipeline.world.dice import Dice, Weights
from pipeline.world.mint import Mint
from pipeline.world.places import Places

_CONNECTION, _LOGON, _SSH, _HTTP, _SCAN, _CDN, _DNS, _TLS, _FILE, _CVE, _PACKAGE = range(11)
_MIX = Weights([300, 220, 60, 120, 100, 60, 60, 40, 15, 20, 5])
_EVENTS_A_SOURCE = 6
_ROAMERS = 40  # the busiest sources go everywhere
_STICKS = (4, 5)  # others come back to the sensor that they met first
_LET_IN = (1, 2)  # of those that greet by SSH: they type a line that is common


class Background:
    """Draws the background of one world."""

    def __init__(
        self, dice: Dice, mint: Mint, places: Places, scanners: list[str], events: int
    ) -> None:
        self._dice = dice
        self._shell = dice.child("shell")
        self._places = places
        self._scanners = scanners
        self._events = events
        size = max(events // _EVENTS_A_SOURCE, 2 * _ROAMERS)
        self._sources = [mint.address(dice) for _ in range(size)]
        self._homes = [dice.weighted(places.rates) for _ in range(size)]
        self._ranks = Weights.zipf(size)

    def acts(self, begin: int, days: int) -> Iterator[Act]:
        """So many events as were asked for, and what is typed besides, in no order of time."""
        dice, sites = self._dice, self._places.sites
        for _ in range(self._events):
            what = dice.weighted(_MIX)
            rank = dice.weighted(self._ranks)
            sticks = what != _SCAN and rank >= _ROAMERS and dice.chance(*_STICKS)
            site = self._homes[rank] if sticks else dice.weighted(self._places.rates)
            body = self._body(what, self._sources[rank], sites[site].sensor)
            time = rhythm(dice, begin, days, sites[site].zone)
            yield Act(time, site, body)
            if what == _SSH and self._shell.chance(*_LET_IN):
                line = common(self._shell, TYPED)
                body = saying.typed(self._shell, self._sources[rank], line)
                yield Act(time + 2 * SECOND, site, body)

    def _body(self, what: int, source: str, sensor: str) -> bytes:
        dice = self._dice
        if what == _CONNECTION:
            return saying.connection(dice, source, common(dice, PORTS))
        if what == _LOGON:
            return saying.logon(dice, source, *common(dice, LOGONS))
        if what == _SSH:
            return saying.ssh(dice, source, common(dice, HASSHES))
        if what == _HTTP:
            host, path = f"www.{sensor}.example", common(dice, PATHS)
            return saying.http(dice, source, common(dice, AGENTS), host, path)
        if what == _SCAN:
            return saying.connection(dice, dice.one(self._scanners), dice.one(PORTS))
        if what == _CDN:
            # An answer from a CDN or a resolver that came too late looks like a visit.
            source = dice.one(CDN) if dice.chance(1, 2) else dice.one(RESOLVERS)
            return saying.connection(dice, source, dice.between(1_024, 65_535), "udp")
        if what == _DNS:
            return saying.dns(dice, None, common(dice, NAMES))
        if what == _TLS:
            ja3, ja4 = common(dice, CLIENTS)
            name = f"www.{sensor}.example"
            return saying.tls(dice, source, name, ja3, ja4)
        if what == _FILE:
            return saying.fetched(dice, source, None, common(dice, FILES), "a.out")
        if what == _CVE:
            return saying.weakness(dice, common(dice, CVES), source)
        return saying.package(dice, common(dice, PACKAGES))
