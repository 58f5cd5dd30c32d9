"""OpenVEX: whether a product is affected, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.adapter.advisory import (
    Package,
    Statement,
    choose,
    objects,
    records,
    tables,
    text_of,
    texts,
)
from pipeline.adapter.format import Format, json_reader
from pipeline.adapter.instant import iso
from pipeline.adapter.table import Fields, Problem, Row, Shape

_TABLES = tables(Row("last_updated", "time", iso), Row("timestamp", "time", iso))
_SHAPE = Shape(_TABLES, ("@context", "statements"))
_HASHES = {"md5", "sha1", "sha-1", "sha256", "sha-256"}


def _packages(products: Any) -> Iterator[Package]:
    """Products are objects, and were texts once. The parts of one are what is affected in it."""
    listed = products if type(products) is list else []
    for one in listed:
        product = {"@id": one} if type(one) is str else one if type(one) is dict else {}
        parts = objects(product.get("subcomponents"))
        for part in parts or [product]:
            known = part.get("identifiers")
            known = known if type(known) is dict else {}
            id_ = text_of(part, "@id") or "unknown"
            purl = text_of(known, "purl") or (id_ if id_.startswith("pkg:") else None)
            hashes = part.get("hashes")
            found = hashes.items() if type(hashes) is dict else ()
            yield Package(
                id_,
                purl=purl,
                hashes=tuple(texts([of for name, of in found if name.lower() in _HASHES])),
            )


def _statements(document: Fields) -> Iterator[Statement]:
    for one in objects(document.statements):
        of = one.get("vulnerability")
        named = of if type(of) is dict else {"name": of}
        aliases = texts(named.get("aliases"))
        id_ = text_of(named, "name") or text_of(named, "@id") or "unknown"
        why = text_of(one, "justification") or text_of(one, "impact_statement")
        status = text_of(one, "status") or "under_investigation"
        yield Statement(status, id_, aliases, list(_packages(one.get("products"))), why=why)


def _each(document: Fields) -> Sequence[Fields | Problem]:
    if type(document.statements) is not list:
        return [Problem("no OpenVEX document: it has no statements")]
    return records(document, _statements(document))


OPENVEX = Format(
    name="openvex",
    title="OpenVEX",
    product={"name": "OpenVEX", "vendor_name": "OpenSSF"},
    reference="https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, choose(_TABLES), _each, sort="OpenVEX"),
    notes=(
        "A statement `affected` becomes a finding; `not_affected`, `fixed` and "
        "`under_investigation` a Base Event with the justification, and no indicator.",
    ),
    json=True,
    longest=64 << 20,
    of_keys=lambda keys: b"openvex" in bytes(keys.get("@context", b"")) and "statements" in keys,
)
