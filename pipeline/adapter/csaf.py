"""CSAF 2.0 and 2.1 advisories and VEX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
)
from pipeline.adapter.format import Format, json_reader
from pipeline.adapter.instant import iso
from pipeline.adapter.table import Fields, Problem, Row, Shape

_TABLES = tables(
    Row("document.tracking.current_release_date", "time", iso),
    Row("document.tracking.initial_release_date", "time", iso),
)
_SHAPE = Shape(
    _TABLES,
    (
        *("document.csaf_version", "document.tracking.id", "product_tree", "vulnerabilities"),
        "document.aggregate_severity.text",
    ),
)
# A vulnerability's `product_status` by what it means here.
_STATUS = {
    "known_affected": "affected", "first_affected": "affected", "last_affected": "affected",
    "known_not_affected": "not_affected", "fixed": "fixed", "first_fixed": "fixed",
    "under_investigation": "under_investigation", "unknown": "under_investigation",
}  # fmt: skip
_MOST = 100_000  # branches of one tree: a bound before any work


def _products(tree: dict[str, Any]) -> Iterator[tuple[str, Package]]:
    """By its id, each product that the tree names."""
    for one in objects(tree.get("full_product_names")):
        yield from _product(one, "unknown")
    waiting = [(branch, "unknown") for branch in objects(tree.get("branches"))]
    for _ in range(_MOST):
        if not waiting:
            break
        branch, version = waiting.pop()
        if branch.get("category") == "product_version":
            version = text_of(branch, "name") or version
        if type(branch.get("product")) is dict:
            yield from _product(branch["product"], version)
        waiting += [(below, version) for below in objects(branch.get("branches"))]


def _product(one: dict[str, Any], version: str) -> Iterator[tuple[str, Package]]:
    id_ = text_of(one, "product_id")
    if id_ is None:
        return
    known = one.get("product_identification_helper")
    known = known if type(known) is dict else {}
    purls = [text_of(known, "purl"), *texts(known.get("purls"))]
    hashes = tuple(
        digest
        for of in objects(known.get("hashes"))
        for digest in digests(of.get("file_hashes"), "algorithm", "value")
    )
    purl = next((purl for purl in purls if purl), None)
    yield id_, Package(text_of(one, "name") or id_, version, purl, hashes)


def _named(document: Fields) -> dict[str, Package]:
    tree = document.product_tree if type(document.product_tree) is dict else {}
    products = dict(_products(tree))
    for one in objects(tree.get("relationships")):  # a component as part of a product
        whole = one.get("full_product_name")
        part = products.get(text_of(one, "product_reference") or "")
        if type(whole) is dict and (id_ := text_of(whole, "product_id")) is not None:
            name = text_of(whole, "name") or id_
            own = part or Package(name)
            products[id_] = Package(name, own.version, own.purl, own.hashes)
    return products


def _statements(document: Fields) -> Iterator[Statement]:
    products = _named(document)
    severity = document.document.aggregate_severity
    for one in objects(document.vulnerabilities):
        ids = [name for of in objects(one.get("ids")) if (name := text_of(of, "text"))]
        id_ = text_of(one, "cve") or (ids[0] if ids else None) or text_of(one, "title") or "unknown"
        status = one.get("product_status")
        status = status if type(status) is dict else {}
        by_meaning: dict[str, dict[str, None]] = {}
        for key, meaning in _STATUS.items():
            by_meaning.setdefault(meaning, {}).update(dict.fromkeys(texts(status.get(key))))
        for meaning, of in by_meaning.items():
            if not of:
                continue
            packages = [products.get(product, Package(product)) for product in of]
            yield Statement(
                meaning,
                id_,
                ids,
                packages,
                text_of(one, "title"),
                severity.text if severity is not None else None,
                None if meaning == "affected" else _why(one, of),
            )


def _why(vulnerability: dict[str, Any], products: dict[str, None]) -> str | None:
    """The justification that a flag, or else a threat's text, gives for these products."""
    flags = objects(vulnerability.get("flags"))
    impacts = [
        one for one in objects(vulnerability.get("threats")) if one.get("category") == "impact"
    ]
    for listed, key in ((flags, "label"), (impacts, "details")):
        for one in listed:
            named = texts(one.get("product_ids"))
            if not named or any(product in products for product in named):
                return text_of(one, key)
    return None


def _each(document: Fields) -> Sequence[Fields | Problem]:
    if document.document is None or document.document.csaf_version is None:
        return [Problem("no CSAF document: it has no document.csaf_version")]
    return records(document, _statements(document))


CSAF = Format(
    name="csaf",
    also=("csaf-vex", "vex"),
    title="CSAF",
    product={"name": "CSAF", "vendor_name": "OASIS"},
    reference="https://docs.oasis-open.org/csaf/csaf/v2.0/csaf-v2.0.html",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, choose(_TABLES), _each, sort="CSAF"),
    notes=(
        "For each vulnerability a finding with the products that are affected, by purl and by the "
        "hashes of their files where the product tree has them.",
        "Products that are not affected, fixed, or under investigation become a Base Event each, "
        "with the justification that was given, and no indicator.",
        "Send what concerns you: an advisory that all who read it send on is seen everywhere.",
    ),
    json=True,
    longest=64 << 20,
    of_keys=lambda keys: b'"csaf_version"' in bytes(keys.get("document", b"")),
)
