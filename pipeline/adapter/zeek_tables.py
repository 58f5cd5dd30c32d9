"""What Zeek's logs map: a table a log."""

from __future__ import annotations

from typing import Any

from pipeline.adapter import value
from pipeline.adapter.common import ends
from pipeline.adapter.instant import seconds_or_iso
from pipeline.adapter.table import Row, Shape, Table


def _first_host(hosts: Any) -> str | None:
    """Of a set of addresses, a list in JSON and separated by commas in TSV, the first."""
    if type(hosts) is list:
        hosts = hosts[0] if hosts else None
    return value.ip(hosts.partition(",")[0]) if type(hosts) is str else None


HIDDEN = "<hidden>"
"""What Zeek writes where it was told to keep no passwords."""


def _shown_password(user: Any, password: Any) -> str | None:
    return None if password == HIDDEN else value.credential(user, password)


def _dns_name(query: Any) -> str | None:
    return value.text(query)


_YES = {True: 1, "t": 1, False: 2, "f": 2}

_ENDS = (
    Row("ts", "time", seconds_or_iso),
    *ends("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"),
    Row("uid", "connection_info.uid", value.text),
)
_COMMON = (*_ENDS, Row("proto", "connection_info.protocol_name", value.protocol))

CONNECTION = Table(
    "other logs of connections", 4001, 6, (*_COMMON, Row("_path", "app_name", value.text))
)
OTHER = Table("other logs", 0, 0, (Row("ts", "time", seconds_or_iso),))

_CONN = Table(
    "conn",
    4001,
    6,
    (
        *_COMMON,
        Row("service", "app_name", value.text),
        Row("community_id", "connection_info.community_uid", value.text),
        Row("history", "connection_info.flag_history", value.text),
        Row("orig_bytes", "traffic.bytes_out", value.integer),
        Row("resp_bytes", "traffic.bytes_in", value.integer),
        Row("orig_pkts", "traffic.packets_out", value.integer),
        Row("resp_pkts", "traffic.packets_in", value.integer),
    ),
)
_SSL = Table(
    "ssl",
    4001,
    6,
    (
        *_ENDS,
        Row("version", "tls.version", value.text),
        Row("server_name", "tls.sni", value.host),
        Row("cipher", "tls.cipher", value.text),
        Row("ja3", "tls.ja3_hash", value.fingerprint),
        Row("ja4", "ja4_fingerprint_list[]", value.ja4),
    ),
)
_SSH = Table(
    "ssh",
    4007,
    1,
    (
        *_ENDS,
        Row("auth_success", "status_id", value.coded(_YES, 0)),
        Row("client", "unmapped.client", value.text),
        Row("hassh", "client_hassh.fingerprint", value.fingerprint),
        Row("hasshAlgorithms", "client_hassh.algorithm", value.text),
        Row("host_key", "unmapped.host_key", value.text),
    ),
)
_DNS = Table(
    "dns",
    4003,
    0,
    (
        *_COMMON,
        Row("query", "query.hostname", _dns_name),
        Row("qtype_name", "query.type", value.text),
        Row("qclass_name", "query.class", value.text),
        Row("rcode_name", "rcode", value.text),
    ),
)
_HTTP = Table(
    "http",
    4002,
    0,
    (
        *_ENDS,
        Row("host", "http_request.url.hostname", value.url_host),
        Row(("host", "uri"), "http_request.url.url_string", value.web_url),
        Row("method", "http_request.http_method", value.text),
        Row("user_agent", "http_request.user_agent", value.text),
        Row("referrer", "http_request.referrer", value.url),
        Row("status_code", "http_response.code", value.integer),
    ),
)
_FTP = Table(
    "ftp",
    4008,
    0,
    (
        *_ENDS,
        Row(
            "reply_code",
            "codes[]",
            lambda code: None if (n := value.integer(code)) is None else [n],
        ),
    ),
)
_FTP_LOGIN = Table(
    "ftp, login",
    3002,
    1,
    (
        *_ENDS[:-1],
        Row("user", "user.name", value.user_name),
        Row(("user", "password"), "user.credential_uid", _shown_password, secret=True),
    ),
)
_FILES = Table(
    "files",
    4010,
    0,
    (
        Row("ts", "time", seconds_or_iso),
        Row("tx_hosts", "src_endpoint.ip", _first_host),
        Row("rx_hosts", "dst_endpoint.ip", _first_host),
        *ends("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"),
        Row("source", "app_name", value.text),
        Row("filename", "file.name", value.text),
        Row("mime_type", "file.mime_type", value.text),
        Row("seen_bytes", "file.size", value.integer),
        Row("md5", "file.hashes[]", value.digest),
        Row("sha1", "file.hashes[]", value.digest),
        Row("sha256", "file.hashes[]", value.digest),
    ),
)
_NOTICE = Table(
    "notice",
    4001,
    6,
    (
        Row("ts", "time", seconds_or_iso),
        Row("src", "src_endpoint.ip", value.ip),
        Row("dst", "dst_endpoint.ip", value.ip),
        *_COMMON[1:],
        Row("note", "firewall_rule.name", value.text),
        Row("msg", "message", value.text),
        Row("sub", "unmapped.sub", value.text),
    ),
    alert=True,
)
_RDP = Table(
    "rdp",
    4005,
    0,
    (
        *_ENDS,
        Row("cookie", "identifier_cookie", value.text),
        Row("security_protocol", "unmapped.security_protocol", value.text),
    ),
)
_SMB_FILES = Table(
    "smb_files",
    4006,
    0,
    (
        *_ENDS,
        Row("name", "file.name", value.text),
        Row("path", "file.path", value.text),
        Row("action", "command", value.text),
    ),
)

BY_LOG = {
    table.name: table
    for table in (
        _CONN, _SSL, _SSH, _DNS, _HTTP, _FTP, _FTP_LOGIN, _FILES, _NOTICE, _RDP, _SMB_FILES,
    )
}  # fmt: skip
# Fields that tell a log, and are mapped by none.
MORE = (
    "_path", "qtype", "trans_id", "rcode", "conn_state", "established", "resumed", "trans_depth",
    "id", "fuid", "auth_attempts", "kex_alg", "command",
)  # fmt: skip
SHAPE = Shape((*BY_LOG.values(), CONNECTION, OTHER), MORE, nested=False)
