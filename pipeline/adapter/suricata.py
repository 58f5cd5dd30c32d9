"""Suricata's EVE JSON output: alerts, flows and the application layers' logs."""

from __future__ import annotations

from typing import Any

from pipeline.adapter import value
from pipeline.adapter.common import ends
from pipeline.adapter.format import Format, has, json_reader
from pipeline.adapter.instant import seconds_or_iso
from pipeline.adapter.table import Fields, Row, Shape, Table


def _dns_name(query: Any) -> str | None:
    """The name of the first question: EVE's version 3 lists them."""
    first = query[0] if type(query) is list and query else None
    return value.text(first.get("rrname")) if type(first) is dict else None


def _listed_hashes(files: Any) -> list[dict[str, Any]] | None:
    """Of the files that an alert lists, the best hash of each."""
    listed = files[: value.MAX_LIST] if type(files) is list else []
    found = [
        {"name": "hash", "type_id": 8, "value": best}
        for one in listed
        if type(one) is dict
        and (best := one.get("sha256") or one.get("sha1") or one.get("md5"))
        and value.digest(best)
    ]
    return found or None


def _url(host: Any, port: Any, path: Any) -> str | None:
    if port is not None and type(host) is str and ":" not in host and (n := value.port(port)):
        host = f"{host}:{n}"
    return value.web_url(host, path)


# Suricata counts down from 1, the gravest.
_SEVERITY = value.coded({1: 4, 2: 3, 3: 2, 4: 1}, 0)

_CONNECTION = (
    Row("timestamp", "time", seconds_or_iso),
    *ends("src_ip", "src_port", "dest_ip", "dest_port"),
    Row("proto", "connection_info.protocol_name", value.protocol),
    Row("community_id", "connection_info.community_uid", value.text),
    Row("flow_id", "connection_info.uid", value.name),
    Row("app_proto", "app_name", value.text),
)
_ALERT = (
    Row("alert.signature_id", "firewall_rule.uid", value.name),
    Row("alert.signature", "firewall_rule.name", value.text),
    Row("alert.category", "firewall_rule.category", value.text),
    Row("alert.severity", "severity_id", _SEVERITY),
    Row("alert.action", "action_id", value.coded({"allowed": 1, "blocked": 2}, 0)),
    Row("alert.signature", "observables[]", value.cves),
    Row("alert.metadata.cve", "observables[]", value.cves),
    Row("files", "observables[]", _listed_hashes),
)
_TLS = (
    Row("tls.sni", "tls.sni", value.host),
    Row("tls.version", "tls.version", value.text),
    Row("tls.ja3.hash", "tls.ja3_hash", value.fingerprint),
    Row("tls.ja4", "ja4_fingerprint_list[]", value.ja4),
    Row("quic.sni", "tls.sni", value.host),
    Row("quic.ja3.hash", "tls.ja3_hash", value.fingerprint),
    Row("quic.ja4", "ja4_fingerprint_list[]", value.ja4),
)
_HTTP = (
    Row("http.hostname", "http_request.url.hostname", value.url_host),
    Row(("http.hostname", "http.http_port", "http.url"), "http_request.url.url_string", _url),
    Row("http.http_method", "http_request.http_method", value.text),
    Row("http.http_user_agent", "http_request.user_agent", value.text),
    Row("http.http_refer", "http_request.referrer", value.url),
    Row("http.status", "http_response.code", value.integer),
)
_DNS = (
    Row("dns.rrname", "query.hostname", value.text),
    Row("dns.query", "query.hostname", _dns_name),
    Row("dns.queries", "query.hostname", _dns_name),
    Row("dns.rrtype", "query.type", value.text),
)
_SSH = (
    Row("ssh.client.hassh.hash", "client_hassh.fingerprint", value.fingerprint),
    Row("ssh.client.hassh.string", "client_hassh.algorithm", value.text),
    Row("ssh.client.proto_version", "protocol_ver", value.text),
)
_FILE = (
    Row("fileinfo.filename", "file.name", value.text),
    Row("fileinfo.size", "file.size", value.integer),
    Row("fileinfo.md5", "file.hashes[]", value.digest),
    Row("fileinfo.sha1", "file.hashes[]", value.digest),
    Row("fileinfo.sha256", "file.hashes[]", value.digest),
)
_FLOW = (
    Row("flow.bytes_toserver", "traffic.bytes_out", value.integer),
    Row("flow.bytes_toclient", "traffic.bytes_in", value.integer),
    Row("flow.pkts_toserver", "traffic.packets_out", value.integer),
    Row("flow.pkts_toclient", "traffic.packets_in", value.integer),
)

_BY_LAYER = {
    "network": Table("network", 4001, 6, _CONNECTION + _FLOW + _TLS),
    "http": Table("http", 4002, 0, _CONNECTION + _HTTP + _FILE),
    "dns": Table("dns", 4003, 0, _CONNECTION + _DNS),
    "ssh": Table("ssh", 4007, 0, _CONNECTION + _SSH),
    "file": Table("file", 4010, 0, _CONNECTION + _FILE),
}
_ALERTS = {
    name: Table(f"alert, {name}", of.class_uid, of.activity_id, of.rows + _ALERT, alert=True)
    for name, of in _BY_LAYER.items()
}
_TABLES = (*_BY_LAYER.values(), *_ALERTS.values())
_SHAPE = Shape(_TABLES, ("event_type",))


def _choose(record: Fields) -> Table | None:
    if type(record.event_type) is not str:
        return None
    layer = "network"
    if record.http is not None:
        layer = "http"
    elif record.dns is not None:
        layer = "dns"
    elif record.ssh is not None:
        layer = "ssh"
    elif record.fileinfo is not None:
        layer = "file"
    return (_BY_LAYER if record.alert is None else _ALERTS)[layer]


SURICATA = Format(
    name="suricata",
    also=("eve", "suricata-eve"),
    title="Suricata EVE",
    product={"name": "Suricata", "vendor_name": "OISF"},
    reference="https://docs.suricata.io/en/latest/output/eve/eve-json-format.html",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, sort="EVE"),
    notes=(
        "A time without a zone is in the zone that `--timezone` gives: Suricata writes none in "
        "some builds.",
        "An alert whose traffic runs from the victim to the attacker has the victim as its "
        "source, as in EVE.",
        "A record without addresses, such as statistics, becomes a Base Event.",
        "Shippers make numbers of `timestamp`: seconds or finer, told by their size.",
        "What Suricata writes to syslog is read as `syslog`, with and without `@cee:`.",
    ),
    json=True,
    of_keys=lambda keys: (
        has("timestamp", "event_type")(keys)
        and ("src_ip" in keys or "stats" in keys or "flow_id" in keys)
    ),
)
