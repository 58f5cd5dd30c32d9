"""Attributes of MISP's events to watches: those that are for detection. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.adapter.instant import Clock, any_time
from pipeline.canonical import CANONICAL
from pipeline.indicator import Indicator
from pipeline.indicator_type import CVE, DOMAIN, HASSH, IP, JA3, MD5, SHA1, SHA256, URL, USER_AGENT
from pipeline.intel.reading import Reading, Terms, Why
from pipeline.share.tlp import Pap, Tlp, pap_of, strictest_pap, strictest_tlp, tlp_of

_TYPES = {
    "ip-src": IP,
    "ip-dst": IP,
    "ip": IP,
    "domain": DOMAIN,
    "hostname": DOMAIN,
    "url": URL,
    "uri": URL,
    "md5": MD5,
    "sha1": SHA1,
    "sha256": SHA256,
    "ja3-fingerprint-md5": JA3,
    "hassh-md5": HASSH,
    "user-agent": USER_AGENT,
    "vulnerability": CVE,
}
_BESIDE = {"filename", "port"}
"""Parts of composite types that only say more of the other part."""
_NO_CLOCK = Clock(0)

Object = Mapping[str, Any]


def read(events: Iterable[object], terms: Terms) -> Reading:
    """What the attributes of some events come to, as files and the API have them."""
    reading = Reading(terms)
    for given in events:
        event = given.get("Event", given) if isinstance(given, dict) else None
        if not isinstance(event, dict) or not isinstance(event.get("uuid"), str):
            reading.refuse("", Why.MALFORMED, "no MISP event: it has no Event with a uuid")
            continue
        for attribute, tags in _attributes(event):
            _read(attribute, [*_tags(event), *tags], reading)
    return reading


def _attributes(event: Object) -> Iterator[tuple[Object, list[str]]]:
    for one in _list(event, "Attribute"):
        yield one, _tags(one)
    for of in _list(event, "Object"):
        for one in _list(of, "Attribute"):
            # What was deleted as a whole.
            yield (one | {"deleted": True} if of.get("deleted") is True else one), _tags(one)


def _list(of: Object, key: str) -> list[dict[str, Any]]:
    found = of.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _tags(of: Object) -> list[str]:
    return [one["name"] for one in _list(of, "Tag") if isinstance(one.get("name"), str)]


def _read(one: Object, tags: list[str], reading: Reading) -> None:
    name, kind, value = one.get("uuid"), one.get("type"), one.get("value")
    if not isinstance(name, str) or not isinstance(kind, str) or not isinstance(value, str):
        reading.refuse(str(name), Why.MALFORMED, "an attribute without uuid, type or value")
        return
    reading.looked_at(name)
    if one.get("deleted") is True:
        return
    if one.get("to_ids") is not True:
        reading.refuse(name, Why.NOT_FOR_DETECTION, kind)
        return
    changed = any_time(one.get("timestamp"), _NO_CLOCK) or 0
    ends = any_time(one.get("last_seen"), _NO_CLOCK) if reading.terms.valid_for_ms else None
    reading.add(
        name,
        _indicators(name, kind, value, reading),
        tlp=_tlp(tags, reading.terms),
        pap=_pap(tags, reading.terms),
        valid_from=any_time(one.get("first_seen"), _NO_CLOCK) or changed,
        changed=max(changed, ends or 0),
    )


def _indicators(name: str, kind: str, value: str, reading: Reading) -> list[Indicator]:
    """Of a composite type, `domain|ip`, each part that is an indicator."""
    if kind == "malware-sample":
        kind = "filename|md5"
    kinds = kind.split("|")
    values = value.split("|") if len(kinds) > 1 else [value]
    found: list[Indicator] = []
    for part, text in zip(kinds, values, strict=False):
        if part in _BESIDE:
            continue
        of = _TYPES.get(part)
        if of is None:
            reading.refuse(name, Why.NO_INDICATOR, part)
        elif (canonical := CANONICAL[of](text.strip())) is None:
            reading.refuse(name, Why.NOT_CANONICAL, text)
        else:
            found.append((of, canonical))
    return found


def _tlp(tags: Iterable[str], terms: Terms) -> Tlp:
    said = [tlp for tag in tags if tag.lower().startswith("tlp:") and (tlp := tlp_of(tag))]
    return strictest_tlp(said) if said else terms.tlp


def _pap(tags: Iterable[str], terms: Terms) -> Pap:
    said = [pap for tag in tags if tag.upper().startswith("PAP:") and (pap := pap_of(tag))]
    return strictest_pap(said) if said else terms.pap
