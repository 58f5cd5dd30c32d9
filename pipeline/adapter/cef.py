"""ArcSight's Common Event Format, with or without a syslog header."""

from __future__ import annotations

import re
from typing import Any

from pipeline.adapter import pairs, syslog, value
from pipeline.adapter.common import ends
from pipeline.adapter.format import Format, text_reader
from pipeline.adapter.instant import any_time
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table

_BAR = re.compile(r"(?<!\\)\|")
# Some senders write the dictionary's full names.
_LONG = {
    "deviceReceiptTime": "rt", "startTime": "start", "endTime": "end", "sourceAddress": "src",
    "sourcePort": "spt", "destinationAddress": "dst", "destinationPort": "dpt",
    "sourceHostName": "shost", "destinationHostName": "dhost", "transportProtocol": "proto",
    "applicationProtocol": "app", "requestUrl": "request", "fileName": "fname",
    "deviceCustomIPv6Address2": "c6a2", "deviceCustomIPv6Address3": "c6a3",
}  # fmt: skip
_WORDS = {"unknown": 0, "low": 2, "medium": 3, "high": 4, "very-high": 5}


def _severity(written: Any) -> int | None:
    """0 to 10, or a word, to OCSF's."""
    number = value.integer(written)
    if number is None:
        return _WORDS.get(written.lower()) if type(written) is str else None
    return 1 if number == 0 else 2 if number < 4 else 3 if number < 7 else 4 if number < 9 else 5


_EVERY = (
    Row("rt", "time", any_time),
    Row("start", "time", any_time),
    Row("end", "time", any_time),
    Row("UNIFIutcTime", "time", any_time),
    Row("header time", "time", any_time),
    Row("c6a2", "src_endpoint.ip", value.ip),
    Row("c6a3", "dst_endpoint.ip", value.ip),
    *ends("src", "spt", "dst", "dpt"),
    Row("shost", "src_endpoint.hostname", value.host),
    Row("dhost", "dst_endpoint.hostname", value.host),
    Row("signature", "firewall_rule.uid", value.text),
    Row("name", "firewall_rule.name", value.text),
    Row("severity", "severity_id", _severity),
    Row("vendor", "unmapped.vendor", value.text),
    Row("product", "unmapped.product", value.text),
    Row("cs1", "observables[]", value.cves),
    Row("name", "observables[]", value.cves),
)
_CONNECTION = (
    Row("proto", "connection_info.protocol_name", value.protocol),
    Row("app", "app_name", value.text),
)
_NETWORK = Table("network", 4001, 6, _EVERY + _CONNECTION, undated=True)
_HTTP = Table(
    "http",
    4002,
    0,
    (
        *_EVERY,
        *_CONNECTION,
        Row("request", "http_request.url.url_string", value.url),
        Row("requestMethod", "http_request.http_method", value.text),
        Row("requestClientApplication", "http_request.user_agent", value.text),
    ),
    undated=True,
)
_FILE = Table(
    "file",
    4010,
    0,
    (
        *_EVERY,
        *_CONNECTION,
        Row("fname", "file.name", value.text),
        Row("fileHash", "file.hashes[]", value.digest),
        Row("request", "file.url.url_string", value.url),
    ),
    undated=True,
)
_TABLES = (_NETWORK, _HTTP, _FILE)
_SHAPE = Shape(_TABLES, nested=False)


def _split(line: str) -> dict[str, Any] | Problem:
    before, mark, rest = line.partition("CEF:")
    rest = rest.removeprefix(" ")
    parts = _BAR.split(rest, maxsplit=7)
    if not mark or len(parts) < 7 or not parts[0].isdigit():
        return Problem("no CEF: seven parts between bars must follow `CEF:`")
    given = pairs.cef(parts[7]) if len(parts) == 8 else {}
    fields: dict[str, Any] = {_LONG.get(key, key): of for key, of in given.items() if of}
    if before.strip():
        header = syslog.parse(f"{before.strip()} CEF")
        if header:
            fields["header time"] = header.time
    names = ("vendor", "product", "", "signature", "name", "severity")
    return fields | {
        name: pairs.unescaped(part) for name, part in zip(names, parts[1:7], strict=True) if name
    }


def _choose(record: Fields) -> Table:
    if record.fileHash:
        return _FILE
    return _NETWORK if record.request is None else _HTTP


CEF = Format(
    name="cef",
    title="CEF",
    product={"name": "CEF", "vendor_name": "ArcSight"},
    reference="https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors/",
    tables=_TABLES,
    shape=_SHAPE,
    reader=text_reader(_SHAPE, _choose, _split),
    notes=(
        "The time is `rt`, else `start`, `end`, else the syslog header's. A line without any was "
        "meant to be dated by its receiver: it gets `--reference`, now by default; the event says "
        "`unmapped.undated`, and the last line how many there were.",
    ),
    text=True,
    of_line=lambda line: "CEF:" in line[:256] and line.count("|") >= 7,
)
