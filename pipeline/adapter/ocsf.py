"""OCSF events of any class, version 1.1 or later: taken as they are.

What correlation reads is checked as intake will; the rest is passed on. The sensor is set, and an
event without an id gets one. What findings say of files, packages and their signers at places that
correlation does not read, observables say again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from pipeline.adapter import value
from pipeline.adapter.format import NOT_JSON, Format, Options, Read, has
from pipeline.adapter.table import Problem, Shape

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII).match


# Where findings name files and packages: these lead down to `hashes`, `hash` and `fingerprints`.
_DOWN = (
    *("vulnerabilities", "affected_packages", "affected_code", "evidences", "malware", "files"),
    *("file", "process", "package", "signature", "certificate", "application", "sbom", "resources"),
)
_DEEPEST = 8


def _digests(at: Any, depth: int = 0) -> Iterator[str]:
    """MD5, SHA-1 and SHA-256 below an object, of files, packages and signers' certificates."""
    if isinstance(at, list):
        for one in at[: value.MAX_LIST]:
            yield from _digests(one, depth)
    if not isinstance(at, dict) or depth > _DEEPEST:
        return
    for key in ("hash", "hashes", "fingerprints"):
        listed = at.get(key)
        for one in listed[: value.MAX_LIST] if isinstance(listed, list) else [listed]:
            if isinstance(one, dict) and value.digest(one.get("value")):
                yield one["value"].lower()
    for key in _DOWN:
        if key in at:
            yield from _digests(at[key], depth + 1)


def _observe(event: dict[str, Any]) -> None:
    """To the observables, those digests that correlation would not read where they are."""
    listed = event.setdefault("observables", [])
    if not isinstance(listed, list):
        return
    known = {one.get("value") for one in listed if isinstance(one, dict) and _hashable(one)}
    file = event.get("file")
    if isinstance(file, dict):
        known |= {*_digests({"hashes": file.get("hashes")})}
    found = [one for one in dict.fromkeys(_digests(event)) if one not in known]
    listed += [{"name": "hash", "type_id": 8, "value": one} for one in found[: value.MAX_LIST]]
    if not listed:
        del event["observables"]


def _hashable(observable: dict[str, Any]) -> bool:
    return isinstance(observable.get("value"), str)


def _entire(raw: bytes) -> dict[str, Any] | Problem:
    try:
        event = _decode(raw)
    except msgspec.ValidationError as error:
        return Problem(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Problem(f"{NOT_JSON}: {error}")
    except RecursionError:
        return Problem("nested deeper than 64 levels")
    if "class_uid" not in event:
        return Problem("class_uid: missing, and every OCSF event has one")
    metadata = event.get("metadata")
    version = metadata.get("version") if isinstance(metadata, dict) else None
    match = _VERSION(version) if isinstance(version, str) else None
    if match and (int(match[1]), int(match[2])) < (1, 1):
        return Problem(f"metadata.version: {match[0]}; OCSF from 1.1 on is taken")
    _observe(event)
    return event


def _no_table(_: Options) -> Read:
    return lambda _: ()


OCSF = Format(
    name="ocsf",
    title="OCSF",
    product={},
    reference="https://schema.ocsf.io/1.5.0/",
    tables=(),
    shape=Shape(()),
    reader=_no_table,
    entire=_entire,
    notes=(
        "Every attribute stays as it is, save `device.uid`, which becomes the sensor (what it was "
        "goes to `device.uid_alt`), and `metadata.uid`, which is added where it is missing.",
        "Hashes that findings give of affected files and packages, and fingerprints of the "
        "certificates that signed them, are said again as observables of the kind hash. Sightline "
        "has no indicator type of its own for certificates: one is found as the `sha256`, `sha1` "
        "or `md5` that its fingerprint is.",
    ),
    json=True,
    of_keys=has("class_uid", "metadata", "time"),
)
