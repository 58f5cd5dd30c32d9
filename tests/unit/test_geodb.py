"""Databases of every vendor's type are read, each by what it says it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from pipeline.geo import Origin
from pipeline.shell.files import geo_of
from pipeline.shell.settings import Settings, WrongUseError

COUNTRY = {"country": {"iso_code": "AU", "geoname_id": 2077456, "names": {"en": "Australia"}}}
REGISTERED = {"registered_country": {"iso_code": "NZ", "geoname_id": 1, "names": {"en": "NZ"}}}
ASN = {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"}


def write(path: Path, kind: str, record: Any, network: str = "1.1.1.0/24") -> str:
    writer = MMDBWriter(6, kind, ipv4_compatible=True)
    writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


@pytest.mark.parametrize(
    ("kind", "record", "country"),
    [
        ("GeoLite2-Country", COUNTRY, "AU"),
        ("GeoLite2-City", COUNTRY, "AU"),
        ("GeoIP2-City", COUNTRY, "AU"),
        ("GeoIP2-Country", REGISTERED, "NZ"),
        ("DBIP-Country-Lite", COUNTRY, "AU"),
        ("DBIP-City-Lite", COUNTRY, "AU"),
        ("geo-whois-asn-country", {"country_code": "AU"}, "AU"),
        ("ipinfo generic_country_free.mmdb", {"country": "AU"}, "AU"),
    ],
)
def test_countries(tmp_path: Path, kind: str, record: Any, country: str) -> None:
    geo = geo_of(Settings(geoip_db=write(tmp_path / "db.mmdb", kind, record)))
    assert geo.origin("1.1.1.1") == Origin(country)
    assert geo.origin("9.9.9.9") is None


@pytest.mark.parametrize("kind", ["GeoLite2-ASN", "DBIP-ASN-Lite", "something-else"])
def test_networks(tmp_path: Path, kind: str) -> None:
    settings = Settings(
        geoip_db=write(tmp_path / "country.mmdb", "GeoLite2-Country", COUNTRY),
        geoip_asn_db=write(tmp_path / "asn.mmdb", kind, ASN),
    )
    assert geo_of(settings).origin("1.1.1.1") == Origin("AU", 64496, "Example")


def test_the_carried_one() -> None:
    assert geo_of(Settings()).origin("1.1.1.1") == Origin("AU")


def test_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"no database")
    for path in (tmp_path / "db", tmp_path / "absent"):
        with pytest.raises(WrongUseError, match=path.name):
            geo_of(Settings(geoip_db=str(path)))
