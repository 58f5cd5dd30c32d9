"""Cowrie's events, as JSON or as the text of its log, with or without a syslog header."""

from __future__ import annotations

import re
from typing import Any

from pipeline.adapter import value
from pipeline.adapter.common import ends, login, typed
from pipeline.adapter.format import Format, either, has, json_reader, text_reader
from pipeline.adapter.instant import any_time
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table

_ENDS = (
    Row("timestamp", "time", any_time),
    *ends("src_ip", "src_port", "dst_ip", "dst_port"),
)
_SESSION = Row("session", "connection_info.uid", value.text)
_OUTCOME = value.coded({"cowrie.login.success": 1, "cowrie.login.failed": 2}, 0)
_LOGIN = Table(
    "login",
    3002,
    1,
    (
        *_ENDS,
        Row("session", "session.uid", value.text),
        Row("eventid", "service.name", value.constant("cowrie")),
        Row("protocol", "service.name", value.text),
        Row("eventid", "status_id", _OUTCOME),
        *login("username", "password"),
    ),
)  # fmt: skip
_CLIENT = Table(
    "client",
    4007,
    1,
    (
        *_ENDS,
        _SESSION,
        Row("hassh", "client_hassh.fingerprint", value.fingerprint),
        Row("hasshAlgorithms", "client_hassh.algorithm", value.text),
        Row("version", "unmapped.client", value.text),
    ),
)
_FILE = Table(
    "file",
    4010,
    0,
    (
        *_ENDS,
        _SESSION,
        Row("url", "file.url.url_string", value.url),
        Row("filename", "file.name", value.text),
        Row("destfile", "file.path", value.text),
        Row("shasum", "file.hashes[]", value.digest),
    ),
)
_COMMAND = Table(
    "command",
    1007,
    1,
    (
        Row("timestamp", "time", any_time),
        Row("src_ip", "observables[]", value.observed_ip, needed=True),
        Row(
            "eventid",
            "status_id",
            value.coded({"cowrie.command.success": 1, "cowrie.command.failed": 2}, 0),
        ),
        *typed("session", "input"),
    ),
)
_CONNECTION = Table(
    "other events",
    4001,
    6,
    (*_ENDS, _SESSION, Row("protocol", "app_name", value.text)),
)
_TABLES = (_LOGIN, _CLIENT, _FILE, _COMMAND, _CONNECTION)
_SHAPE = Shape(_TABLES)

_TEXT = re.compile(
    r"(?:.*? cowrie(?:\[\d+\])?: )?"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?) \[([^\]]*)\] (.*)",
    re.ASCII | re.DOTALL,
).fullmatch
_CONNECTED = re.compile(r",(\d+),[0-9A-Fa-f.:]+$").search
_PEER = re.compile(r",\d+,([0-9A-Fa-f.:]+)$").search
_NEW = re.compile(r"New connection: (\S+):(\d+) \((\S+):(\d+)\) \[session: (\w+)\]", re.ASCII).match
_TRIED = re.compile(
    r"login attempt \[(?:b'(.*)'/b'(.*)'|([^/]*)/(.*))\] (succeeded|failed)", re.DOTALL
).match
_TYPED = re.compile(r"CMD: (.*)", re.DOTALL).fullmatch
_HASSH = re.compile(r"SSH client hassh fingerprint: ([0-9a-f]{32})").match


def _split(line: str) -> dict[str, Any] | Problem:
    match = _TEXT(line.rstrip())
    if not match:
        return Problem("no line of Cowrie's log: no time and no [system]")
    time, system, message = match.groups()
    fields: dict[str, Any] = {"timestamp": time, "eventid": "cowrie.log"}
    if peer := _PEER(system):
        fields["src_ip"] = peer[1]
    if new := _NEW(message):
        names = ("src_ip", "src_port", "dst_ip", "dst_port", "session")
        fields |= dict(zip(names, new.groups(), strict=True))
        fields["eventid"] = "cowrie.session.connect"
    elif tried := _TRIED(message):
        user, password = (tried[1], tried[2]) if tried[1] is not None else (tried[3], tried[4])
        outcome = "success" if tried[5] == "succeeded" else "failed"
        fields |= {"username": user, "password": password, "eventid": f"cowrie.login.{outcome}"}
        fields["protocol"] = "telnet" if "telnet" in system.lower() else "ssh"
    elif hassh := _HASSH(message):
        fields |= {"hassh": hassh[1], "eventid": "cowrie.client.kex"}
    elif (command := _TYPED(message)) and (connected := _CONNECTED(system)):
        # The text names no session where something is typed, but numbers connections.
        fields |= {"input": command[1], "session": connected[1]}
        fields["eventid"] = "cowrie.command.input"
    return fields


def _choose(record: Fields) -> Table | None:
    event = record.eventid
    if type(event) is not str:
        return None
    # An event of authentication names a service or a host that was logged in to.
    if event.startswith("cowrie.login.") and record.username is not None:
        return _LOGIN
    if record.hassh is not None or event == "cowrie.client.version":
        return _CLIENT
    # The hash of a closed log is of what the session looked like: no file of the attacker's.
    if (event != "cowrie.log.closed" and (record.shasum is not None)) or (
        record.url is not None and "file_download" in event
    ):
        return _FILE
    if event.startswith("cowrie.command.") and type(record.input) is type(record.session) is str:
        return _COMMAND
    return _CONNECTION


COWRIE = Format(
    name="cowrie",
    also=("cowrie-json", "cowrie-log"),
    title="Cowrie",
    product={"name": "Cowrie", "vendor_name": "Cowrie"},
    reference="https://docs.cowrie.org/en/latest/OUTPUT.html",
    tables=_TABLES,
    shape=_SHAPE,
    reader=either(
        json_reader(_SHAPE, _choose, sort="Cowrie"),
        text_reader(_SHAPE, _choose, _split, longest=8192),
    ),
    notes=(
        "Of what an attacker typed no text is passed on, for it may hold names and passwords: only "
        "words of a closed list that say what was done, with placeholders for all else.",
    ),
    json=True,
    text=True,
    of_line=lambda line: bool(_TEXT(line)) and ("cowrie" in line or "HoneyPot" in line),
    of_keys=lambda keys: has("eventid", "session")(keys) and b"cowrie." in bytes(keys["eventid"]),
)
