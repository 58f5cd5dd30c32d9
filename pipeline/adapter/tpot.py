"""T-Pot's bundle: the many honeypots' records as its Logstash puts them on one footing."""

from __future__ import annotations

from pipeline.adapter import value
from pipeline.adapter.common import ends, login, typed
from pipeline.adapter.format import Format, has, json_reader, member
from pipeline.adapter.instant import any_time
from pipeline.adapter.table import Fields, Row, Shape, Table

_EVERY = (
    Row("@timestamp", "time", any_time),
    Row("timestamp", "time", any_time),
    # As the honeypots' own files have them, which T-Pot keeps in /data.
    Row("client_ip", "src_endpoint.ip", value.ip),
    Row("client_port", "src_endpoint.port", value.port),
    Row("server_ip", "dst_endpoint.ip", value.ip),
    Row("server_port", "dst_endpoint.port", value.port),
    Row("attack_connection.remote_ip", "src_endpoint.ip", value.ip),
    Row("attack_connection.remote_port", "src_endpoint.port", value.port),
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
        Row("attack_connection.payload.md5_hash", "file.hashes[]", value.digest),
    ),
)
_SSH = Table(
    "ssh",
    4007,
    1,
    (
        *_EVERY,
        Row("hassh", "client_hassh.fingerprint", value.fingerprint),
        Row("fatt_ssh.hassh", "client_hassh.fingerprint", value.fingerprint),
    ),
)
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
        Row("headers.host", "http_request.url.hostname", value.url_host),
        Row(("headers.host", "path"), "http_request.url.url_string", value.web_url),
        Row("headers.user-agent", "http_request.user_agent", value.text),
    ),
)
_COMMAND = Table(
    "command",
    1007,
    1,
    (
        Row("@timestamp", "time", any_time),
        Row("timestamp", "time", any_time),
        Row("src_ip", "observables[]", value.observed_ip, needed=True),
        *typed("session", "input"),
    ),
)
_NETWORK = Table(
    "other",
    4001,
    6,
    (
        *_EVERY,
        *_LAYER,
        Row("fatt_tls.serverName", "tls.sni", value.host),
        Row("fatt_tls.ja3", "tls.ja3_hash", value.fingerprint),
    ),
)
_TABLES = (_LOGIN, _ALERT, _FILE, _SSH, _HTTP, _COMMAND, _NETWORK)
_SHAPE = Shape(_TABLES, ("eventid",))


def _choose(record: Fields) -> Table | None:
    # What is no document of T-Pot's may be a line of one of its honeypots' own files.
    own = (record.src_ip, record.client_ip, record.attack_connection)
    if type(record.type) is not str and own == (None, None, None):
        return None
    if type(record.username) in {str, int} and record.password is not None:
        return _LOGIN
    if record.alert is not None:
        return _ALERT
    attack = record.attack_connection
    payload = attack.payload if attack is not None else None
    if record.shasum or record.md5_hash or (payload is not None and payload.md5_hash):
        return _FILE
    if record.hassh is not None or record.fatt_ssh is not None:
        return _SSH
    # Cowrie's and Adbhoney's: what somebody typed.
    event = record.eventid
    if type(record.input) is type(record.session) is type(event) is str and ".command." in event:
        return _COMMAND
    return _NETWORK if record.http is None and record.headers is None else _HTTP


TPOT = Format(
    name="tpot",
    also=("t-pot",),
    title="T-Pot",
    product={"name": "T-Pot", "vendor_name": "Telekom Security"},
    reference="https://github.com/telekom-security/tpotce",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, sort="T-Pot", within=member("_source", "type")),
    notes=(
        "Documents of its Elasticsearch, bare or as exported, in `_source`.",
        "The honeypots' own files: Cowrie, Dionaea, Suricata and Heralding (CSV) are told by their "
        "own formats; Adbhoney, P0f and Honeytrap by this one.",
    ),
    json=True,
    of_keys=lambda keys: (
        has("@timestamp", "type", "src_ip")(keys)
        or ("_source" in keys and b'"src_ip"' in bytes(keys["_source"]))
        or has("timestamp", "attack_connection")(keys)
        or has("timestamp", "client_ip", "server_ip")(keys)
        or ("eventid" in keys and bytes(keys["eventid"]).startswith(b'"adbhoney.'))
    ),
)
