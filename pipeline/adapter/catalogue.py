"""All formats, and which one a file is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from pipeline.adapter.access_log import ACCESS_LOG
from pipeline.adapter.cef import CEF
from pipeline.adapter.cloudtrail import CLOUDTRAIL
from pipeline.adapter.columns import CSV
from pipeline.adapter.cowrie import COWRIE
from pipeline.adapter.csaf import CSAF
from pipeline.adapter.cyclonedx import CYCLONEDX
from pipeline.adapter.dionaea import DIONAEA
from pipeline.adapter.ecs import ECS
from pipeline.adapter.format import Format, Options, Read
from pipeline.adapter.fortigate import FORTIGATE
from pipeline.adapter.heralding import HERALDING
from pipeline.adapter.idea import IDEA
from pipeline.adapter.leef import LEEF
from pipeline.adapter.log_file import LOG_FILE, begins_as_syslog
from pipeline.adapter.misp import MISP
from pipeline.adapter.ocsf import OCSF
from pipeline.adapter.opencanary import OPENCANARY
from pipeline.adapter.openvex import OPENVEX
from pipeline.adapter.osv import OSV
from pipeline.adapter.panos import PANOS
from pipeline.adapter.record import Broken, JsonLines, without_halves
from pipeline.adapter.suricata import SURICATA
from pipeline.adapter.tpot import TPOT
from pipeline.adapter.vpcflow import VPC_FLOW
from pipeline.adapter.zeek import ZEEK


def _is_eve(line: str) -> bool:
    """A line of syslog whose message is EVE, and not one that is EVE itself."""
    return line[:1] != "{" and '{"timestamp"' in line and '"event_type"' in line


def _eve(options: Options) -> Read:
    read = SURICATA.reader(options)
    return lambda raw: read(raw[raw.find(b'{"timestamp"') :])


# A collector's file has the lines of many devices.
_DEVICES = (CEF, LEEF, FORTIGATE, PANOS)
SYSLOG = replace(LOG_FILE, carried=(*_DEVICES, replace(SURICATA, of_line=_is_eve, reader=_eve)))

# Of formats that a line looks like, the first is taken: from the most peculiar to the least.
FORMATS: tuple[Format, ...] = (
    OCSF, CYCLONEDX, CSAF, OPENVEX, OSV, IDEA, MISP, CLOUDTRAIL, OPENCANARY, COWRIE, HERALDING,
    TPOT, DIONAEA, ECS, SURICATA, ZEEK, CEF, LEEF, PANOS, FORTIGATE, VPC_FLOW, ACCESS_LOG, SYSLOG,
    CSV,
)  # fmt: skip
BY_NAME = {name: format_ for format_ in FORMATS for name in (format_.name, *format_.also)}

LOOKED_AT = 200
"""Lines of a file that are looked at to tell its format."""

_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def detect(lines: Iterable[bytes]) -> Format | None:
    """The format that most records of a file's first lines look like; None if none does."""
    votes: Counter[str] = Counter()
    lines_seen = syslog_lines = 0
    cut = JsonLines(text=True, longest=64 << 20)
    for number, line in enumerate(lines, 1):
        for record in cut.feed(line, number):
            if isinstance(record, Broken):
                continue
            lines_seen += 1
            syslog_lines += begins_as_syslog(record[1])
            if found := _one(record[1]):
                votes[found.name] += 1
                if found.name in {"zeek", "csv", "vpc-flow"} and votes.total() == 1:
                    return found  # a header: what follows it says nothing by itself
    if not votes:
        return SYSLOG if syslog_lines * 2 > lines_seen > 0 else None
    found = BY_NAME[votes.most_common(1)[0][0]]
    among = {one.name for one in _DEVICES} | {"syslog"}
    return SYSLOG if len(votes) > 1 and {*votes} <= among else found


def _one(raw: bytes) -> Format | None:
    if raw[:1] == b"{":
        keys = _keys_of(raw)
        if keys is None:
            return None
        return next((one for one in FORMATS if one.of_keys and one.of_keys(keys)), None)
    text = raw[:8192].decode("utf-8", "replace")
    return next((one for one in FORMATS if one.of_line and one.of_line(text)), None)


def _keys_of(raw: bytes) -> Mapping[str, Any] | None:
    try:
        return _keys(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        whole = without_halves(raw)
        return None if whole == raw else _keys_of(whole)
