"""Who takes part in a world: organisations, their sensors, where these stand and how they lie.

A registry (`sensors.toml`, the contract's form) and the sites that events are drawn for.
"""

from __future__ import annotations

from msgspec import Struct

from pipeline.world.dice import Dice, Weights

# Countries on all continents, each with the offset of its wall clocks from UTC in whole hours
# (winter, the zone with most people): people and offices sleep, and so does some of the traffic.
_ZONES = """
    AR-3 AT+1 AU+10 BE+1 BG+2 BR-3 CA-5 CH+1 CL-3 CO-5 CZ+1 DE+1
    DK+1 EE+2 EG+2 ES+1 FI+2 FR+1 GB+0 GR+2 HU+1 ID+7 IE+0 IN+5
    IT+1 JP+9 KE+3 KR+9 LT+2 LV+2 MX-6 MY+8 NG+1 NL+1 NO+1 NZ+12
    PL+1 PT+0 RO+2 SE+1 SG+8 SI+1 SK+1 TH+7 TR+3 TW+8 US-6 ZA+2
""".split()  # noqa: SIM905  (a table to read and compare)
ZONES = {zone[:2]: int(zone[2:]) for zone in _ZONES}
_SECTORS = ("research", "finance", "government", "energy", "health", "telecom", "university")
_SENSORS = 3  # of one organisation, at most
_ABROAD = (1, 12)  # of the sensors beside an organisation's first
_RATES = (10, 1_000)  # heavy-tailed: what one sensor hears against another


class Site(Struct, frozen=True, gc=False):
    """One sensor: `zone` is its clock's offset from UTC in hours, `rate` its share of events."""

    sensor: str
    organisation: str
    country: str
    zone: int
    rate: int
    liar: bool


class Places:
    """All sites, and what is asked of them again and again."""

    def __init__(self, sites: list[Site], registry: str) -> None:
        self.sites = sites
        self.registry = registry
        self.rates = Weights([site.rate for site in sites])
        self._of: dict[str, list[int]] = {}
        for number, site in enumerate(sites):
            self._of.setdefault(site.country, []).append(number)
        self.countries = tuple(sorted(self._of))

    def of(self, country: str) -> list[int]:
        """The numbers of the sites that stand in a country."""
        return self._of[country]


def places(dice: Dice, countries: int, organisations: int, liars: int) -> Places:
    """So many countries, each with one organisation at least; `liars` per cent of sensors lie."""
    chosen = dice.some(sorted(ZONES), countries)
    drawn: list[tuple[str, str, str, str]] = []  # organisation, home, sector, sensor's country
    for number in range(organisations):
        home = chosen[number % len(chosen)]
        organisation = f"{home.lower()}-{number // len(chosen) + 1}"
        sector = dice.one(_SECTORS)
        for sensor in range(dice.between(1, _SENSORS)):
            abroad = sensor > 0 and dice.chance(*_ABROAD)
            drawn.append((organisation, home, sector, dice.one(chosen) if abroad else home))
    lying = set(dice.some(range(len(drawn)), (len(drawn) * liars + 50) // 100))
    sites: list[Site] = []
    lines: list[str] = []
    before = ""
    for number, (organisation, home, sector, country) in enumerate(drawn):
        if organisation != before:
            lines += _organisation(organisation, home, sector)
            nth, before = 0, organisation
        nth += 1
        sensor_id = f"{organisation}-s{nth}"
        lines += ["[[organisation.sensor]]", f'id = "{sensor_id}"']
        if country != home:
            lines.append(f'country = "{country}"')
        rate = dice.heavy(*_RATES)
        sites.append(Site(sensor_id, organisation, country, ZONES[country], rate, number in lying))
    return Places(sites, "\n".join(lines) + "\n")


def _organisation(id_: str, country: str, sector: str) -> list[str]:
    return [
        "",
        "[[organisation]]",
        f'id = "{id_}"',
        f'country = "{country}"',
        f'name = "Synthetic {sector} {id_}"',
        f'sector = "{sector}"',
        f'contact = "cert@{id_}.example"',
    ]
