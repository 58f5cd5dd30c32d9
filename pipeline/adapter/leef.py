"""IBM QRadar's Log Event Extended Format, 1.0 and 2.0, with or without a syslog header."""

from __future__ import annotations

from typing import Any

from pipeline.adapter import java_time, pairs, syslog, value
from pipeline.adapter.common import ends
from pipeline.adapter.format import Format, text_reader
from pipeline.adapter.instant import any_time
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table

_EVERY = (
    Row(("devTime", "devTimeFormat"), "time", java_time.read),
    Row("header time", "time", any_time),
    *ends("src", "srcPort", "dst", "dstPort"),
    Row("proto", "connection_info.protocol_name", value.protocol),
    Row("event id", "firewall_rule.uid", value.text),
    Row("cat", "firewall_rule.category", value.text),
    Row("sev", "severity_id", value.coded(
        {str(n): 1 if n < 2 else 2 if n < 4 else 3 if n < 7 else 4 if n < 9 else 5
         for n in range(1, 11)})),
    Row("vendor", "unmapped.vendor", value.text),
    Row("product", "unmapped.product", value.text),
)  # fmt: skip
_NETWORK = Table("network", 4001, 6, _EVERY, undated=True)
_HTTP = Table(
    "http",
    4002,
    0,
    (
        *_EVERY,
        Row("url", "http_request.url.url_string", value.url),
        Row("userAgent", "http_request.user_agent", value.text),
    ),
    undated=True,
)
_TABLES = (_NETWORK, _HTTP)
_SHAPE = Shape(_TABLES, nested=False)


def _split(line: str) -> dict[str, Any] | Problem:
    before, mark, rest = line.partition("LEEF:")
    version, _, rest = rest.partition("|")
    parts = rest.split("|", 4)
    if not mark or len(parts) < 5 or version not in {"1.0", "2.0"}:
        return Problem("no LEEF: `LEEF:1.0` or `LEEF:2.0` and five parts between bars")
    separator, text = "\t", parts[4]
    if version == "2.0":
        given, bar, after = text.partition("|")
        if bar and len(given) <= 4:
            separator, text = _separator(given), after
    if separator not in text and "|" in text:
        separator = "|"  # as PAN-OS writes it
    fields: dict[str, Any] = pairs.separated(text, separator)
    header = syslog.parse(f"{before.strip()} LEEF") if before.strip() else None
    if header:
        fields["header time"] = header.time
    return fields | {"vendor": parts[0], "product": parts[1], "event id": parts[3]}


def _separator(given: str) -> str:
    """A character, or its number in hexadecimal, `x09` or `0x09`."""
    code = given.lower().removeprefix("0").removeprefix("x")
    if len(given) > 1 and len(code) <= 2 and all(digit in "0123456789abcdef" for digit in code):
        return chr(int(code or "9", 16)) or "\t"
    return given[:1] or "\t"


def _choose(record: Fields) -> Table:
    return _NETWORK if record.url is None else _HTTP


LEEF = Format(
    name="leef",
    title="LEEF",
    product={"name": "LEEF", "vendor_name": "IBM"},
    reference="https://www.ibm.com/docs/en/dsm?topic=leef-overview",
    tables=_TABLES,
    shape=_SHAPE,
    reader=text_reader(_SHAPE, _choose, _split),
    notes=(
        "The time is `devTime`, read as `devTimeFormat` says (a pattern of Java's "
        "SimpleDateFormat), or without it as epoch or in any shape that `--format csv` reads; else "
        "the syslog header's. A line without any gets `--reference`, as in CEF.",
    ),
    text=True,
    of_line=lambda line: "LEEF:" in line[:256] and line.count("|") >= 5,
)
