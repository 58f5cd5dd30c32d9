"""Where a network address is registered. No I/O here: readers are opened by the shell.

The country is that of the network, not of a person; a source may be a hop of somebody else's.
Databases differ in the shape of their records; `origin` reads MaxMind's (GeoLite2, GeoIP2),
DB-IP's, IPinfo's and the flat ones of sapics/ip-location-db.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct


class Origin(Struct, frozen=True, omit_defaults=False):
    """Where an address is: ISO 3166-1 alpha-2 country, autonomous system. None: not known."""

    country: str | None = None
    asn: int | None = None
    as_name: str | None = None


class Reader(Protocol):
    """What `maxminddb.Reader` is to this module."""

    def get(self, ip_address: str, /) -> Any: ...


class Geo:
    """Looks addresses up in the databases that there are: of countries, of networks."""

    __slots__ = ("_networks", "_places")

    def __init__(self, places: Reader | None = None, networks: Reader | None = None) -> None:
        self._places = places
        self._networks = networks

    def origin(self, ip: str) -> Origin | None:
        """Where a canonical address is; None where no database knows it."""
        place = _get(self._places, ip)
        network = _get(self._networks, ip)
        country = _country(place) if isinstance(place, Mapping) else None
        asn, name = _network(network) if isinstance(network, Mapping) else (None, None)
        if asn is None and isinstance(place, Mapping):
            asn, name = _network(place)  # city and country databases may name the network too
        if country is None and asn is None:
            return None
        return Origin(country, asn, name)


def _get(reader: Reader | None, ip: str) -> Any:
    try:
        return reader.get(ip) if reader else None
    except ValueError:  # an IPv6 address, and a database of IPv4 only
        return None


def _country(record: Mapping[str, Any]) -> str | None:
    country = record.get("country")
    if isinstance(country, Mapping):  # GeoLite2, GeoIP2, DB-IP
        code = country.get("iso_code")
    else:  # flat: country_code (ip-location-db), country as a code (IPinfo)
        code = record.get("country_code") or country
    return code if isinstance(code, str) and len(code) == 2 else None


def _network(record: Mapping[str, Any]) -> tuple[int | None, str | None]:
    number = record.get("autonomous_system_number") or record.get("asn")
    name = record.get("autonomous_system_organization") or record.get("as_name")
    if isinstance(number, str):  # IPinfo writes "AS64496"
        digits = number.upper().removeprefix("AS")
        number = int(digits) if digits.isdecimal() else None
    if not isinstance(number, int):
        return None, None
    return number, name if isinstance(name, str) else None
