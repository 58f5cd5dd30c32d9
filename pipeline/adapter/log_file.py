"""Lines of a host's or a firewall's syslog: sshd, iptables, pf, MikroTik; and journald's JSON.

The program, or the shape of the message, says whose it is. Messages of any other program become
Base Events: nothing is wrong with them, and nothing in them is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.adapter import filterlog, iptables, mikrotik, sshd, syslog, value
from pipeline.adapter.format import NOT_JSON, Format, Options, Read, either, has, text_reader
from pipeline.adapter.instant import Clock, bsd, epoch, iso
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table


def _time(written: Any, clock: Clock) -> int | None:
    if type(written) is int:
        return epoch(written, clock)
    ms = bsd(written, clock)
    return iso(written, clock) if ms is None else ms


_TIME = Row("time", "time", _time)
_ENDS = (
    _TIME,
    Row("source", "src_endpoint.ip", value.ip, needed=True),
    Row("source port", "src_endpoint.port", value.port),
    Row("destination", "dst_endpoint.ip", value.ip),
    Row("destination port", "dst_endpoint.port", value.port),
)
_LOGIN = Table(
    "sshd, login",
    3002,
    1,
    (
        *_ENDS,
        Row("user", "user.name", value.user_name),
        Row("service", "service.name", value.text),
        Row("outcome", "status_id", value.coded({"success": 1, "failure": 2}, 0)),
    ),
    undated=True,
)
_SSH = Table("sshd, connection", 4007, 6, _ENDS, undated=True)
_FIREWALL = Table(
    "firewall",
    4001,
    6,
    (
        *_ENDS,
        Row("protocol", "connection_info.protocol_name", value.protocol),
        Row("rule", "firewall_rule.name", value.text),
        Row("action", "action_id", value.coded({"pass": 1, "allow": 1, "block": 2, "drop": 2}, 0)),
    ),
    undated=True,
)
_OTHER = Table("other programs", 0, 0, (_TIME,), undated=True)
_TABLES = (_LOGIN, _SSH, _FIREWALL, _OTHER)
_SHAPE = Shape(_TABLES, ("program",), nested=False)

_READERS = (sshd.fields, iptables.fields, filterlog.fields, mikrotik.fields)


def _split(line: str) -> dict[str, Any] | Problem:
    message = syslog.parse(line)
    if message is None:
        return Problem("no syslog line: it begins with no time")
    return _fields(message)


def _fields(message: syslog.Message) -> dict[str, Any] | Problem:
    for read in _READERS:
        fields = read(message)
        if isinstance(fields, Problem):
            return fields
        if fields is not None:
            return _dated(message) | fields
    return _dated(message) | {"program": "other"}


def _dated(message: syslog.Message) -> dict[str, Any]:
    """RFC 5424 lets a sender that has no clock write a dash."""
    return {} if message.time == "-" else {"time": message.time}


_journal = msgspec.json.Decoder(Mapping[str, Any]).decode


def _entry(raw: bytes) -> dict[str, Any] | Problem:
    """An entry of systemd's journal (`journalctl -o json`): microseconds, program, message."""
    try:
        entry = _journal(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Problem(f"{NOT_JSON}: {error}")
    written = entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry.get("__REALTIME_TIMESTAMP")
    when = value.integer(written)
    if when is None:
        return Problem("no journal entry: __REALTIME_TIMESTAMP is no number")
    program = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM")
    text = entry.get("MESSAGE")
    if type(program) is not str or type(text) is not str:  # a list of bytes: of no text
        return {"time": when, "program": "other"}
    fields = _fields(syslog.Message("", "", program, text))
    return fields if isinstance(fields, Problem) else fields | {"time": when}


def _journal_reader(_: Options) -> Read:
    def read(raw: bytes) -> Any:
        fields = _entry(raw)
        if isinstance(fields, Problem):
            return fields
        record = _SHAPE.record(fields)
        return ((_choose(record), record),)

    return read


def begins_as_syslog(raw: bytes) -> bool:
    """Whether a line has the header of syslog, whatever its message."""
    return raw[:1] != b"{" and syslog.parse(raw[:8192].decode("utf-8", "replace")) is not None


def _choose(record: Fields) -> Table:
    if record.program == "sshd":
        return _SSH if record.user is None else _LOGIN
    return _FIREWALL if record.program == "firewall" else _OTHER


def _recognised(line: str) -> bool:
    message = syslog.parse(line)
    return message is not None and any(isinstance(read(message), dict) for read in _READERS)


LOG_FILE = Format(
    name="syslog",
    also=("sshd", "journald", "iptables", "netfilter", "ufw", "pf", "filterlog", "pfsense",
          "opnsense", "mikrotik"),
    title="Syslog of hosts and firewalls",
    product={"name": "syslog", "vendor_name": "IETF"},
    reference="https://www.rfc-editor.org/rfc/rfc5424",
    tables=_TABLES,
    shape=_SHAPE,
    reader=either(_journal_reader, text_reader(_SHAPE, _choose, _split, longest=8192)),
    notes=(
        "RFC 5424, RFC 3164 and files without a priority; a dash in place of RFC 5424's time gets "
        "`--reference`, as in CEF. A time without a year is the latest "
        "that is not more than a day after `--reference`; one without a zone is in `--timezone`.",
        "Read: sshd, netfilter (iptables, nftables, ufw), pf (filterlog of pfSense and OPNsense, "
        "and what tcpdump prints of pflog), MikroTik's firewall and logins; and, by their own "
        "tables, lines in CEF, LEEF, FortiGate's and PAN-OS's format, and Suricata's EVE.",
        "JSON as of `journalctl -o json` is read in the same way.",
    ),
    json=True,
    text=True,
    of_line=_recognised,
    of_keys=has("__REALTIME_TIMESTAMP", "MESSAGE"),
)  # fmt: skip
