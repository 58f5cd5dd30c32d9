"""AWS CloudTrail: events one a line, or the files that CloudTrail puts into a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.adapter import value
from pipeline.adapter.format import Format, has, json_reader, member
from pipeline.adapter.instant import iso
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table

_EVERY = (
    Row("eventTime", "time", iso),
    Row("eventID", "metadata.uid", value.own_id),
    Row("sourceIPAddress", "src_endpoint.ip", value.ip),
    Row("sourceIPAddress", "src_endpoint.hostname", value.host),
    Row("userAgent", "http_request.user_agent", value.text),
    Row("errorCode", "status_code", value.text),
    Row("errorCode", "status_id", value.constant(2)),
)
_OUTCOME = value.coded({"success": 1, "failure": 2}, 0)
_CALL = Table(
    "API call",
    6003,
    99,
    (
        *_EVERY,
        Row("eventName", "api.operation", value.text),
        Row("eventSource", "api.service.name", value.text),
        Row("userIdentity.type", "actor.invoked_by", value.text),
        Row("userIdentity.userName", "actor.user.name", value.text),
        Row("userIdentity.arn", "actor.user.uid", value.text),
    ),
)
_LOGIN = Table(
    "console login",
    3002,
    1,
    (
        *_EVERY,
        Row("eventSource", "service.name", value.text),
        Row("userIdentity.userName", "user.name", value.text),
        Row("userIdentity.arn", "user.uid", value.text),
        Row("responseElements.ConsoleLogin", "status_id", _OUTCOME),
    ),
)  # fmt: skip
_OTHER = Table(
    "insights and other records",
    0,
    0,
    (Row("eventTime", "time", iso), Row("eventID", "metadata.uid", value.own_id)),
)
_TABLES = (_CALL, _LOGIN, _OTHER)
_SHAPE = Shape(_TABLES, ("Records", "Events", "userIdentity", "eventType"))
_decode = msgspec.json.Decoder(_SHAPE.type).decode


def _each(record: Fields) -> Sequence[Fields | Problem]:
    records, found = record.Records, record.Events
    if type(found) is list:
        return [_looked_up(one) for one in found]
    return [_record(one) for one in records] if type(records) is list else [record]


def _looked_up(one: Any) -> Fields | Problem:
    """Of what `aws cloudtrail lookup-events` prints, the event, which is a text in it."""
    told = one.get("CloudTrailEvent") if type(one) is dict else None
    if type(told) is not str:
        return Problem("in Events: it has no CloudTrailEvent")
    try:
        return _decode(told)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Problem(f"in Events: {error}")


def _within(record: Fields, raw: bytes) -> bytes | None:
    """What EventBridge wraps: the record is its `detail`."""
    if record.Records is not None or record.Events is not None:
        return None
    return _detail(record, raw)


_detail = member("detail", "eventTime")


def _record(one: Any) -> Fields | Problem:
    try:
        return msgspec.convert(one, _SHAPE.type)
    except msgspec.ValidationError as error:
        return Problem(f"in Records: {error}")


def _choose(record: Fields) -> Table | None:
    if type(record.eventName) is not str:
        return _OTHER if type(record.eventType) is str else None
    user = record.userIdentity
    if record.eventName == "ConsoleLogin" and user is not None and (user.userName or user.arn):
        return _LOGIN
    return _CALL


CLOUDTRAIL = Format(
    name="cloudtrail",
    also=("aws-cloudtrail",),
    title="AWS CloudTrail",
    product={"name": "CloudTrail", "vendor_name": "AWS"},
    reference="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, _each, "CloudTrail", _within),
    notes=(
        "Bare, in `Records`, as EventBridge wraps it, in `detail`, or as `aws cloudtrail "
        "lookup-events` prints it.",
    ),
    json=True,
    longest=64 << 20,
    of_keys=lambda keys: (
        has("eventName", "eventSource", "eventTime")(keys)
        or (len(keys) == 1 and "Records" in keys)
        or ("Events" in keys and b'"CloudTrailEvent"' in bytes(keys["Events"]))
        or has("eventVersion", "eventTime", "eventID")(keys)
        or ("detail-type" in keys and b"CloudTrail" in bytes(keys["detail-type"]))
    ),
)
