"""GeoIP databases on disk. MaxMind's and DB-IP's are read by geoip2, by the type that a database
says it is; any other MMDB as it is, for `pipeline.geo` to make sense of.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geoip2.database
import geoip2.errors
import maxminddb

from pipeline.geo import Reader
from pipeline.shell import metrics
from pipeline.shell.settings import WrongUseError

# By what is in the database's type, as in GeoLite2-Country, GeoIP2-City, DBIP-City-Lite; geoip2
# raises where its own look-up does not find it there.
_LOOKUPS = {
    "Country": "country",
    "City": "city",
    "Enterprise": "enterprise",
    "GeoLite2-ASN": "asn",
    "GeoIP2-ISP": "isp",
}
_VENDORS = ("GeoLite2", "GeoIP2", "DBIP")


class _Models:
    """A database that geoip2 knows: its records as plain dictionaries."""

    def __init__(self, look_up: Callable[[str], Any]) -> None:
        self._look_up = look_up

    def get(self, ip_address: str, /) -> Any:
        try:
            record: dict[str, Any] = self._look_up(ip_address).to_dict()
        except geoip2.errors.AddressNotFoundError:
            return None
        # Of a network that is in no country by its use, the country it is registered in.
        record.setdefault("country", record.get("registered_country"))
        return record


class _Counted:
    """A database whose look-ups are counted: they are few, for what was found is remembered."""

    def __init__(self, reader: Reader, database: str) -> None:
        self._reader = reader
        self._found, self._unknown = (
            metrics.GEOIP_LOOKUPS.labels(database, result) for result in ("found", "unknown")
        )

    def get(self, ip_address: str, /) -> Any:
        record = self._reader.get(ip_address)
        (self._unknown if record is None else self._found).inc()
        return record


def open_counted(path: Path, database: str) -> Reader:
    """`open_database`, shown in the metrics under a name: what is asked of it, and its date."""
    reader = open_database(path)
    with maxminddb.open_database(path) as opened:
        metrics.GEOIP_BUILD.labels(database).set(opened.metadata().build_epoch)
    return _Counted(reader, database)


def open_database(path: Path) -> Reader:
    """An MMDB; a `WrongUseError` says why it cannot be read."""
    try:
        with maxminddb.open_database(path) as database:
            kind = database.metadata().database_type
        look_up = next((name for word, name in _LOOKUPS.items() if word in kind), None)
        if look_up is not None and kind.startswith(_VENDORS):
            return _Models(getattr(geoip2.database.Reader(path), look_up))
        return maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise WrongUseError(f"{path}: {error}") from None
