"""OpenCanary's log: what was touched, and what was tried."""

from __future__ import annotations

from typing import Any

from pipeline.adapter import value
from pipeline.adapter.format import Format, has, json_reader
from pipeline.adapter.instant import Clock, iso, utc
from pipeline.adapter.table import Fields, Row, Shape, Table

_UTC = Clock(0, utc)


def _utc(written: Any, _: Clock) -> int | None:
    """OpenCanary says in the field's name that it is UTC."""
    return iso(written, _UTC)


_SERVICES = {
    1: "system", 2: "ftp", 3: "http", 4: "ssh", 5: "smb", 6: "telnet", 7: "httpproxy", 8: "mysql",
    9: "mssql", 10: "tftp", 11: "ntp", 12: "vnc", 13: "snmp", 14: "rdp", 15: "sip", 16: "git",
    17: "redis", 18: "tcpbanner",
}  # fmt: skip


def _service(logtype: Any) -> str | None:
    number = value.integer(logtype)
    return None if number is None else _SERVICES.get(number // 1000)


def _no_empty(address: Any) -> str | None:
    return value.ip(address) if address else None


_EVERY = (
    Row("utc_time", "time", _utc),
    Row("local_time_adjusted", "time", iso),
    Row("local_time", "time", _utc),
    Row("src_host", "src_endpoint.ip", value.ip, needed=True),
    Row("src_port", "src_endpoint.port", value.port),
    Row("dst_host", "dst_endpoint.ip", _no_empty),
    Row("dst_port", "dst_endpoint.port", value.port),
)
_TRIED = ("logdata.USERNAME", "logdata.PASSWORD")
_LOGIN = Table(
    "login",
    3002,
    1,
    (
        *_EVERY,
        Row("logtype", "service.name", _service),
        Row("logdata.USERNAME", "user.name", value.user_name),
        Row(_TRIED, "user.credential_uid", value.credential, secret=True),
    ),
)  # fmt: skip
_HTTP = Table(
    "http",
    4002,
    0,
    (
        *_EVERY,
        Row("logdata.USERAGENT", "http_request.user_agent", value.text),
        Row("logdata.PATH", "http_request.url.path", value.text),
    ),
)
_NETWORK = Table("other", 4001, 6, (*_EVERY, Row("logtype", "app_name", _service)))
_TABLES = (_LOGIN, _HTTP, _NETWORK)
_SHAPE = Shape(_TABLES, ("node_id",))


def _choose(record: Fields) -> Table | None:
    if record.logtype is None:
        return None
    data = record.logdata
    if data is not None and type(data.USERNAME) in {str, int} and _service(record.logtype):
        return _LOGIN
    return _NETWORK if data is None or (data.PATH or data.USERAGENT) is None else _HTTP


OPENCANARY = Format(
    name="opencanary",
    title="OpenCanary",
    product={"name": "OpenCanary", "vendor_name": "Thinkst"},
    reference="https://opencanary.readthedocs.io",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, sort="OpenCanary"),
    json=True,
    of_keys=has("logtype", "node_id", "src_host"),
)
