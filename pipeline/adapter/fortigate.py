"""FortiGate's key=value logs: traffic, UTM, and logins to VPN and administration."""

from __future__ import annotations

from typing import Any

from pipeline.adapter import pairs, value
from pipeline.adapter.common import ends
from pipeline.adapter.format import Format, text_reader
from pipeline.adapter.instant import Clock, epoch, iso
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table


def _local(date: Any, time: Any, zone: Any, clock: Clock) -> int | None:
    """Three fields; older versions write no `tz`."""
    if type(date) is not str or type(time) is not str:
        return None
    return iso(f"{date}T{time}{zone if type(zone) is str else ''}", clock)


def _given(written: Any) -> str | None:
    return None if written == "N/A" else value.text(written)


def _url(host: Any, path: Any, service: Any) -> str | None:
    """A whole URL, or the path of one."""
    url = value.web_url(host, path)
    return f"https{url[4:]}" if url and service == "HTTPS" and url.startswith("http:") else url


_OUTCOME = value.coded({"success": 1, "ssl-login-fail": 2, "failed": 2, "failure": 2,
                        "tunnel-up": 1, "ssl-new-con": 0})  # fmt: skip
_EVERY = (
    Row("eventtime", "time", epoch),
    Row(("date", "time", "tz"), "time", _local),
    *ends("srcip", "srcport", "dstip", "dstport"),
    Row("remip", "src_endpoint.ip", value.ip, needed=True),
    Row("level", "severity_id", value.coded(
        {"emergency": 6, "alert": 5, "critical": 5, "error": 4, "warning": 3, "notice": 2,
         "information": 1, "debug": 1})),
)  # fmt: skip
_LOGIN = Table(
    "event, login",
    3002,
    1,
    (
        *_EVERY,
        Row("user", "user.name", _given),
        Row("subtype", "service.name", value.text),
        Row("action", "status_id", _OUTCOME),
        Row("reason", "status_detail", value.text),
    ),
)
_TRAFFIC_ROWS = (
    *_EVERY,
    Row("proto", "connection_info.protocol_num", value.protocol_number),
    Row("policyid", "firewall_rule.uid", value.name),
    Row("action", "action_id", value.coded(
        {"accept": 1, "pass": 1, "passthrough": 1, "deny": 2, "block": 2, "blocked": 2,
         "dropped": 2, "reset": 2}, 0)),
)  # fmt: skip
_TRAFFIC = Table(
    "traffic",
    4001,
    6,
    (
        *_TRAFFIC_ROWS,
        Row("service", "app_name", value.text),
        Row("sentbyte", "traffic.bytes_out", value.integer),
        Row("rcvdbyte", "traffic.bytes_in", value.integer),
    ),
)
_UTM = Table(
    "utm",
    4002,
    0,
    (
        *_TRAFFIC_ROWS,
        Row("attackid", "firewall_rule.uid", value.name),
        Row("attack", "firewall_rule.name", value.text),
        Row("virus", "firewall_rule.name", value.text),
        Row("attack", "observables[]", value.cves),
        Row("msg", "observables[]", value.cves),
        Row("hostname", "http_request.url.hostname", value.url_host),
        Row(("hostname", "url", "service"), "http_request.url.url_string", _url),
        Row("agent", "http_request.user_agent", value.text),
        Row("filehash", "file.hashes[]", value.digest),
        Row("filename", "file.name", value.text),
    ),
    alert=True,
)
_TABLES = (_LOGIN, _TRAFFIC, _UTM)
_SHAPE = Shape(_TABLES, ("type", "logid"), nested=False)


def _split(line: str) -> dict[str, Any] | Problem:
    fields = pairs.quoted(line)
    if "logid" not in fields and "devid" not in fields:
        return Problem("no FortiGate line: it has no logid and no devid")
    return fields


def _choose(record: Fields) -> Table:
    if record.type == "event" and _given(record.user) is not None and record.subtype:
        return _LOGIN
    # An event of HTTP needs a request.
    if record.type == "utm" and (record.hostname or record.url):
        return _UTM
    return _TRAFFIC


FORTIGATE = Format(
    name="fortigate",
    also=("fortinet", "fortios"),
    title="FortiGate",
    product={"name": "FortiGate", "vendor_name": "Fortinet"},
    reference="https://docs.fortinet.com/document/fortigate/latest/fortios-log-message-reference",
    tables=_TABLES,
    shape=_SHAPE,
    reader=text_reader(_SHAPE, _choose, _split),
    notes=(
        "`eventtime` counts seconds in older versions and nanoseconds in newer: its size tells. "
        "Without it, `date`, `time` and `tz`.",
    ),
    text=True,
    of_line=lambda line: "logid=" in line and ("devid=" in line or "subtype=" in line),
)
