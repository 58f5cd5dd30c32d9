"""The canonical form of each type of indicator. No I/O here.

One spelling a thing, so that two countries that saw the same thing say the same.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import _lru_cache_wrapper, lru_cache, partial, wraps
from socket import AF_INET, inet_pton
from typing import Final

import idna
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

MAX_VALUE_CHARACTERS = 2048
MAX_LABEL = 63  # characters of a domain name's label (RFC 1035)
LAST_PORT = 65535
_LONGEST_IP = 64  # characters; the longest that is none of ours has 45 and a zone
# Attacks repeat their values: a bounded memory of canonical forms. Long values are not kept, for
# their number alone would not bound it: whoever sends them chooses how long they are.
_CACHED = 1 << 16
_CACHED_CHARACTERS = 256


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


CANONICAL: Final[Mapping[str, Callable[[str], str | None]]] = {
    IP: canonical_ip,
    DOMAIN: canonical_domain,
    URL: canonical_url,
    MD5: partial(canonical_hash, length=32),
    SHA1: partial(canonical_hash, length=40),
    SHA256: partial(canonical_hash, length=64),
    JA3: canonical_fingerprint,
    JA4: canonical_fingerprint,
    HASSH: canonical_fingerprint,
    CREDENTIAL: canonical_text,
    USER_AGENT: canonical_text,
    CVE: canonical_cve,
    PURL: canonical_purl,
}
"""By indicator type, to the form that sightings are in; None of what has none."""
