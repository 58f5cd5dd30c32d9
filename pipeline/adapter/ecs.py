"""Elastic Common Schema, as Beats, Elastic Agent and Logstash write it."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.adapter import value
from pipeline.adapter.format import Format, json_reader, member
from pipeline.adapter.instant import any_time
from pipeline.adapter.table import Fields, Row, Shape, Table


def _first(one_or_many: Any) -> Any:
    """ECS lets most fields be a list."""
    return one_or_many[0] if type(one_or_many) is list and one_or_many else one_or_many


def _first_ip(written: Any) -> str | None:
    return value.ip(_first(written))


def _text(written: Any) -> str | None:
    return value.text(_first(written))


_EVERY = (
    Row("@timestamp", "time", any_time),
    Row("event.id", "metadata.uid", value.own_id),
    Row("client.ip", "src_endpoint.ip", value.ip),
    Row("client.port", "src_endpoint.port", value.port),
    Row("server.ip", "dst_endpoint.ip", value.ip),
    Row("server.port", "dst_endpoint.port", value.port),
    Row("source.address", "src_endpoint.ip", _first_ip),
    Row("source.ip", "src_endpoint.ip", _first_ip, needed=True),
    Row("source.port", "src_endpoint.port", value.port),
    Row("destination.ip", "dst_endpoint.ip", _first_ip),
    Row("destination.port", "dst_endpoint.port", value.port),
    Row("rule.id", "firewall_rule.uid", value.name),
    Row("rule.name", "firewall_rule.name", _text),
    Row("event.outcome", "status_id", value.coded({"success": 1, "failure": 2}, 0)),
    Row("vulnerability.id", "observables[]", value.cves),
)
_LAYER = (
    Row("network.transport", "connection_info.protocol_name", value.protocol),
    Row("network.community_id", "connection_info.community_uid", value.text),
    Row("network.protocol", "app_name", _text),
    Row("tls.client.ja4", "ja4_fingerprint_list[]", value.ja4),
)
_TLS = (
    Row("tls.client.server_name", "tls.sni", value.host),
    Row("tls.client.ja3", "tls.ja3_hash", value.fingerprint),
    Row("tls.version", "tls.version", value.text),
)
_NETWORK = Table("network", 4001, 6, _EVERY + _LAYER + _TLS)
_DNS = Table(
    "dns", 4003, 0, (*_EVERY, *_LAYER, Row("dns.question.name", "query.hostname", value.text))
)
_HTTP = Table(
    "http",
    4002,
    0,
    (
        *_EVERY,
        *_LAYER,
        Row("url.domain", "http_request.url.hostname", value.url_host),
        Row("url.original", "http_request.url.url_string", value.url),
        Row("url.full", "http_request.url.url_string", value.url),
        Row("http.request.method", "http_request.http_method", value.text),
        Row("user_agent.original", "http_request.user_agent", _text),
        Row("http.response.status_code", "http_response.code", value.integer),
    ),
)
_FILE = Table(
    "file",
    4010,
    0,
    (
        *_EVERY,
        *_LAYER,
        Row("file.name", "file.name", value.text),
        Row("file.path", "file.path", value.text),
        Row("file.hash.md5", "file.hashes[]", value.digest),
        Row("file.hash.sha1", "file.hashes[]", value.digest),
        Row("file.hash.sha256", "file.hashes[]", value.digest),
        Row("process.hash.md5", "file.hashes[]", value.digest),
        Row("process.hash.sha1", "file.hashes[]", value.digest),
        Row("process.hash.sha256", "file.hashes[]", value.digest),
    ),
)
_LOGIN = Table(
    "authentication",
    3002,
    1,
    (
        *_EVERY,
        Row("user.name", "user.name", value.user_name),
        Row("event.dataset", "service.name", value.text),
    ),
)
_TABLES = (_NETWORK, _DNS, _HTTP, _FILE, _LOGIN)
_SHAPE = Shape(_TABLES, ("event.category",))


def _choose(record: Fields) -> Table:
    event = record.event
    if event is not None and _first(event.category) == "authentication" and record.user is not None:
        named = event.dataset is not None or record.destination is not None
        if named and type(record.user.name) is str:
            return _LOGIN
    if record.dns is not None and record.dns.question is not None:
        return _DNS
    if record.url is not None or record.user_agent is not None or record.http is not None:
        return _HTTP
    hashed = (record.file, record.process)
    return _FILE if any(one is not None and one.hash is not None for one in hashed) else _NETWORK


_nested = member("_source", "@timestamp")
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _within(record: Fields, raw: bytes) -> bytes | None:
    """A document as Elasticsearch exports it, or one whose dots are in its names."""
    inner = _nested(record, raw)
    if inner is not None or b'"source.' not in raw:
        return inner
    tree: dict[str, Any] = {}
    for name, of in _object(raw).items():
        *above, last = name.split(".")
        at = tree
        for step in above[:8]:
            below = at.setdefault(step, {})
            if not isinstance(below, dict):
                break
            at = below
        else:
            at.setdefault(last, of)
    return msgspec.json.encode(tree)


ECS = Format(
    name="ecs",
    also=("elastic", "beats"),
    title="Elastic Common Schema",
    product={"name": "ECS", "vendor_name": "Elastic"},
    reference="https://www.elastic.co/docs/reference/ecs",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, sort="ECS", within=_within),
    notes=(
        "Bare or as Elasticsearch exports it, in `_source`; nested, or with dots in the names.",
        "The hashes of a file or a process that no connection belongs to become observables.",
    ),
    json=True,
    of_keys=lambda keys: (
        ("_source" in keys and b'"ecs"' in bytes(keys["_source"]))
        or ("@timestamp" in keys and ("ecs.version" in keys or "source.ip" in keys))
        or (
            "@timestamp" in keys
            and ("ecs" in keys or ("event" in keys and ("source" in keys or "agent" in keys)))
        )
    ),
)
