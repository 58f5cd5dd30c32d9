"""STIX 2.1 objects: their names, their markings, and which of two stands. No I/O here.

Source: OASIS, "STIX Version 2.1" (2021); TLP 2.0 as OASIS and FIRST mark it, an extension. An
object is the JSON object that it is: its properties in the order in which they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID, uuid5

import rfc8785

from pipeline.lane import BANNER
from pipeline.share.moment import moment
from pipeline.share.outward import named
from pipeline.share.tlp import Tlp

Object = dict[str, Any]

_OBSERVABLES = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
_TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP_CREATED = "2022-10-01T00:00:00.000Z"
MARKINGS: Final[Mapping[Tlp, str]] = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
_MARKED = {identity: tlp for tlp, identity in MARKINGS.items()}

SHARED_SINCE_MS = 1_577_836_800_000
"""When an object was made that campaigns have in common: 2020-01-01. It must not depend on them."""

# In this order they stand in a bundle: what is referred to, before what refers to it.
_ORDER = (
    *("marking-definition", "extension-definition", "identity", "location", "vulnerability"),
    *("ipv4-addr", "ipv6-addr", "domain-name", "url", "file", "software"),
    *("campaign", "indicator", "observed-data", "sighting", "relationship", "opinion", "grouping"),
)
_RANK = {kind: number for number, kind in enumerate(_ORDER)}
OBSERVABLES = frozenset(_ORDER[5:11])
"""The types of ours that have no versions."""


def name(kind: str, *parts: str) -> str:
    """The id of an object of ours: the same for the same parts, whenever it is made."""
    return f"{kind}--{named(kind, *parts)}"


def observable(kind: str, **properties: Any) -> Object:
    """A cyber observable, named by what it is, as the specification says for everybody."""
    identity = f"{kind}--{uuid5(_OBSERVABLES, rfc8785.dumps(properties).decode())}"
    return {"type": kind, "spec_version": "2.1", "id": identity, **properties}


def marking(tlp: Tlp) -> Object:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKINGS[tlp],
        "created": _TLP_CREATED,
        "name": f"TLP:{tlp}",
        "extensions": {
            _TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp.lower()}
        },
    }


EXERCISE: Final[Object] = {
    "type": "marking-definition",
    "spec_version": "2.1",
    "id": name("marking-definition", BANNER),
    "created": moment(SHARED_SINCE_MS),
    "definition_type": "statement",
    "definition": {"statement": BANNER},
}
"""Marks what is of an exercise."""


def shared(kind: str, key: str, tlp: Tlp, producer: str | None, /, **properties: Any) -> Object:
    """An object that campaigns have in common: an organisation, a country.

    Its marking is that of the campaign it comes with; and a stricter one makes a later version, so
    that of two the stricter stands, and no version has two contents.
    """
    identity = name(kind, key)
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": identity,
        **({"created_by_ref": producer} if producer else {}),
        "created": moment(SHARED_SINCE_MS),
        "modified": moment(SHARED_SINCE_MS + tlp.strictness),
        "object_marking_refs": [MARKINGS[tlp]],
        **properties,
    }


def tlp_of(one: Object) -> Tlp | None:
    """By its marking; None of an object that has none of these."""
    for reference in one.get("object_marking_refs", ()):
        if reference in _MARKED:
            return _MARKED[reference]
    return None


def united(objects: Iterable[Object]) -> list[Object]:
    """Each id once, in the order of a bundle. Of two of one id the stricter stands."""
    found: dict[str, Object] = {}
    for one in objects:
        known = found.get(one["id"])
        if known is None or _newer(known) < _newer(one):
            found[one["id"]] = one
    return sorted(found.values(), key=lambda one: (_RANK[one["type"]], one["id"]))


def _newer(one: Object) -> tuple[str, int]:
    tlp = tlp_of(one)
    return one.get("modified", ""), -1 if tlp is None else tlp.strictness
