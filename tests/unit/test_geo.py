"""Where an address is, in each shape of record that databases have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import maxminddb
import pytest

from pipeline.geo import Geo, Origin, Reader
from pipeline.shell.files import carried


class Always:
    """A database with one record for every address."""

    def __init__(self, record: Any) -> None:
        self.record = record

    def get(self, ip_address: str, /) -> Any:
        return self.record


def origin(place: Any = None, network: Any = None) -> Origin | None:
    return Geo(Always(place), Always(network)).origin("8.8.8.8")


MAXMIND = {
    "continent": {"code": "NA"},
    "country": {"geoname_id": 6252001, "iso_code": "US", "names": {"en": "United States"}},
    "registered_country": {"iso_code": "CA"},
}
DB_IP = {
    "country": {"iso_code": "US", "is_in_european_union": False, "names": {"en": "United States"}}
}
FLAT = {"country_code": "US"}
IPINFO = {
    "asn": "AS15169",
    "as_name": "Google LLC",
    "country_code": "US",
    "country": "United States",
}
IPINFO_COUNTRY = {"country": "US", "country_name": "United States"}
NETWORK = {"autonomous_system_number": 15169, "autonomous_system_organization": "GOOGLE"}


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (MAXMIND, Origin("US")),
        (DB_IP, Origin("US")),
        (FLAT, Origin("US")),
        (IPINFO, Origin("US", 15169, "Google LLC")),
        (IPINFO_COUNTRY, Origin("US")),
        (FLAT | NETWORK, Origin("US", 15169, "GOOGLE")),
    ],
    ids=["MaxMind", "DB-IP", "ip-location-db", "IPinfo Lite", "IPinfo country", "country and AS"],
)
def test_a_database_of_places(place: dict[str, Any], expected: Origin) -> None:
    assert origin(place) == expected


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (NETWORK, Origin(None, 15169, "GOOGLE")),
        ({"asn": "AS15169", "as_name": "Google LLC"}, Origin(None, 15169, "Google LLC")),
        ({"asn": "as15169"}, Origin(None, 15169, None)),
        ({"asn": 15169, "as_name": 7}, Origin(None, 15169, None)),
    ],
)
def test_a_database_of_networks(network: dict[str, Any], expected: Origin) -> None:
    assert origin(network=network) == expected


def test_the_database_of_networks_goes_before_that_of_places() -> None:
    assert origin(IPINFO, NETWORK) == Origin("US", 15169, "GOOGLE")
    assert origin(IPINFO, {"asn": None}) == Origin("US", 15169, "Google LLC")


@pytest.mark.parametrize(
    "record",
    [
        None,
        "US",
        7,
        [],
        {},
        {"country": None},
        {"country": {}},
        {"country": {"iso_code": 7}},
        {"country": "United States"},
        {"country_code": "USA"},
        {"asn": "ASX"},
        {"asn": ""},
        {"autonomous_system_number": None},
    ],
)
def test_what_says_nothing_is_no_origin(record: Any) -> None:
    assert origin(record, record) is None


def test_without_databases_nothing_is_known() -> None:
    assert Geo().origin("8.8.8.8") is None


def ipv4_only(path: Path) -> Reader:
    """A MaxMind database of IPv4: one node, both of whose branches lead to `{country_code: US}`.

    Format: MaxMind DB File Format Specification 2.0.
    """

    def text(value: str) -> bytes:
        return bytes([0x40 | len(value)]) + value.encode()

    def number(value: int, kind: bytes = b"\xa2") -> bytes:
        return kind + value.to_bytes(2, "big")

    record = (1 + 16).to_bytes(3, "big")  # past the one node, at the data's beginning
    metadata = {
        "node_count": number(1, b"\xc2"),
        "record_size": number(24),
        "ip_version": number(4),
        "database_type": text("Test"),
        "languages": b"\x00\x04",
        "binary_format_major_version": number(2),
        "binary_format_minor_version": number(0),
        "build_epoch": b"\x01\x02\x01",
        "description": b"\xe0",
    }
    path.write_bytes(
        record * 2
        + b"\x00" * 16
        + b"\xe1" + text("country_code") + text("US")
        + b"\xab\xcd\xefMaxMind.com"
        + bytes([0xE0 | len(metadata)])
        + b"".join(text(key) + value for key, value in metadata.items())
    )  # fmt: skip
    return maxminddb.open_database(path)


def test_a_database_of_ipv4_only_knows_no_ipv6(tmp_path: Path) -> None:
    """It raises on an IPv6 address, which once ended the worker at the alert."""
    reader = ipv4_only(tmp_path / "ipv4.mmdb")
    with pytest.raises(ValueError, match="IPv6"):
        reader.get("2a00:1450::1")
    geo = Geo(reader, reader)
    assert geo.origin("8.8.8.8") == Origin("US")
    assert geo.origin("2a00:1450::1") is None


def test_the_carried_database() -> None:
    geo = Geo(maxminddb.open_database(carried("geoip", "geo-whois-asn-country.mmdb")))
    assert geo.origin("8.8.8.8") == Origin("US")
    assert geo.origin("195.113.144.194") == Origin("CZ")
    assert geo.origin("2001:718:1::1") == Origin("CZ")
