"""Indicators of STIX 2.1 (and 2.0) to watches. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.adapter.instant import Clock, iso
from pipeline.canonical import CANONICAL
from pipeline.indicator import Indicator
from pipeline.indicator_type import CVE, PURL
from pipeline.intel import pattern as patterns
from pipeline.intel.reading import Reading, Terms, Why
from pipeline.share.tlp import (
    UNLABELLED_TLP,
    Pap,
    Tlp,
    pap_of,
    strictest_pap,
    strictest_tlp,
    tlp_of,
)

_MARKINGS = {
    # TLP 2.0
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR,
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER,
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": Tlp.RED,
    # TLP 1
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
_NO_CLOCK = Clock(0)
_NAMED = {"purl": PURL, "cve": CVE}
"""Names of external references that are the indicator itself."""

Object = Mapping[str, Any]


def read(objects: Iterable[object], terms: Terms) -> Reading:
    """What the indicators among some objects of STIX come to; the others are passed over."""
    given: list[Object] = [one for one in objects if isinstance(one, dict)]
    markings = dict(_MARKINGS)
    for one in given:
        if one.get("type") == "marking-definition" and (tlp := _marked(one)) is not None:
            markings.setdefault(str(one.get("id")), tlp)
    reading = Reading(terms)
    for one in _newest(given):
        _read(one, markings, reading)
    return reading


def _newest(objects: Iterable[Object]) -> Iterable[Object]:
    """Of each indicator the newest version, in the order of their ids' coming."""
    found: dict[str, Object] = {}
    for one in objects:
        if one.get("type") == "indicator":
            name = str(one.get("id"))
            before = found.get(name)
            if before is None or _time(before, "modified") <= _time(one, "modified"):
                found[name] = one
    return found.values()


def _time(one: Object, key: str) -> int:
    return iso(one.get(key), _NO_CLOCK) or 0


def _marked(marking: Object) -> Tlp | None:
    extensions, definition = marking.get("extensions"), marking.get("definition")
    said = [definition.get("tlp")] if isinstance(definition, dict) else []
    if isinstance(extensions, dict):
        said += [one.get("tlp_2_0") for one in extensions.values() if isinstance(one, dict)]
    return next((tlp for text in said if isinstance(text, str) and (tlp := tlp_of(text))), None)


def _texts(one: Object, key: str) -> list[str]:
    found = one.get(key)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _tlp(one: Object, markings: Mapping[str, Tlp], terms: Terms) -> Tlp:
    references = _texts(one, "object_marking_refs")
    granular = one.get("granular_markings")
    for part in granular if isinstance(granular, list) else ():
        if isinstance(part, dict) and isinstance(part.get("marking_ref"), str):
            references.append(part["marking_ref"])
    said = [tlp for text in _texts(one, "labels") if (tlp := tlp_of(text)) and ":" in text]
    # A marking that is not there to be read may say anything.
    said += [markings.get(each, UNLABELLED_TLP) for each in references]
    return strictest_tlp(said) if said else terms.tlp


def _pap(one: Object, terms: Terms) -> Pap:
    said = [
        pap
        for text in _texts(one, "labels")
        if text.upper().startswith("PAP:") and (pap := pap_of(text))
    ]
    return strictest_pap(said) if said else terms.pap


def _read(one: Object, markings: Mapping[str, Tlp], reading: Reading) -> None:
    name, pattern = one.get("id"), one.get("pattern")
    if not isinstance(name, str) or not isinstance(pattern, str):
        reading.refuse(str(name), Why.MALFORMED, "an indicator without id or pattern")
        return
    reading.looked_at(name)
    if one.get("revoked") is True:
        return
    if one.get("pattern_type", "stix") != "stix":
        reading.refuse(name, Why.NOT_STIX, str(one["pattern_type"]))
        return
    until = one.get("valid_until")
    valid_until = None if until is None else iso(until, _NO_CLOCK)
    valid_from = iso(one.get("valid_from"), _NO_CLOCK)
    if valid_from is None or (until is not None and valid_until is None):
        reading.refuse(name, Why.MALFORMED, "valid_from or valid_until is no timestamp")
        return
    found = list(_named(one))
    if not found:
        try:
            found, refused = patterns.read(pattern)
        except patterns.NotReadable as error:
            reading.refuse(name, error.why, str(error))
            return
        for why, detail in refused:
            reading.refuse(name, why, detail)
    sure = one.get("confidence")
    reading.add(
        name,
        found,
        tlp=_tlp(one, markings, reading.terms),
        pap=_pap(one, reading.terms),
        confidence=sure if type(sure) is int and 0 <= sure <= 100 else None,
        valid_from=max(valid_from, 0),
        valid_until=valid_until,
        changed=_time(one, "modified"),
    )


def _named(one: Object) -> Iterator[Indicator]:
    """Packages and vulnerabilities, for which patterns have no property of their own."""
    references = one.get("external_references")
    for reference in references if isinstance(references, list) else ():
        if not isinstance(reference, dict):
            continue
        kind, text = _NAMED.get(str(reference.get("source_name"))), reference.get("external_id")
        if kind and isinstance(text, str) and (value := CANONICAL[kind](text)):
            yield kind, value
