"""The carried Marx data set: honeypot rows of 2013, and the OCSF events they are.

The file keeps the order of the published set, which is the order of arrival here. Its times
carry no zone and are read as UTC. Exact duplicates are distinct arrivals: every row has its own
`metadata.uid`, made of the host and the row's number in the whole file, also where only a part
of it is read.
"""

import lzma
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from io import TextIOWrapper
from ipaddress import IPv4Address
from typing import NamedTuple

import orjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_HEADER = "datetime,host,src,proto,type,spt,dpt"

# The numbers that IANA gave the protocols of this file.
_PROTOCOL_NUMBERS = {"ICMP": 1, "TCP": 6, "UDP": 17}

_NETWORK_ACTIVITY = 4001
_TRAFFIC = 6
_INFORMATIONAL = 1
_SERVER = 1
_INBOUND = 1


class Row(NamedTuple):
    """One line of the file: `type` is the ICMP type, the ports are those of TCP and UDP."""

    time_ms: int
    host: str
    src: str
    proto: str
    type: int | None
    spt: int | None
    dpt: int | None
    number: int
    """The row's place in the whole file, the first row after the header being 1."""


def rows(lines: Iterable[str]) -> Iterator[Row]:
    """Read the CSV, header included; a line that is not of this form raises ValueError."""
    for number, line in enumerate(lines):
        text = line.rstrip("\r\n")
        if number == 0:
            if text != _HEADER:
                raise ValueError(f"line 1 is {text!r}, expected the header {_HEADER!r}")
            continue
        try:
            when, host, src, proto, icmp_type, spt, dpt = text.split(",")
            yield Row(
                time_ms=_milliseconds(datetime.fromisoformat(when).replace(tzinfo=UTC)),
                host=host,
                src=str(IPv4Address(int(src))),
                proto=proto,
                type=_number(icmp_type),
                spt=_number(spt),
                dpt=_number(dpt),
                number=number,
            )
        except ValueError as error:
            raise ValueError(f"line {number + 1} is not a row of the data set: {error}") from error


def events(rows: Iterable[Row]) -> Iterator[bytes]:
    """Each row as an OCSF 1.5.0 Network Activity, compact JSON."""
    for row in rows:
        connection: dict[str, object] = {
            "protocol_name": row.proto.lower(),
            "direction_id": _INBOUND,
        }
        if row.proto in _PROTOCOL_NUMBERS:
            connection["protocol_num"] = _PROTOCOL_NUMBERS[row.proto]
        source: dict[str, object] = {"ip": row.src}
        if row.spt is not None:
            source["port"] = row.spt
        # The file does not hold the honeypots' own addresses; their names identify them.
        destination: dict[str, object] = {"name": row.host}
        if row.dpt is not None:
            destination["port"] = row.dpt
        event: dict[str, object] = {
            "class_uid": _NETWORK_ACTIVITY,
            "category_uid": _NETWORK_ACTIVITY // 1000,
            "activity_id": _TRAFFIC,
            "type_uid": _NETWORK_ACTIVITY * 100 + _TRAFFIC,
            "severity_id": _INFORMATIONAL,
            "time": row.time_ms,
            "metadata": {
                "version": "1.5.0",
                "profiles": ["host"],
                "product": {"name": "Marx", "vendor_name": "Data-Driven Security"},
                "uid": f"{row.host}-{row.number}",
            },
            "device": {"uid": row.host, "type_id": _SERVER},
            "src_endpoint": source,
            "dst_endpoint": destination,
            "connection_info": connection,
        }
        if row.type is not None:
            event["unmapped"] = {"icmp_type": row.type}
        yield orjson.dumps(event)


def carried(start: datetime | None = None, end: datetime | None = None) -> Iterator[Row]:
    """Read the carried file: rows with `start` <= time < `end`, in the file's order.

    The bounds are aware datetimes; a naive one raises TypeError.
    """
    first = None if start is None else _milliseconds(start)
    beyond = None if end is None else _milliseconds(end)
    carried_file = files("pipeline") / "data" / "marx" / "marx.csv.xz"
    with carried_file.open("rb") as packed, lzma.open(packed) as unpacked:
        for row in rows(TextIOWrapper(unpacked, encoding="ascii")):
            if first is not None and row.time_ms < first:
                continue
            if beyond is not None and row.time_ms >= beyond:
                continue
            yield row


def _milliseconds(when: datetime) -> int:
    return (when - _EPOCH) // _MILLISECOND


def _number(text: str) -> int | None:
    return int(text) if text else None
