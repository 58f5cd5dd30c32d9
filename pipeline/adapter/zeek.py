"""Zeek's logs, as JSON or as TSV with its header: any of them that says who called whom.

In TSV the header names the log and its columns, and holds until the next one.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pipeline.adapter.format import Format, Options, Read, Understood, either, json_reader
from pipeline.adapter.table import Fields, Problem
from pipeline.adapter.zeek_tables import BY_LOG, CONNECTION, HIDDEN, OTHER, SHAPE

_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})|\\\\")


def _choose(record: Fields) -> Any:
    log = record._path  # noqa: SLF001 - Zeek's name for it
    if type(log) is not str:
        log = _log_of(record)
    # A password that Zeek was told to keep makes of a session a login.
    if log == "ftp" and type(record.password) is str and record.password != HIDDEN:
        log = "ftp, login"
    table = BY_LOG.get(log, CONNECTION)
    if table is CONNECTION and record.id_orig_h is None:
        return OTHER
    return table


_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_ENDS = ("orig_h", "orig_p", "resp_h", "resp_p")
# A dot is no part of a column's name elsewhere: Zeek can be told to write another sign.
_UNJOINED = {f"id_{name}": f"id.{name}" for name in _ENDS}


def _within(record: Fields, raw: bytes) -> bytes | None:
    """What exporters and settings make of it: `id` as an object, `id_orig_h`, or the whole record
    in one named for its log.
    """
    if record.ts is not None and record.id is None:
        if record.id_orig_h is not None or b'"id_orig_h"' not in raw:
            return None  # as nearly all are
        keys = _object(raw)
        return msgspec.json.encode({_UNJOINED.get(key, key): of for key, of in keys.items()})
    keys = _object(raw)
    log = ""
    if len(keys) == 1:
        ((log, inner),) = keys.items()
        if bytes(inner)[:1] != b"{":
            return None
        keys = _object(bytes(inner))
    if bytes(keys.get("id", b""))[:1] == b"{":
        ends = _object(bytes(keys.pop("id")))
        keys |= {f"id.{name}": ends[name] for name in _ENDS if name in ends}
    elif not log:
        return None
    if log:
        keys.setdefault("_path", msgspec.Raw(msgspec.json.encode(log)))
    return msgspec.json.encode(keys)


def _log_of(record: Fields) -> str:
    """Without a `_path`, what a record holds says which log it is of: the first that fits.

    A field after another, and no loop over names: most of Zeek's JSON comes here.
    """
    if record.query is not None and record.qtype is not None:
        return "dns"
    if record.trans_id is not None and record.rcode is not None:
        return "dns"
    if record.conn_state is not None:
        return "conn"
    if record.cipher is not None:
        return "ssl"
    if record.established is not None and record.resumed is not None:
        return "ssl"
    if record.trans_depth is not None and (
        record.method is not None or record.status_code is not None
    ):
        return "http"
    if record.fuid is not None and record.source is not None and record.seen_bytes is not None:
        return "files"
    if record.note is not None:
        return "notice"
    if record.auth_attempts is not None or record.kex_alg is not None:
        return "ssh"
    if record.reply_code is not None and record.command is not None:
        return "ftp"
    if record.security_protocol is not None:
        return "rdp"
    return "smb_files" if record.action is not None and record.name is not None else ""


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", text)


class _Tsv:
    """Reads the lines of one file: what the header says, and what follows it."""

    def __init__(self) -> None:
        self._separator = "\t"
        self._unset = "-"
        self._empty = "(empty)"
        self._log = ""
        self._fields: list[str] = []

    def read(self, raw: bytes) -> tuple[Understood, ...] | Problem:
        line = raw.decode("utf-8", "replace")
        if line.startswith("#"):
            self._header(line)
            return ()
        if not self._fields:
            return Problem("no JSON, and no #fields line before it that names the columns")
        values = line.split(self._separator)
        if len(values) != len(self._fields):
            return Problem(f"{len(values)} columns, where #fields names {len(self._fields)}")
        fields: dict[str, Any] = {
            name: "" if value == self._empty else _unescaped(value)
            for name, value in zip(self._fields, values, strict=True)
            if value != self._unset
        }
        if self._log:
            fields["_path"] = self._log
        record = SHAPE.record(fields)
        return ((_choose(record), record),)

    def _header(self, line: str) -> None:
        if line.startswith("#separator "):
            self._separator = _unescaped(line[11:].strip()) or "\t"
            return
        key, _, rest = line[1:].partition(self._separator)
        if key == "path":
            self._log = rest
        elif key == "fields":
            self._fields = [_UNJOINED.get(name, name) for name in rest.split(self._separator)]
        elif key == "unset_field":
            self._unset = rest
        elif key == "empty_field":
            self._empty = rest


def _epoch(written: Any) -> bool:
    """Seconds with a fraction, as Zeek alone writes them in a field `ts`."""
    return bool(re.fullmatch(rb"\d{9,10}\.\d+", bytes(written or b"")))


def _wrapped(inner: Any) -> bool:
    raw = bytes(inner)
    return raw[:1] == b"{" and b'"ts"' in raw and b'"uid"' in raw


def _tsv(_: Options) -> Read:
    return _Tsv().read


ZEEK = Format(
    name="zeek",
    also=("zeek-json", "zeek-tsv", "bro"),
    title="Zeek",
    product={"name": "Zeek", "vendor_name": "Zeek Project"},
    reference="https://docs.zeek.org/en/current/script-reference/log-files.html",
    tables=(*BY_LOG.values(), CONNECTION, OTHER),
    shape=SHAPE,
    reader=either(json_reader(SHAPE, _choose, sort="Zeek", within=_within), _tsv),
    notes=(
        "Any other log with `id.orig_h` becomes Network Activity, one without a Base Event.",
        "JSON without `_path` is told by its fields. TSV needs its header.",
        'Read too: a record in an object named for its log (`{"conn": {…}}`); `id` as an object; '
        "`id_orig_h` and the like.",
        "Times are seconds since the epoch or ISO 8601, as the log's writer was set.",
    ),
    json=True,
    text=True,
    of_line=lambda line: line.startswith(("#separator ", "#fields\t")),
    of_keys=lambda keys: (
        (len(keys) == 1 and _wrapped(next(iter(keys.values()))))
        or (next(iter(keys), "") in {"_path", "ts"} and _epoch(keys.get("ts")))
        or (
            "ts" in keys
            and any(name in keys for name in ("_path", "id.orig_h", "id_orig_h", "uid", "fuid"))
        )
    ),
)
