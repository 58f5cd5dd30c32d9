"""CycloneDX in JSON: bills of materials with vulnerabilities, and VEX."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from pipeline.adapter.advisory import (
    Package,
    Statement,
    choose,
    digests,
    objects,
    records,
    tables,
    text_of,
    texts,
    with_version,
)
from pipeline.adapter.format import Format, json_reader
from pipeline.adapter.instant import iso
from pipeline.adapter.table import Fields, Problem, Row, Shape

_TABLES = tables(Row("metadata.timestamp", "time", iso))
_SHAPE = Shape(
    _TABLES, ("bomFormat", "metadata.component", "components", "vulnerabilities", "specVersion")
)
# What VEX says of a weakness that is none here (CycloneDX 1.6, `analysis.state`).
_NOTHING = ("not_affected", "false_positive", "resolved", "resolved_with_pedigree")
_ESCAPED = re.compile(r"%([0-7][0-9A-Fa-f])").sub
_MOST = 100_000  # components of one document: a bound before any work


def _components(document: Fields) -> Iterator[dict[str, Any]]:
    """All of them, nested ones too; the one that the document is about first."""
    main = document.metadata.component if document.metadata is not None else None
    waiting = [*objects([main]), *objects(document.components)]
    for _ in range(_MOST):
        if not waiting:
            return
        one = waiting.pop()
        yield one
        waiting += objects(one.get("components"))


def _package(component: dict[str, Any]) -> Package:
    signature = component.get("signature")
    signers = [signature] if type(signature) is dict else []
    if signers and objects(signers[0].get("signers")):
        signers = objects(signers[0]["signers"])
    return Package(
        text_of(component, "name") or "unknown",
        text_of(component, "version") or "unknown",
        text_of(component, "purl"),
        digests(component.get("hashes"), "alg", "content")
        + tuple(print_ for one in signers if (print_ := _fingerprint(one)) is not None),
    )


def _fingerprint(signature: dict[str, Any]) -> str | None:
    """SHA-256 of the signer's certificate, the first of its path (JSF: base64 of DER)."""
    path = texts(signature.get("certificatePath"))
    try:
        return sha256(b64decode(path[0], validate=True)).hexdigest() if path else None
    except ValueError:
        return None


def _affected(
    vulnerability: dict[str, Any], packages: dict[str, Package]
) -> tuple[list[Package], list[Package]]:
    """Those that it affects, and those that it is said not to."""
    hit: list[Package] = []
    spared: list[Package] = []
    for one in objects(vulnerability.get("affects")):
        ref = text_of(one, "ref") or ""
        if ref.startswith("urn:cdx:"):  # a component of another document
            ref = _ESCAPED(lambda found: chr(int(found[1], 16)), ref.partition("#")[2])
        package = packages.get(ref)
        if package is None:
            package = Package(ref or "unknown", purl=ref if ref.startswith("pkg:") else None)
        versions = objects(one.get("versions"))
        for said in versions:
            version = text_of(said, "version")
            if version is None:  # a range names no version
                continue
            to = spared if said.get("status") == "unaffected" else hit
            purl = with_version(package.purl, version)
            to.append(Package(package.name, version, purl, package.hashes))
        if not any(text_of(said, "version") for said in versions):
            unaffected = bool(versions) and all(s.get("status") == "unaffected" for s in versions)
            (spared if unaffected else hit).append(package)
    return hit, spared


def _statements(document: Fields) -> Iterator[Statement]:
    packages = {
        ref: _package(one)
        for one in _components(document)
        if (ref := text_of(one, "bom-ref") or text_of(one, "purl")) is not None
    }
    for one in objects(document.vulnerabilities):
        id_ = text_of(one, "id") or text_of(one, "bom-ref") or "unknown"
        aliases = [name for also in objects(one.get("references")) if (name := text_of(also, "id"))]
        ratings = texts([rating.get("severity") for rating in objects(one.get("ratings"))])
        analysis = one.get("analysis")
        analysis = analysis if type(analysis) is dict else {}
        state = text_of(analysis, "state")
        hit, spared = _affected(one, packages)
        why = text_of(analysis, "justification") or text_of(analysis, "detail")
        if state in _NOTHING:
            yield Statement(state, id_, aliases, [*hit, *spared], why=why)
            continue
        if hit or not spared:
            severity = ratings[0] if ratings else None
            yield Statement(
                "affected", id_, aliases, hit, text_of(one, "description"), severity, why
            )
        if spared:
            yield Statement("not_affected", id_, aliases, spared, why=why)


def _each(document: Fields) -> Sequence[Fields | Problem]:
    if document.bomFormat != "CycloneDX":
        return [Problem("no CycloneDX document: bomFormat says otherwise")]
    return records(document, _statements(document))


CYCLONEDX = Format(
    name="cyclonedx",
    also=("cdx", "sbom", "cyclonedx-vex"),
    title="CycloneDX",
    product={"name": "CycloneDX", "vendor_name": "OWASP"},
    reference="https://cyclonedx.org/docs/1.6/json/",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, choose(_TABLES), _each, sort="CycloneDX"),
    notes=(
        "A finding for each vulnerability that the document lists, with the packages it affects. "
        "Components without one are inventory, and become nothing: half the world has them.",
        "By VEX's `analysis.state`, `not_affected`, `false_positive`, `resolved` and "
        "`resolved_with_pedigree` become a Base Event that says so, and no indicator.",
        "Hashes of the affected components, and SHA-256 of the certificates that signed them (the "
        "first of `signature.certificatePath`), become observables of the kind hash: Sightline has "
        "no indicator type of its own for certificates.",
        "The time is `metadata.timestamp`; without it `--reference`, now by default.",
    ),
    json=True,
    longest=64 << 20,
    of_keys=lambda keys: b"CycloneDX" in bytes(keys.get("bomFormat", b"")),
)
