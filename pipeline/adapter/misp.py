"""MISP events: a Base Event for each attribute that is an indicator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from pipeline.adapter import value
from pipeline.adapter.format import Format, json_reader
from pipeline.adapter.instant import any_time
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table

_TYPE_IDS = {
    "ip-src": 2, "ip-dst": 2, "domain": 1, "hostname": 1, "url": 6, "uri": 6, "md5": 8, "sha1": 8,
    "sha256": 8, "vulnerability": 18,
}  # fmt: skip


def _observables(kind: Any, written: Any) -> list[dict[str, Any]] | None:
    """Of a composite type, `domain|ip`, each part that is an indicator."""
    if type(kind) is not str or type(written) is not str:
        return None
    if kind == "malware-sample":
        kind = "filename|md5"
    kinds, values = kind.split("|"), written.split("|")
    found = [
        {"name": part, "type_id": _TYPE_IDS.get(part, 2), "value": of}
        for part, one in zip(kinds, values, strict=False)
        if (part in _TYPE_IDS or part == "ip") and (of := value.text(one.strip()))
    ]
    return found or None


_ATTRIBUTE = Table(
    "attribute",
    0,
    0,
    (
        Row("Attribute[].first_seen", "time", any_time),
        Row("Attribute[].timestamp", "time", any_time),
        Row("Event.timestamp", "time", any_time),
        Row("Attribute[].uuid", "metadata.uid", value.own_id),
        Row(("Attribute[].type", "Attribute[].value"), "observables[]", _observables),
        Row("Event.info", "message", value.text),
    ),
)
_SHAPE = Shape(
    (_ATTRIBUTE,), ("Event.Attribute", "Event.Object", "Event.uuid", "Attribute", "response")
)


def _attributes(event: Any) -> Iterator[Any]:
    yield from event.Attribute if type(event.Attribute) is list else ()
    for one in event.Object if type(event.Object) is list else ():
        inner = one.get("Attribute") if type(one) is dict else None
        yield from inner if type(inner) is list else ()


def _each(record: Fields) -> Sequence[Fields | Problem]:
    if type(record.response) is list:
        return [
            one
            for wrapped in record.response
            for one in _each(wrapped if isinstance(wrapped, _SHAPE.type) else _record(wrapped))
        ]
    if record.response is not None:
        return _each(_record(record.response))
    if record.Event is None and record.Attribute is None:
        return [Problem("no MISP event: it has no Event")]
    found: list[Fields | Problem] = []
    bare = record.Attribute if type(record.Attribute) is list else [record.Attribute]
    for attribute in _attributes(record.Event) if record.Event is not None else bare:
        if type(attribute) is not dict:
            found.append(Problem("an attribute that is no object"))
        elif _observables(attribute.get("type"), attribute.get("value")):
            found.append(_with(record, attribute.get))
    return found


def _record(one: Any) -> Fields:
    """What a search answers with; of what is none, an empty record."""
    try:
        return msgspec.convert(one, _SHAPE.type)
    except msgspec.ValidationError:
        return _SHAPE.type()


def _with(record: Fields, get: Callable[[str], Any]) -> Fields:
    return replace(
        record,
        Attribute___first_seen=get("first_seen"),
        Attribute___timestamp=get("timestamp"),
        Attribute___uuid=get("uuid"),
        Attribute___type=get("type"),
        Attribute___value=get("value"),
    )


def _choose(_: Fields) -> Table:
    return _ATTRIBUTE


MISP = Format(
    name="misp",
    title="MISP events",
    product={"name": "MISP", "vendor_name": "MISP Project"},
    reference="https://www.misp-standard.org/rfc/misp-standard-core.html",
    tables=(_ATTRIBUTE,),
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, _each, sort="MISP"),
    notes=(
        "An event, a list of them, or what the API's searches answer with.",
        "Attributes that are no indicator of Sightline's are passed over; so are JA3, HASSH and "
        "user agents, for which OCSF has no observable.",
    ),
    json=True,
    longest=64 << 20,
    of_keys=lambda keys: (
        b'"Attribute"' in bytes(keys.get("Event", b""))
        or (len(keys) == 1 and b'"Attribute"' in bytes(keys.get("response", b"")))
        or (len(keys) == 1 and b'"to_ids"' in bytes(keys.get("Attribute", b"")))
    ),
)
