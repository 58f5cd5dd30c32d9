"""Dionaea's `log_json`: an event for each login that was tried, or one for the connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from pipeline.adapter import value
from pipeline.adapter.common import ends, login
from pipeline.adapter.format import Format, has, json_reader
from pipeline.adapter.instant import any_time
from pipeline.adapter.table import Fields, Row, Shape, Table

_ENDS = (
    Row("timestamp", "time", any_time),
    *ends("src_ip", "src_port", "dst_ip", "dst_port"),
    # As the incident handler has them.
    Row("connection.remote.address", "src_endpoint.ip", value.ip),
    Row("connection.remote.port", "src_endpoint.port", value.port),
    Row("connection.local.address", "dst_endpoint.ip", value.ip),
    Row("connection.local.port", "dst_endpoint.port", value.port),
)
_LOGIN = Table(
    "login",
    3002,
    1,
    (
        *_ENDS,
        Row("connection.protocol", "service.name", value.text),
        *login("credentials.username[]", "credentials.password[]"),
    ),
)
_CONNECTION = Table(
    "connection",
    4001,
    6,
    (
        *_ENDS,
        Row("connection.protocol", "app_name", value.text),
        Row("connection.transport", "connection_info.protocol_name", value.protocol),
        Row("src_hostname", "src_endpoint.hostname", value.host),
    ),
)
_TABLES = (_LOGIN, _CONNECTION)
_SHAPE = Shape(_TABLES, ("credentials.username", "credentials.password"))


def _list(of: Any) -> list[Any]:
    return of if type(of) is list else [of]


def _each(record: Fields) -> Sequence[Fields]:
    """Names and passwords are two lists, which belong together place by place."""
    if record.credentials is None:
        return (record,)
    names = _list(record.credentials.username)
    passwords = _list(record.credentials.password)
    pairs = list(zip(names, passwords, strict=False))[: value.MAX_LIST]
    return [
        replace(record, credentials_username__=name, credentials_password__=password)
        for name, password in pairs
    ] or (record,)


def _choose(record: Fields) -> Table | None:
    if record.src_ip is None and record.connection is None:
        return None
    return _CONNECTION if record.credentials_username__ is None else _LOGIN


DIONAEA = Format(
    name="dionaea",
    title="Dionaea",
    product={"name": "Dionaea", "vendor_name": "DinoTools"},
    reference="https://dionaea.readthedocs.io/en/latest/ihandler/log_json.html",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, _each, sort="Dionaea"),
    notes=("Times have no zone; the sensor's is what `--timezone` says, UTC by default.",),
    json=True,
    of_keys=lambda keys: (
        (
            has("connection", "src_ip", "timestamp")(keys)
            and ("dst_port" in keys or "credentials" in keys)
        )
        or (b'"dionaea' in bytes(keys.get("origin", b"")) and "timestamp" in keys)
    ),
)
