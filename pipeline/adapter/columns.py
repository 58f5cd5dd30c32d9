"""CSV of any columns: a mapping says which is which, or their names do.

Separated by commas, semicolons, tabs or bars; the first line is the header.
"""

from __future__ import annotations

import csv
import re
from typing import Any

from pipeline.adapter import value
from pipeline.adapter.common import login
from pipeline.adapter.format import Format, Options, Read, Understood
from pipeline.adapter.instant import any_time
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table


def _address(written: Any) -> str | None:
    """An address, also as the whole number that some databases keep of IPv4."""
    number = value.integer(written)
    if number is None or number >= 1 << 32:
        return value.ip(written)
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


_EVERY = (
    Row("time", "time", any_time),
    Row("id", "metadata.uid", value.own_id),
    Row("src_ip", "src_endpoint.ip", _address, needed=True),
    Row("src_port", "src_endpoint.port", value.port),
    Row("dst_ip", "dst_endpoint.ip", _address),
    Row("dst_port", "dst_endpoint.port", value.port),
    Row("rule", "firewall_rule.name", value.text),
    Row("cve", "observables[]", value.cves),
)
_LAYER = (Row("protocol", "connection_info.protocol_name", value.protocol),)
_NETWORK = Table(
    "network",
    4001,
    6,
    (
        *_EVERY,
        *_LAYER,
        Row("app", "app_name", value.text),
        Row("sni", "tls.sni", value.host),
        Row("ja3", "tls.ja3_hash", value.fingerprint),
        Row("ja4", "ja4_fingerprint_list[]", value.ja4),
    ),
)
_LOGIN = Table(
    "login", 3002, 1, (*_EVERY, Row("app", "service.name", value.text), *login("user", "password"))
)
_HTTP = Table(
    "http",
    4002,
    0,
    (
        *_EVERY,
        *_LAYER,
        Row("url", "http_request.url.url_string", value.url),
        Row("http_host", "http_request.url.hostname", value.url_host),
        Row("user_agent", "http_request.user_agent", value.text),
    ),
)
_DNS = Table("dns", 4003, 0, (*_EVERY, *_LAYER, Row("domain", "query.hostname", value.text)))
_SSH = Table("ssh", 4007, 1, (*_EVERY, Row("hassh", "client_hassh.fingerprint", value.fingerprint)))
_FILE = Table(
    "file",
    4010,
    0,
    (
        *_EVERY,
        *_LAYER,
        *(Row(name, "file.hashes[]", value.digest) for name in ("md5", "sha1", "sha256")),
        Row("file", "file.name", value.text),
    ),
)
_TABLES = (_NETWORK, _LOGIN, _HTTP, _DNS, _SSH, _FILE)
_SHAPE = Shape(_TABLES, nested=False)
NAMES = tuple(name for name in _SHAPE.sources)
"""What a mapping may name."""

# Columns as they are often called, without regard to case, blanks, dots and underscores.
_ALIASES = {
    "time": "timestamp datetime date_time ts @timestamp event_time eventtime start_time first_seen",
    "src_ip": "src source source_ip srcip source_address src_addr srcaddr saddr sip client_ip "
    "attacker attacker_ip remote_ip remote_addr ip",
    "src_port": "sport spt source_port srcport",
    "dst_ip": "dst dest destination dest_ip destination_ip dstip dst_addr dstaddr daddr dip "
    "target_ip server_ip",
    "dst_port": "dport dpt dest_port destination_port dstport port",
    "protocol": "proto ip_protocol transport",
    "app": "service application app_proto",
    "user": "username user_name login account",
    "password": "pass passwd pwd",
    "domain": "query fqdn qname dns_query",
    "url": "uri request_url full_url",
    "user_agent": "useragent ua http_user_agent",
    "file": "filename file_name",
    "sni": "server_name tls_sni",
    "rule": "signature alert rule_name",
}
_PLAIN = re.compile(r"[\s_.-]+")


def _plain(name: str) -> str:
    return _PLAIN.sub("", name.lower().lstrip("\ufeff"))


_KNOWN = {_plain(alias): ours for ours, many in _ALIASES.items() for alias in many.split()} | {
    _plain(name): name for name in NAMES
}
_SEPARATORS = ",;\t|"


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _meanings(line: str, columns: dict[str, str]) -> tuple[str, list[str]]:
    """The separator of a header, and by place our name of each column, or "" of one unknown."""
    separator = max(_SEPARATORS, key=line.count)
    header = [cell.strip().lstrip("\ufeff") for cell in _cells(line, separator)]
    if columns:
        ours = {column: name for name, column in columns.items()}
        return separator, [ours.get(cell, "") for cell in header]
    meant: list[str] = []
    for cell in header:
        name = _KNOWN.get(_plain(cell), "")
        meant.append("" if name in meant else name)
    return separator, meant


class _Columns:
    """The lines of one file: its header, and what follows it."""

    def __init__(self, options: Options) -> None:
        self._columns = dict(options.columns)
        self._separator = ""
        self._meant: list[str] = []

    def read(self, raw: bytes) -> tuple[Understood, ...] | Problem:
        line = raw.decode("utf-8", "replace")
        if not self._separator:
            separator, meant = _meanings(line, self._columns)
            if "time" not in meant:
                return Problem("no header with a column that is the time; --mapping can name it")
            self._separator, self._meant = separator, meant
            return ()
        cells = _cells(line, self._separator)
        if len(cells) != len(self._meant):
            return Problem(f"{len(cells)} columns, where the header has {len(self._meant)}")
        fields: dict[str, Any] = {
            name: cell.strip() if name != "password" else cell
            for name, cell in zip(self._meant, cells, strict=True)
            if name and cell
        }
        record = _SHAPE.record(fields)
        return ((_choose(record), record),)


def _reader(options: Options) -> Read:
    return _Columns(options).read


def _choose(record: Fields) -> Table:
    if record.user is not None and (record.app is not None or record.dst_ip is not None):
        return _LOGIN
    if record.md5 or record.sha1 or record.sha256:
        return _FILE
    if record.url or record.user_agent or record.http_host:
        return _HTTP
    if record.domain:
        return _DNS
    return _NETWORK if record.hassh is None else _SSH


def _recognised(line: str) -> bool:
    _, meant = _meanings(line[:4096], {})
    return "time" in meant and "src_ip" in meant


CSV = Format(
    name="csv",
    title="CSV",
    product={"name": "CSV", "vendor_name": "unknown"},
    reference="https://www.rfc-editor.org/rfc/rfc4180",
    tables=_TABLES,
    shape=_SHAPE,
    reader=_reader,
    notes=(
        '`--mapping FILE` is TOML, a line for each column that is meant: `src_ip = "Attacker"`. '
        "Without it, columns are known by their usual names.",
        "Addresses may be whole numbers. Times may be ISO 8601, epoch seconds, milliseconds, "
        "microseconds or nanoseconds (told by their size), `Jan 31 2025 10:20:30`, or a web "
        "server's.",
        "A quoted cell ends on its line.",
    ),
    text=True,
    of_line=_recognised,
)
