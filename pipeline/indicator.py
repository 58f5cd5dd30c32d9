"""An event's indicators, in canonical form. No I/O here.

A value that has no canonical form yields no indicator and is counted; its event stays good.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.canonical import (
    canonical_cve,
    canonical_domain,
    canonical_fingerprint,
    canonical_hash,
    canonical_ip,
    canonical_purl,
    canonical_text,
    canonical_url,
    is_pseudonym,
)
from pipeline.event import Event
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

Indicator = tuple[str, str]
"""(type, canonical value)"""

_HASH_BY_ALGORITHM = {1: (MD5, 32), 2: (SHA1, 40), 3: (SHA256, 64)}
_HASH_BY_LENGTH = {32: MD5, 40: SHA1, 64: SHA256}


def _never(_: str) -> str | None:
    return None


def _observed_hash(text: str) -> Indicator | None:
    kind = _HASH_BY_LENGTH.get(len(text))
    value = canonical_hash(text, len(text)) if kind else None
    return (kind, value) if kind and value else None


_OBSERVED: dict[int, tuple[str, Callable[[str], str | None]]] = {
    1: (DOMAIN, canonical_domain),
    2: (IP, canonical_ip),
    6: (URL, canonical_url),
    18: (CVE, canonical_cve),
    # In clear these two stand in fields of their own; only pseudonyms of them come here.
    16: (USER_AGENT, _never),
    19: (CREDENTIAL, _never),
}


def indicators(event: Event) -> tuple[list[Indicator], int]:
    """An event's indicators, and how many of its values have no canonical form.

    An indicator that the event names twice may come twice.
    """
    found: list[Indicator] = []
    given = 0  # values that ought to have become an indicator

    if (source := event.src_endpoint) is not None and source.ip:
        given += 1
        if value := canonical_ip(source.ip):
            found.append((IP, value))
    if (query := event.query) is not None and query.hostname:
        given += 1
        if value := canonical_domain(query.hostname):
            found.append((DOMAIN, value))
    if (request := event.http_request) is not None:
        if (url := request.url) is not None:
            if url.hostname:
                given += 1
                if value := canonical_domain(url.hostname):
                    found.append((DOMAIN, value))
            if url.url_string:
                given += 1
                if value := canonical_url(url.url_string):
                    found.append((URL, value))
        if request.user_agent:
            given += 1
            if value := canonical_text(request.user_agent):
                found.append((USER_AGENT, value))
    if (tls := event.tls) is not None:
        if tls.sni:
            given += 1
            if value := canonical_domain(tls.sni):
                found.append((DOMAIN, value))
        if tls.ja3_hash is not None and tls.ja3_hash.value:
            given += 1
            if value := canonical_fingerprint(tls.ja3_hash.value):
                found.append((JA3, value))
    if (file := event.file) is not None:
        if file.url is not None and file.url.url_string:
            given += 1
            if value := canonical_url(file.url.url_string):
                found.append((URL, value))
        for digest in file.hashes or ():
            if digest.value and digest.algorithm_id in _HASH_BY_ALGORITHM:
                kind, length = _HASH_BY_ALGORITHM[digest.algorithm_id]
                given += 1
                if value := canonical_hash(digest.value, length):
                    found.append((kind, value))
    if event.user is not None and event.user.credential_uid:
        given += 1
        if value := canonical_text(event.user.credential_uid):
            found.append((CREDENTIAL, value))
    if (hassh := event.client_hassh) is not None:  # noqa: SIM102 - one question a line
        if hassh.fingerprint is not None and hassh.fingerprint.value:
            given += 1
            if value := canonical_fingerprint(hassh.fingerprint.value):
                found.append((HASSH, value))
    for ja4 in event.ja4_fingerprint_list or ():
        if ja4.type_id == 1 and ja4.value:
            given += 1
            if value := canonical_fingerprint(ja4.value):
                found.append((JA4, value))
    for vulnerability in event.vulnerabilities or ():
        if vulnerability.cve is not None and vulnerability.cve.uid:
            given += 1
            if value := canonical_cve(vulnerability.cve.uid):
                found.append((CVE, value))
        for package in vulnerability.affected_packages or ():
            if package.purl:
                given += 1
                if value := canonical_purl(package.purl):
                    found.append((PURL, value))
    for observable in event.observables or ():
        if not observable.value:
            continue
        if observable.type_id == 8:
            given += 1
            if observed := _observed_hash(observable.value):
                found.append(observed)
        elif observable.type_id in _OBSERVED:
            kind, canonical = _OBSERVED[observable.type_id]
            if is_pseudonym(observable.value):
                given += 1
                if kind != CVE:
                    found.append((kind, observable.value))
            elif canonical is not _never:
                given += 1
                if value := canonical(observable.value):
                    found.append((kind, value))
    return found, given - len(found)
