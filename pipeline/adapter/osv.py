"""OSV: records of its database, and what osv-scanner found with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from packageurl import PackageURL

from pipeline.adapter.advisory import (
    Package,
    Statement,
    choose,
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

_TABLES = tables(Row("modified", "time", iso), Row("published", "time", iso))
_SHAPE = Shape(
    _TABLES,
    (
        *("id", "aliases", "summary", "withdrawn", "affected", "results"),
        *("database_specific", "schema_version"),
    ),
)
# OSV's ecosystems whose packages a purl can name, by the purl's type.
_TYPES = {
    "npm": "npm", "pypi": "pypi", "crates.io": "cargo", "go": "golang", "maven": "maven",
    "nuget": "nuget", "packagist": "composer", "rubygems": "gem", "hex": "hex", "pub": "pub",
    "debian": "deb", "ubuntu": "deb", "alpine": "apk", "hackage": "hackage", "cran": "cran",
    "swifturl": "swift", "github actions": "githubactions", "red hat": "rpm",
    "rocky linux": "rpm", "almalinux": "rpm", "suse": "rpm", "opensuse": "rpm",
}  # fmt: skip
_DISTRIBUTIONS = {"debian": "debian", "ubuntu": "ubuntu", "alpine": "alpine", "red hat": "redhat",
                  "rocky linux": "rocky-linux", "almalinux": "almalinux", "suse": "suse",
                  "opensuse": "opensuse"}  # fmt: skip


def _purl(package: dict[str, Any], version: str | None) -> str | None:
    """Its own, or one made of ecosystem and name, at that version."""
    own = text_of(package, "purl")
    if own is not None:
        return with_version(own, version) if version else own
    ecosystem = (text_of(package, "ecosystem") or "").partition(":")[0].lower()
    name = text_of(package, "name")
    kind = _TYPES.get(ecosystem)
    if kind is None or name is None:
        return None
    above, _, last = name.rpartition(":" if kind == "maven" else "/")
    try:
        return PackageURL(
            kind, above or _DISTRIBUTIONS.get(ecosystem), last, version or None
        ).to_string()
    except ValueError:
        return None


def _packages(record: dict[str, Any]) -> Iterator[Package]:
    """A package for each version that is listed; one without a version where none is."""
    for one in objects(record.get("affected")):
        package = one.get("package")
        if type(package) is not dict:
            continue
        name = text_of(package, "name") or "unknown"
        for version in texts(one.get("versions")) or [""]:
            yield Package(name, version or "unknown", _purl(package, version or None))


def _record(record: dict[str, Any], packages: list[Package]) -> Statement:
    own = record.get("database_specific")
    severity = text_of(own, "severity") if type(own) is dict else None
    withdrawn = text_of(record, "withdrawn")
    id_ = text_of(record, "id") or "unknown"
    aliases = texts(record.get("aliases"))
    if withdrawn is not None:
        return Statement("withdrawn", id_, aliases, packages, why=f"withdrawn at {withdrawn}")
    return Statement("affected", id_, aliases, packages, text_of(record, "summary"), severity)


def _scanned(results: Any) -> Iterator[Statement]:
    """What a scan found: the installed version of a package, and each record that concerns it."""
    for source in objects(results):
        for found in objects(source.get("packages")):
            package = found.get("package")
            if type(package) is not dict:
                continue
            version = text_of(package, "version")
            purl = _purl(package, version)
            installed = Package(text_of(package, "name") or "unknown", version or "unknown", purl)
            for record in objects(found.get("vulnerabilities")):
                yield _record(record, [installed])


_FIELDS = ("id", "aliases", "summary", "withdrawn", "affected", "database_specific")


def _each(document: Fields) -> Sequence[Fields | Problem]:
    if document.results is not None:
        return records(document, _scanned(document.results))
    if type(document.id) is not str:
        return [Problem("no OSV record: it has no id")]
    record = {name: getattr(document, name) for name in _FIELDS}
    return records(document, [_record(record, list(_packages(record)))])


OSV = Format(
    name="osv",
    also=("osv-scanner",),
    title="OSV",
    product={"name": "OSV", "vendor_name": "OpenSSF"},
    reference="https://ossf.github.io/osv-schema/",
    tables=_TABLES,
    shape=_SHAPE,
    reader=json_reader(_SHAPE, choose(_TABLES), _each, sort="OSV"),
    notes=(
        "A record of the database (malicious packages, `MAL-…`, among them): a finding with each "
        "version that it lists. One that was withdrawn becomes a Base Event, and no indicator.",
        "What `osv-scanner --format json` prints: a finding for each package and record, with the "
        "version that is installed. It names no time and gets `--reference`, now by default.",
        "A package without a purl gets one from its ecosystem and name.",
    ),
    json=True,
    longest=64 << 20,
    of_keys=lambda keys: (
        (
            "modified" in keys
            and "id" in keys
            and ("affected" in keys or "aliases" in keys or "schema_version" in keys)
        )
        or (
            b'"packages"' in bytes(keys.get("results", b""))
            and b'"source"' in bytes(keys["results"])
        )
    ),
)
