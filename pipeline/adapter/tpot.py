"""T-Pot's bundle: the many honeypots' records as its Logstash puts them on one footing."""

from __future__ import annotations

from pipeline.adapter import value
from pipeline.adapter.common import ends, login
from pipeline.adapter.format import Format, has, json_reader
from pipeline.adapter.instant import iso
from pipeline.adapter.table import Fields, Row, Shape, Table

_EVERY = (
    Row("@timestamp", "time", iso),
    Row("timestamp", "time", iso),
    *ends("src_ip", "src_port", "dest_ip", "dest_port"),
)
_LAYER = (
    Row("proto", "connection_info.protocol_name", value.protocol),
    Row("type", "app_name", value.text),
)
_LOGIN = Table(
    "login",
    3002,
    1,
    (*_EVERY, Row("type", "service.name", value.text), *login("username", "password")),
)
_ALERT = Table(
    "alert",
    4001,
    6,
    (
        *_EVERY,
        *_LAYER,
        Row("alert.signature_id", "firewall_rule.uid", value.name),
        Row("alert.signature", "firewall_rule.name", value.text),
        Row("alert.signature", "observables[]", value.cves),
        Row("alert.cve_id", "observables[]", value.cves),
    ),
    alert=True,
)
_FILE = Table(
    "file",
    4010,
    0,
    (
        *_EVERY,
        *_LAYER,
        Row("url", "file.url.url_string", value.url),
        Row("shasum", "file.hashes[]", value.digest),
        Row("md5_hash", "file.hashes[]", value.digest),
    ),
)
_SSH = Table("ssh", 4007, 1, (*_EVERY, Row("hassh", "client_hassh.fingerprint", value.fingerprint)))
_HTTP = Table(
    "http",
    4002,
    0,
    (
        *_EVERY,
        *_LAYER,
        Row("http.hostname", "http_request.url.hostname", value.url_host),
        Row(("http.hostname", "http.url"), "http_request.url.url_string", value.web_url),
        Row("http.http_user_agent", "http_request.user_agent", value.text),
    ),
)
_NETWORK = Table("other", 4001, 6, _EVERY + _LAYER)
_TABLES = (_LOGIN, _ALERT, _FILE, _SSH, _HTTP, _NETWORK)
_SHAPE = Shape(_TABLES)


def _choose(record: Fields) -> Table | None:
    if type(record.type) is not str:
        return None
    if type(record.username) in {str, int} and record.password is not None:
        return _LOGIN
    if record.alert is not None:
        return _ALERT
    if record.shasum is not None or record.md5_hash is not None:
        return _FILE
    if record.hassh is not None:
        return _SSH
    return _NETWORK if record.http is None else _HTTP


TPOT = Format(
    name="tpot",
    also=("t-pot",),
    title="T-Pot",
    product={"name": "T-Pot", "vendor_name": "Telekom Security"},
    reference="https://github.com/telekom-security/tpotce",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, sort="T-Pot"),
    notes=("Of exports from its Elasticsearch, give the documents (`_source`), one a line.",),
    json=True,
    of_keys=has("@timestamp", "type", "src_ip"),
)
