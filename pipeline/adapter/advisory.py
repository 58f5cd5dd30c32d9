"""What bills of materials, advisories and VEX say, on one footing: is a package affected?

A statement that something is wrong becomes a Vulnerability Finding, whose packages and CVEs are
indicators. One that nothing is (not affected, fixed, withdrawn, not yet known) becomes a Base Event
that says so and names no indicator: it is there to be counted, and to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from packageurl import PackageURL

from pipeline.adapter import value
from pipeline.adapter.table import Fields, Row, Table

PACKAGES_AT_ONCE = 200
"""Packages of one finding; of more, another finding follows."""

_AFFECTED = "affected"
_ALGORITHMS = {"md5", "sha1", "sha256"}
_SEVERITY = value.coded({"none": 1, "info": 1, "informational": 1, "low": 2, "medium": 3,
                         "moderate": 3, "high": 4, "critical": 5}, 0)  # fmt: skip


class Package(Struct, frozen=True):
    """A package of one version, by its purl where it has one; `hashes` are of its file."""

    name: str
    version: str = "unknown"
    purl: str | None = None
    hashes: tuple[str, ...] = ()


class Statement(Struct, frozen=True):
    """What is said of one weakness: `status` is "affected", or why there is no finding."""

    status: str
    id: str
    aliases: Sequence[str] = ()
    packages: Sequence[Package] = ()
    title: str | None = None
    severity: str | None = None
    why: str | None = None
    """Of no finding: the reason that was given."""


def _cves(names: Iterable[str]) -> list[str]:
    found = value.cves(list(names)) or []
    return [one["value"] for one in found]


def _vulnerabilities(id_: Any, aliases: Any, packages: Any) -> list[dict[str, Any]] | None:
    """One for each CVE; of what has none, one by its own id."""
    if type(id_) is not str or not id_:
        return None
    affected = [
        {"name": one.name[:256] or "unknown", "version": one.version[:256] or "unknown"}
        | ({"purl": one.purl} if one.purl else {})
        for one in packages or ()
    ]
    named: list[dict[str, Any]] = [{"cve": {"uid": cve}} for cve in _cves([id_, *(aliases or ())])]
    named = named or [{"advisory": {"uid": id_[:256]}}]
    if affected:
        named[0]["affected_packages"] = affected
    return named


def _hashes(packages: Any) -> list[dict[str, Any]] | None:
    found = {digest: None for one in packages or () for digest in one.hashes}
    return [
        {"name": "hash", "type_id": 8, "value": digest}
        for digest in list(found)[: value.MAX_LIST]
        if value.digest(digest)
    ] or None


def _title(title: Any, id_: Any) -> str | None:
    return value.text(title) or value.text(id_)


def _message(status: Any, id_: Any, packages: Any, why: Any) -> str | None:
    """In words, for whoever asks why there is no finding. A purl in it is no indicator."""
    if status is None:
        return None
    of = ", ".join((one.purl or f"{one.name} {one.version}") for one in (packages or ())[:8])
    reason = f": {why}" if type(why) is str and why else ""
    return value.text(f"no finding: {id_} is {status}{f' in {of}' if of else ''}{reason}")


def tables(*times: Row) -> tuple[Table, Table]:
    """The two tables of a format whose documents are dated by these rows."""
    finding = Table(
        "finding",
        2002,
        1,
        (
            *times,
            Row("said[].id", "finding_info.uid", value.text),
            Row(("said[].title", "said[].id"), "finding_info.title", _title),
            Row(
                ("said[].id", "said[].aliases", "said[].packages"),
                "vulnerabilities[]",
                _vulnerabilities,
            ),
            Row("said[].packages", "observables[]", _hashes),
            Row("said[].severity", "severity_id", _SEVERITY),
        ),
        undated=True,
    )
    nothing = Table(
        "no finding",
        0,
        0,
        (
            *times,
            Row(
                ("said[].status", "said[].id", "said[].packages", "said[].why"),
                "message",
                _message,
            ),
            Row("said[].status", "unmapped.vex", value.text),
            Row("said[].id", "unmapped.vulnerability", value.text),
            Row("said[].why", "unmapped.justification", value.text),
        ),
        undated=True,
    )
    return finding, nothing


def choose(of: tuple[Table, Table]) -> Callable[[Fields], Table | None]:
    """Of a record with a statement, its table; None of a document that says nothing."""

    def chosen(record: Fields) -> Table | None:
        if record.said___status is None:
            return None
        return of[0] if record.said___status == _AFFECTED else of[1]

    return chosen


def records(document: Fields, said: Iterable[Statement]) -> list[Fields]:
    """The document once for each statement; once more for each so many packages of one."""
    return [
        replace(
            document,
            said___status=one.status,
            said___id=one.id,
            said___aliases=one.aliases,
            said___packages=one.packages[at : at + PACKAGES_AT_ONCE],
            said___title=one.title,
            said___severity=one.severity,
            said___why=one.why,
        )
        for one in said
        for at in range(0, max(1, len(one.packages)), PACKAGES_AT_ONCE)
    ]


def digests(listed: Any, algorithm: str, content: str) -> tuple[str, ...]:
    """Of a list of objects, the hashes of the kinds that are indicators."""
    return tuple(
        one[content].lower()
        for one in objects(listed)
        if type(one.get(content)) is str
        and type(one.get(algorithm)) is str
        and one[algorithm].lower().replace("-", "") in _ALGORITHMS
    )


def with_version(purl: str | None, version: str) -> str | None:
    """A purl at this version: of one that names another, or none, the same package."""
    if purl is None:
        return None
    try:
        parts = PackageURL.from_string(purl)
        if parts.version == version:
            return purl
        return PackageURL(
            parts.type, parts.namespace, parts.name, version, parts.qualifiers, parts.subpath
        ).to_string()
    except ValueError:
        return None


def objects(listed: Any) -> list[dict[str, Any]]:
    return [one for one in listed if type(one) is dict] if type(listed) is list else []


def texts(listed: Any) -> list[str]:
    return [one for one in listed if type(one) is str] if type(listed) is list else []


def text_of(record: Mapping[str, Any], key: str) -> str | None:
    return value.text(record.get(key))
