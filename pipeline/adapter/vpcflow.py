"""AWS VPC flow logs: the default fields, or those that a header line names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.adapter import value
from pipeline.adapter.common import ends
from pipeline.adapter.format import Format, Options, Read, Understood
from pipeline.adapter.instant import epoch_seconds
from pipeline.adapter.table import Problem, Row, Shape, Table

_DEFAULT = (
    *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport"),
    *("protocol", "packets", "bytes", "start", "end", "action", "log-status"),
)

_FLOW = Table(
    "flow",
    4001,
    6,
    (
        Row("start", "time", epoch_seconds),
        Row("end", "time", epoch_seconds),
        *ends("srcaddr", "srcport", "dstaddr", "dstport"),
        Row("pkt-srcaddr", "src_endpoint.ip", value.ip),
        Row("pkt-dstaddr", "dst_endpoint.ip", value.ip),
        Row("protocol", "connection_info.protocol_num", value.protocol_number),
        Row("packets", "traffic.packets", value.integer),
        Row("bytes", "traffic.bytes", value.integer),
        Row("action", "action_id", value.coded({"accept": 1, "reject": 2}, 0)),
        Row("interface-id", "dst_endpoint.interface_uid", value.text),
    ),
)
_SHAPE = Shape((_FLOW,), nested=False)


def _names_fields(words: Sequence[str]) -> bool:
    """A header: of a format of one's own, it names what was chosen."""
    return ("start" in words or "end" in words) and ("srcaddr" in words or "pkt-srcaddr" in words)


# What CloudWatch Logs puts in front of each record when it exports them: the time it came in.
_EXPORTED = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{5,18}Z", re.ASCII).fullmatch


class _Flows:
    """The lines of one file: what its header says, and what follows it."""

    def __init__(self) -> None:
        self._names: Sequence[str] = _DEFAULT

    def read(self, raw: bytes) -> tuple[Understood, ...] | Problem:
        words = raw.decode("utf-8", "replace").split()
        if _names_fields(words):
            self._names = words
            return ()
        if len(words) == len(self._names) + 1 and _EXPORTED(words[0]):
            del words[0]
        if len(words) != len(self._names):
            return Problem(f"{len(words)} fields, where {len(self._names)} are named")
        fields: dict[str, Any] = {
            name: word for name, word in zip(self._names, words, strict=True) if word != "-"
        }
        return ((_FLOW, _SHAPE.record(fields)),)


def _reader(_: Options) -> Read:
    return _Flows().read


def _recognised(line: str) -> bool:
    words = line.split()
    if words and _EXPORTED(words[0]):
        del words[0]
    return _names_fields(words) or (
        len(words) == len(_DEFAULT) and words[2].startswith("eni-") and words[10].isdigit()
    )


VPC_FLOW = Format(
    name="vpc-flow",
    also=("vpcflow", "aws-vpc-flow", "aws-vpcflow", "aws-vpc"),
    title="AWS VPC flow logs",
    product={"name": "VPC Flow Logs", "vendor_name": "AWS"},
    reference="https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html",
    tables=(_FLOW,),
    shape=_SHAPE,
    reader=_reader,
    notes=(
        "Times are seconds since the epoch: the start, or the end where that alone is logged. "
        "`pkt-srcaddr`, where logged, is the true source.",
        "Records without data (NODATA, SKIPDATA) become Base Events.",
    ),
    text=True,
    of_line=_recognised,
)
