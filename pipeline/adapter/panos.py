"""Palo Alto Networks PAN-OS: TRAFFIC and THREAT logs as CSV, with or without a syslog header."""

from __future__ import annotations

import csv
import re
from typing import Any

from pipeline.adapter import value
from pipeline.adapter.common import ends
from pipeline.adapter.format import Format, text_reader
from pipeline.adapter.instant import iso
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table

# Places from 0 (PAN-OS 11, "Syslog Field Descriptions"); a log's later fields depend on its type.
_PLACES = {1: "received", 3: "type", 4: "subtype", 6: "generated", 7: "source", 8: "destination",
           11: "rule", 14: "app", 24: "source port", 25: "destination port", 29: "protocol",
           30: "action"}  # fmt: skip
_THREAT = {31: "misc", 32: "threat", 34: "severity"}
_TRAFFIC = {32: "sent", 33: "received bytes"}
_GLOBALPROTECT = {1: "received", 3: "type", 6: "generated", 8: "event", 12: "user", 15: "source",
                  27: "status"}  # fmt: skip
_HIGH_RESOLUTION = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", re.ASCII
).fullmatch
_THREAT_ID = re.compile(r"(.*)\((\d+)\)", re.DOTALL).fullmatch
_LINE = re.compile(r"(?:^|\s)(\d+,\d{4}/\d\d/\d\d \d\d:\d\d:\d\d,\w*,[A-Z-]+,.*)", re.DOTALL).search
_FEWEST = 31


def _id(threat: Any) -> str | None:
    match = _THREAT_ID(threat) if type(threat) is str else None
    return match[2] if match else None


def _name(threat: Any) -> str | None:
    match = _THREAT_ID(threat) if type(threat) is str else None
    return value.text(match[1] if match else threat)


def _url(app: Any, misc: Any) -> str | None:
    """PAN-OS writes a URL without its scheme; the application tells which of the two it was."""
    scheme = {"web-browsing": "http", "ssl": "https"}.get(app)
    return value.url(f"{scheme}://{misc}") if scheme and type(misc) is str and "/" in misc else None


_EVERY = (
    Row("high-resolution time", "time", iso),
    Row("generated", "time", iso),
    Row("received", "time", iso),
    *ends("source", "source port", "destination", "destination port"),
    Row("protocol", "connection_info.protocol_name", value.protocol),
    Row("app", "app_name", value.text),
    Row("action", "action_id", value.coded(
        {"allow": 1, "alert": 1, "deny": 2, "drop": 2, "reset-both": 2, "reset-client": 2,
         "reset-server": 2, "block-url": 2, "drop-all-packets": 2}, 0)),
)  # fmt: skip
_TRAFFIC_TABLE = Table(
    "TRAFFIC",
    4001,
    6,
    (
        *_EVERY,
        Row("rule", "firewall_rule.name", value.text),
        Row("sent", "traffic.bytes_out", value.integer),
        Row("received bytes", "traffic.bytes_in", value.integer),
    ),
)
_THREAT_ROWS = (
    *_EVERY,
    Row("threat", "firewall_rule.uid", _id),
    Row("threat", "firewall_rule.name", _name),
    Row("threat", "observables[]", value.cves),
    Row("severity", "severity_id", value.coded(
        {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}, 0)),
)  # fmt: skip
_THREAT_TABLE = Table("THREAT", 4001, 6, _THREAT_ROWS, alert=True)
_URL_TABLE = Table(
    "THREAT, of a URL",
    4002,
    0,
    (*_THREAT_ROWS, Row(("app", "misc"), "http_request.url.url_string", _url)),
    alert=True,
)
_VPN = Table(
    "GLOBALPROTECT",
    3002,
    1,
    (
        Row("high-resolution time", "time", iso),
        Row("generated", "time", iso),
        Row("received", "time", iso),
        Row("source", "src_endpoint.ip", value.ip),
        Row("user", "user.name", value.user_name),
        Row("type", "service.name", value.text),
        Row("status", "status_id", value.coded({"success": 1, "failure": 2}, 0)),
    ),
)
_OTHER = Table("other types", 0, 0, (Row("generated", "time", iso), Row("received", "time", iso)))
_TABLES = (_THREAT_TABLE, _URL_TABLE, _TRAFFIC_TABLE, _VPN, _OTHER)
_SHAPE = Shape(_TABLES, ("type",), nested=False)


def _split(line: str) -> dict[str, Any] | Problem:
    match = _LINE(line)
    try:
        parts = next(csv.reader([match[1]])) if match else []
    except (csv.Error, StopIteration):
        parts = []
    if len(parts) < 7:
        return Problem("no PAN-OS line: a receive time, a serial number and a type must follow")
    kind = parts[3]
    if kind in {"TRAFFIC", "THREAT"} and len(parts) < _FEWEST:
        return Problem(f"{kind} of {len(parts)} fields; it has at least {_FEWEST}")
    places = {1: "received", 3: "type", 6: "generated"}
    if kind in {"TRAFFIC", "THREAT"}:
        places = _PLACES | (_THREAT if kind == "THREAT" else _TRAFFIC)
    elif kind == "GLOBALPROTECT":
        places = _GLOBALPROTECT
    fields = {name: parts[at] for at, name in places.items() if at < len(parts) and parts[at]}
    for part in parts[_FEWEST:]:
        if _HIGH_RESOLUTION(part):
            fields["high-resolution time"] = part
    return fields


def _choose(record: Fields) -> Table:
    if record.type == "TRAFFIC":
        return _TRAFFIC_TABLE
    if record.type == "GLOBALPROTECT" and record.user is not None:
        return _VPN
    if record.type != "THREAT":
        return _OTHER
    return _URL_TABLE if _url(record.app, record.misc) else _THREAT_TABLE


PANOS = Format(
    name="panos",
    also=("pan-os", "paloalto", "palo-alto"),
    title="PAN-OS",
    product={"name": "PAN-OS", "vendor_name": "Palo Alto Networks"},
    reference="https://docs.paloaltonetworks.com/pan-os/11-1/pan-os-admin/monitoring/use-syslog-for-monitoring/syslog-field-descriptions",
    tables=_TABLES,
    shape=_SHAPE,
    reader=text_reader(_SHAPE, _choose, _split),
    notes=(
        "Without a high-resolution time, which names its zone, times are in `--timezone`.",
        "Logs other than TRAFFIC, THREAT and GLOBALPROTECT become Base Events.",
    ),
    text=True,
    of_line=lambda line: bool(_LINE(line)),
)
