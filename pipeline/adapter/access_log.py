"""Web servers' access logs: the Common Log Format and the combined one."""

from __future__ import annotations

import re
from typing import Any

from pipeline.adapter import value
from pipeline.adapter.format import Format, text_reader
from pipeline.adapter.instant import common_log
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table

_LINE = re.compile(
    r"(?:(?P<vhost>[\w.-]+)(?::\d+)? )?(?P<source>[0-9A-Fa-f:.]+) \S+ (?P<user>.{0,256}?) "
    r'\[(?P<time>[^\]]{20,30})\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}|-) (?:\d+|-)'
    r'(?: "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?.*',
    re.ASCII | re.DOTALL,
).fullmatch


def _method(request: Any) -> str | None:
    word = request.partition(" ")[0] if type(request) is str else ""
    return word if word.isalpha() and word.isupper() and len(word) <= 16 else None


def _target(request: Any) -> str | None:
    parts = request.split(" ") if type(request) is str else []
    return parts[1] if len(parts) > 1 else None


def _path(request: Any) -> str | None:
    target = _target(request)
    return value.text(target) if target and target.startswith("/") else None


def _agent(written: Any) -> str | None:
    return None if written == "-" else value.text(written)


_REQUEST = Table(
    "request",
    4002,
    0,
    (
        Row("time", "time", common_log),
        Row("source", "src_endpoint.ip", value.ip, needed=True),
        Row("vhost", "http_request.url.hostname", value.host),
        Row(("vhost", "request"), "http_request.url.url_string",
            lambda host, request: value.web_url(host, _target(request))),
        Row("request", "http_request.url.path", _path),
        Row("request", "http_request.http_method", _method),
        Row("agent", "http_request.user_agent", _agent),
        Row("referrer", "http_request.referrer", value.url),
        Row("status", "http_response.code", value.integer),
    ),
)  # fmt: skip
_SHAPE = Shape((_REQUEST,), nested=False)


def _split(line: str) -> dict[str, Any] | Problem:
    match = _LINE(line)
    if not match:
        return Problem("no line of an access log in the common or the combined format")
    return {name: of for name, of in match.groupdict().items() if of is not None}


def _choose(_: Fields) -> Table:
    return _REQUEST


ACCESS_LOG = Format(
    name="access-log",
    also=("apache", "nginx", "clf", "combined"),
    title="Web server's access log",
    product={"name": "access log", "vendor_name": "NCSA"},
    reference="https://httpd.apache.org/docs/current/logs.html#accesslog",
    tables=(_REQUEST,),
    shape=_SHAPE,
    reader=text_reader(_SHAPE, _choose, _split),
    notes=("A URL needs the host, which only a log with the virtual host has.",),
    text=True,
    of_line=lambda line: bool(_LINE(line)),
)
