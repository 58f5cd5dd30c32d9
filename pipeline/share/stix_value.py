"""An indicator in STIX: the pattern that finds it, and what it is, where STIX has a word. No I/O.

ip, domain, url, md5 … sha256   a pattern, and the observable
user_agent                      a pattern on the request's header
ja3, ja4, hassh, credential     a pattern on our extension's properties: STIX has none
purl                            a pattern on the software's name and version; the purl itself
                                is an external reference
cve                             a vulnerability; for who must have a pattern, our extension's
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import idna
from msgspec import Struct
from packageurl import PackageURL

from pipeline.indicator_type import (
    CREDENTIAL,
    CVE,
    DOMAIN,
    HASSH,
    IP,
    JA3,
    JA4,
    MD5,
    PURL,
    SHA1,
    SHA256,
    URL,
    USER_AGENT,
)
from pipeline.share.stix_object import Object, name, observable
from pipeline.share.uri import uri

EXTENSION: Final = name("extension-definition", "fingerprints")
"""Ours, for what STIX has no property for."""
EXTENDED: Final = frozenset({JA3, JA4, HASSH, CREDENTIAL, CVE})
_HASHES = {MD5: "MD5", SHA1: "SHA-1", SHA256: "SHA-256"}

EXTENSION_SCHEMA: Final = (
    "Of network-traffic: ja3, ja4 and hassh, strings, are the fingerprints of the client's TLS or "
    "SSH handshake, in lower case. Of user-account: credential is `sha256:` and the lower-case hex "
    "of SHA-256 over user name, a zero byte and password, as tried in an attack. Of software: cve "
    "is the id of a vulnerability that was attacked."
)


class Put(Struct, frozen=True):
    """An indicator as STIX puts it. `vulnerable`: the name of the vulnerability that it is."""

    pattern: str
    vulnerable: str | None = None
    observable: Object | None = None
    references: tuple[dict[str, str], ...] = ()


def put(kind: str, value: str) -> Put:
    """Of an indicator of one of `INDICATOR_TYPES`, in canonical form."""
    return _PUT[kind](value)


# What breaks a line, or is read as an end, by some who read patterns.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_REGULAR = re.compile(r"([\\^$.|?*+()\[\]{}/-])")


def equals(path: str, text: str) -> str:
    """A comparison that holds for this text only.

    With control characters in it, by a regular expression in which they are written out.
    """
    if not _CONTROL.search(text):
        return f"{path} = {_literal(text)}"
    whole = _CONTROL.sub(_escape, _REGULAR.sub(r"\\\1", text))
    return f"{path} MATCHES {_literal(f'^{whole}$')}"


def _escape(control: re.Match[str]) -> str:
    return f"\\x{{{ord(control[0]):02x}}}"


def _literal(text: str) -> str:
    """A string constant of the patterning language."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _plain(kind: str, value: str) -> Put:
    return Put(f"[{equals(f'{kind}:value', value)}]", observable=observable(kind, value=value))


def _domain(value: str) -> Put:
    """Names with underscores are asked for and answered, but are no host names: a pattern only."""
    try:
        idna.encode(value)
    except UnicodeError:  # idna's errors are of this kind
        return Put(f"[{equals('domain-name:value', value)}]")
    return _plain("domain-name", value)


def _url(value: str) -> Put:
    written = uri(value)
    return Put(f"[{equals('url:value', value)}]") if written is None else _plain("url", written)


def _address(value: str) -> Put:
    return _plain("ipv6-addr" if ":" in value else "ipv4-addr", value)


def _file(algorithm: str) -> Callable[[str], Put]:
    key = algorithm if algorithm.isalnum() else f"'{algorithm}'"

    def of(value: str) -> Put:
        return Put(
            f"[{equals(f'file:hashes.{key}', value)}]",
            observable=observable("file", hashes={algorithm: value}),
        )

    return of


def _extended(kind: str, property_: str) -> Callable[[str], Put]:
    def of(value: str) -> Put:
        path = f"{kind}:extensions.'{EXTENSION}'.{property_}"
        return Put(f"[{equals(path, value)}]")

    return of


def _user_agent(value: str) -> Put:
    header = "extensions.'http-request-ext'.request_header.'User-Agent'"
    return Put(f"[{equals(f'network-traffic:{header}', value)}]")


def _package(value: str) -> Put:
    references = ({"source_name": "purl", "external_id": value},)
    try:
        package = PackageURL.from_string(value)
    except ValueError:
        return Put(f"[{equals('software:name', value)}]", references=references)
    whole = f"{package.namespace}/{package.name}" if package.namespace else package.name
    known: dict[str, Any] = {"name": whole}
    if package.version:
        known["version"] = package.version
    pattern = " AND ".join(equals(f"software:{key}", text) for key, text in known.items())
    return Put(f"[{pattern}]", observable=observable("software", **known), references=references)


def _vulnerability(value: str) -> Put:
    pattern = _extended("software", CVE)(value).pattern
    return Put(pattern, value, references=({"source_name": "cve", "external_id": value},))


_PUT: Final[dict[str, Callable[[str], Put]]] = {
    IP: _address,
    DOMAIN: _domain,
    URL: _url,
    **{kind: _file(algorithm) for kind, algorithm in _HASHES.items()},
    **{kind: _extended("network-traffic", kind) for kind in (JA3, JA4, HASSH)},
    CREDENTIAL: _extended("user-account", CREDENTIAL),
    USER_AGENT: _user_agent,
    CVE: _vulnerability,
    PURL: _package,
}
