"""An event's indicators in canonical form. No I/O here.

One spelling a thing, so that two countries that saw the same thing say the same. A value that
has no canonical form yields no indicator and is counted; its event stays good.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache, wraps
from socket import AF_INET, inet_pton

import idna
from packageurl import PackageURL

from pipeline.event import Event
from pipeline.indicator_type import INDICATOR_TYPES

MAX_VALUE_CHARACTERS = 2048
MAX_LABEL = 63  # characters of a domain name's label (RFC 1035)
LAST_PORT = 65535
_LONGEST_IP = 64  # characters; the longest that is none of ours has 45 and a zone
# Attacks repeat their values: a bounded memory of canonical forms. Long values are not kept, for
# their number alone would not bound it: whoever sends them chooses how long they are.
_CACHED = 1 << 16
_CACHED_CHARACTERS = 256

(
    IP,
    DOMAIN,
    URL,
    MD5,
    SHA1,
    SHA256,
    JA3,
    JA4,
    HASSH,
    CREDENTIAL,
    USER_AGENT,
    CVE,
    PURL,
) = INDICATOR_TYPES

Indicator = tuple[str, str]
"""(type, canonical value)"""

# First numbers of IPv4 addresses none of which is special: public without a further look.
_PLAIN_IPV4 = frozenset(range(1, 224)) - {10, 100, 127, 169, 172, 192, 198, 203}

# Special-purpose blocks (IANA registries) on which Python's versions disagree, and the site-local
# one, which Python calls global.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(block)
    for block in (
        "192.0.0.0/24",
        "64:ff9b:1::/48",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)

# A label neither begins nor ends with a hyphen. What is taken is kept (`+`): no second try.
_LABEL = r"(?!-)[a-z0-9_-]{1,63}+(?<!-)"
_LABELS = re.compile(rf"(?:{_LABEL}\.)*+{_LABEL}", re.ASCII).fullmatch
# A host whose last label is a number is an IPv4 address in some notation (WHATWG URL).
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)", re.ASCII).fullmatch
_MAY_END_A_NUMBER = frozenset("0123456789abcdefx")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)([^#]*)", re.IGNORECASE | re.ASCII).match
# (?>…): the last @ ends the user, and no other is tried; else an authority of many costs a square.
_AUTHORITY = re.compile(r"((?>.*@)?)(\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?", re.ASCII).fullmatch
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]").search
_DEFAULT_PORTS = {"http": "80", "https": "443", "ftp": "21", "ws": "80", "wss": "443"}
_HEX = re.compile(r"[0-9a-f]+", re.ASCII).fullmatch
_CVE = re.compile(r"CVE-\d{4}-\d{4,}", re.ASCII).fullmatch
_PSEUDONYM = re.compile(r"pseudonym:1:\d{1,9}:[0-9a-f]{32}", re.ASCII).fullmatch
_HASH_BY_ALGORITHM = {1: (MD5, 32), 2: (SHA1, 40), 3: (SHA256, 64)}
_HASH_BY_LENGTH = {32: MD5, 40: SHA1, 64: SHA256}


CACHES: list[_lru_cache_wrapper[str | None]] = []


def _remembered(canonical: Callable[[str], str | None]) -> Callable[[str], str | None]:
    cached = lru_cache(_CACHED)(canonical)
    CACHES.append(cached)

    @wraps(canonical)
    def remembering(text: str) -> str | None:
        return cached(text) if len(text) <= _CACHED_CHARACTERS else canonical(text)

    return remembering


def canonical_ip(text: str) -> str | None:
    """A public unicast address; IPv4-mapped IPv6 as IPv4; IPv6 compressed, lower case."""
    if ":" not in text:
        try:
            # Four numbers without leading zeros, and nothing else; to remember costs more.
            if inet_pton(AF_INET, text)[0] in _PLAIN_IPV4:
                return text
        except (OSError, ValueError):
            return None
    return _other_ip(text)


@_remembered
def _other_ip(text: str) -> str | None:
    if len(text) > _LONGEST_IP:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    if not address.is_global or address.is_multicast or address.is_reserved:
        return None
    if any(address in block for block in _NOT_PUBLIC if block.version == address.version):
        return None
    return str(address)


@_remembered
def canonical_domain(text: str) -> str | None:
    """Lower case, IDNA A-labels (UTS 46), no final dot; an IP literal is not a domain."""
    if len(text) > MAX_VALUE_CHARACTERS:
        return None
    name = text.lower() if text.isascii() else _a_labels(text)
    name = name.removesuffix(".")
    if len(name) > 253 or not _LABELS(name):
        return None
    return None if name[-1] in _MAY_END_A_NUMBER and _ENDS_IN_NUMBER(name) else name


def _a_labels(text: str) -> str:
    """A host name as A-labels, with the final dot it had; "" if it has none. Label by label: an
    underscore, which a name may begin with and IDNA does not know, spoils only its own label.
    """
    try:
        labels = idna.uts46_remap(text, std3_rules=False, transitional=False).split(".")
        # Of a longer label none comes that is short enough: it is not worth the work.
        coded = [
            label if label.isascii() or len(label) > MAX_LABEL else idna.alabel(label).decode()
            for label in labels
        ]
    except UnicodeError:  # idna's errors are of this kind
        return ""
    name = ".".join(coded).lower()
    # What is mapped to ASCII only now may be a slash, or anything: it has been looked at by nobody.
    return name if _LABELS(name.removesuffix(".")) else ""


@_remembered
def canonical_url(text: str) -> str | None:
    """Scheme and host lower case, the port a number, the default one and the fragment dropped; the
    rest as given.
    """
    if len(text) > MAX_VALUE_CHARACTERS or _UNPRINTABLE(text):
        return None
    parts = _URL(text)
    if not parts:
        return None
    scheme, authority, rest = parts[1].lower(), _AUTHORITY(parts[2]), parts[3]
    if not authority or not authority[2]:
        return None
    user, host, port = authority[1], authority[2].lower(), authority[3]
    if not host.isascii():
        host = _a_labels(host)
        if not host:
            return None
    port = port.lstrip("0") or "0" if port else ""
    if len(port) > 5 or int(port or 0) > LAST_PORT:
        return None
    keep_port = port and port != _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{user}{host}{f':{port}' if keep_port else ''}{rest}"


def canonical_hash(text: str, length: int) -> str | None:
    """Lower-case hex of `length` digits."""
    value = text.lower()
    return value if len(value) == length and _HEX(value) else None


def canonical_fingerprint(text: str) -> str | None:
    """JA3, JA4, HASSH: lower case."""
    value = text.lower()
    if value.isalnum() and len(value) <= MAX_VALUE_CHARACTERS:  # as they are, and a cheap look
        return value
    return value if 0 < len(value) <= MAX_VALUE_CHARACTERS and not _UNPRINTABLE(value) else None


def canonical_text(text: str) -> str | None:
    """Credentials, user agents: as given."""
    return text if 0 < len(text) <= MAX_VALUE_CHARACTERS else None


def canonical_cve(text: str) -> str | None:
    """Upper case."""
    value = text.upper()
    return value if len(value) <= 32 and _CVE(value) else None


@_remembered
def canonical_purl(text: str) -> str | None:
    """The purl specification's canonical form."""
    if len(text) > MAX_VALUE_CHARACTERS:
        return None
    try:
        return PackageURL.from_string(text).to_string()
    except ValueError:
        return None


def is_pseudonym(value: str) -> bool:
    """Whether a value stands for one that its sender keeps: `pseudonym:1:<epoch>:<32 hex digits>`.

    No value of another form can look so: it is no address, no domain, and no URL.
    """
    return value.startswith("pseudonym:") and _PSEUDONYM(value) is not None


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
