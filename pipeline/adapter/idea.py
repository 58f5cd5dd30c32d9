"""CESNET's IDEA: a message for a detection, an event for each of its sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from pipeline.adapter import value
from pipeline.adapter.format import Format, has, json_reader
from pipeline.adapter.instant import iso
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table


def _first(listed: Any) -> Any:
    return listed[0] if type(listed) is list and listed else None


def _first_text(listed: Any) -> str | None:
    return value.text(_first(listed))


def _first_port(listed: Any) -> int | None:
    return value.port(_first(listed))


def _protocol(listed: Any) -> str | None:
    """IDEA lists protocols from the lowest layer on."""
    return value.protocol(_first(listed))


def _service(listed: Any) -> str | None:
    return value.text(listed[-1]) if type(listed) is list and len(listed) > 1 else None


def _single(address: Any) -> str | None:
    """An address; of a network or a range, nothing: it says not who it was."""
    return (
        value.ip(address.removesuffix("/32").removesuffix("/128")) if type(address) is str else None
    )


def _hashes(listed: Any) -> list[dict[str, Any]] | None:
    """`sha256:…` of the attachments, as hashes."""
    texts = [one.partition(":")[2] for one in listed if type(one) is str]
    found = [
        {"name": "hash", "type_id": 8, "value": text}
        for text in texts[: value.MAX_LIST]
        if value.digest(text)
    ]
    return found or None


_DETECTION = Table(
    "detection",
    4001,
    6,
    (
        Row("EventTime", "time", iso),
        Row("DetectTime", "time", iso),
        Row("ID", "metadata.uid", value.own_id),
        Row("Source[].IP", "src_endpoint.ip", _single),
        Row("Source[].Port", "src_endpoint.port", _first_port),
        Row("Source[].Hostname", "src_endpoint.hostname", _first_text),
        Row("Source[].URL", "observables[]", value.observed(6, "url")),
        Row("Source[].Proto", "connection_info.protocol_name", _protocol),
        Row("Source[].Proto", "app_name", _service),
        Row("Target[].IP", "dst_endpoint.ip", _single),
        Row("Target[].Port", "dst_endpoint.port", _first_port),
        Row("Target[].Hostname", "dst_endpoint.hostname", _first_text),
        Row("Category", "firewall_rule.name", _first_text),
        Row("Description", "message", value.text),
        Row("Ref", "observables[]", value.cves),
        Row("Attach[].Hash", "observables[]", _hashes),
    ),
    alert=True,
)
_SHAPE = Shape((_DETECTION,), ("Format", "Source", "Target", "Attach"))


def _addresses(end: dict[str, Any]) -> list[Any]:
    listed = [end[key] for key in ("IP4", "IP6") if type(end.get(key)) is list]
    return [address for addresses in listed for address in addresses if type(address) is str]


def _objects(listed: Any) -> list[dict[str, Any]]:
    return [one for one in listed if type(one) is dict] if type(listed) is list else []


def _each(message: Fields) -> Sequence[Fields | Problem]:
    target = next(iter(_objects(message.Target)), {})
    toward = replace(
        message,
        Target___IP=_first(_addresses(target)),
        Target___Port=target.get("Port"),
        Target___Hostname=target.get("Hostname"),
        Attach___Hash=[
            of
            for one in _objects(message.Attach)
            if type(one.get("Hash")) is list
            for of in one["Hash"]
        ],
    )
    return [
        replace(
            toward,
            Source___IP=address,
            Source___Port=source.get("Port"),
            Source___Hostname=source.get("Hostname"),
            Source___URL=source.get("URL"),
            Source___Proto=source.get("Proto") or target.get("Proto"),
        )
        for source in _objects(message.Source)
        for address in _addresses(source) or [None]
    ][: value.MAX_LIST] or [toward]


def _choose(record: Fields) -> Table | None:
    return _DETECTION if type(record.Format) is str and record.Format.startswith("IDEA") else None


IDEA = Format(
    name="idea",
    also=("idea0",),
    title="IDEA",
    product={"name": "IDEA", "vendor_name": "CESNET"},
    reference="https://idea.cesnet.cz/en/definition",
    tables=(_DETECTION,),
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, _each, sort="IDEA"),
    notes=(
        "An event for each address of each source; networks and ranges are no address.",
        "The time is `EventTime`, else `DetectTime`.",
    ),
    json=True,
    of_keys=has("Format", "ID", "DetectTime"),
)
