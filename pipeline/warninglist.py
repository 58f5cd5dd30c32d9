"""Lists of benign infrastructure: MISP's warninglists, and the cut of them that is carried.

A list says of networks, domains or hashes that they are known and mean no harm by themselves: CDNs,
public resolvers, research scanners, sinkholes. Source: https://github.com/MISP/misp-warninglists
(CC0). No I/O here: bytes in, lists and what is wrong with them out; nothing raises.

Left out of the cut on purpose are lists of what anybody may rent or fill: clouds, VPNs, hosting,
URL shorteners, file sharing. An attack from a rented machine is an attack.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from pipeline.canonical import canonical_domain, canonical_hash
from pipeline.problem import has_control, quoted

CUT: Final[tuple[str, ...]] = (
    *("akamai", "bunny-net", "cloudflare", "fastly", "stackpath"),  # CDNs
    *("public-dns-v4", "public-dns-v6", "public-dns-hostname"),  # resolvers
    *("sinkholes", "umbrella-blockpage-hostname", "umbrella-blockpage-v4"),
    *("umbrella-blockpage-v6", "tor-exit-nodes"),
    *("alphastrike-scanning", "censys-scanning", "circl-security-scanning", "circl-ssh-scanning"),
    *("internetcleanup-scanner", "modat-scanner", "netsecscan-scanning", "onyphe-scanner"),
    *("palo-alto-networks-cortex-xpanse", "shadowforce-scanning", "shadowserver"),
    *("shodan-scanning", "tenable-cloud-ipv4", "tenable-cloud-ipv6", "check-host-net"),
    *("umich-cse-connection-attempts",),
    *("apple", "googlebot", "google-gmail-sending-ips", "microsoft-office365-ip", "openai-gptbot"),
    *("wikimedia", "zscaler", "crl-ip", "crl-hostname", "captive-portals", "findip-host"),
    *("whats-my-ip", "google", "microsoft", "microsoft-office365"),
    *("microsoft-win10-connection-endpoints", "cloudflare-top1k", "cisco_top1000"),
    *("common-ioc-false-positive", "eicar.com", "empty-hashes", "mozilla-CA"),
)
"""Folders of the lists that are carried, where a checkout has them."""

CUT_SUFFIX: Final = "-nt-scanning"
"""Folders that end so are carried too: scanners by name, as a network telescope saw them."""

MOST_ENTRIES: Final = 500_000
"""Of all lists of a cut together: what is held in memory has a bound, some 200 MB."""
_NAME_LENGTH: Final = 256
_WIDEST: Final = {4: 8, 6: 16}
"""No list may say of more than such a network that it is benign: one wrong line would be enough."""

_HASH: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
_OF_ADDRESSES: Final = {"ip-src", "ip-dst"}
_OF_NAMES: Final = {"domain", "hostname"}
_OF_HASHES: Final = {"md5", "sha1", "sha256"}

Of = Literal["networks", "domains", "hashes"]


class Warninglist(Struct, frozen=True, array_like=True):
    """One list, its entries in canonical form and sorted.

    `networks` as address/prefix; `domains` as they are, or with a leading dot for the name and all
    below it; `hashes` in hex, MD5, SHA-1 and SHA-256 by their length.
    """

    slug: str
    name: str
    version: int
    of: Of
    entries: tuple[str, ...]


class Cut(Struct, frozen=True):
    """Lists, and what is wrong with those that are not among them or lost entries; a line each."""

    lists: tuple[Warninglist, ...]
    problems: tuple[str, ...] = ()


class _Misp(Struct, frozen=True):
    """`list.json` of a warninglist (schema.json of the repository), as far as it is read."""

    name: str
    version: int
    type: Literal["cidr", "hostname", "string", "substring", "regex"]
    entries: list[str] = field(name="list")
    matching_attributes: list[str] = []


_decode_misp = msgspec.json.Decoder(_Misp).decode
_decode_line = msgspec.json.Decoder(Warninglist).decode
_encode = msgspec.json.Encoder().encode


def wanted(slug: str) -> bool:
    """Whether the list in this folder belongs to the cut."""
    return slug in CUT or slug.endswith(CUT_SUFFIX)


def cut(lists: Iterable[tuple[str, bytes]]) -> Cut:
    """The cut of some lists, each with its folder's name; not more than `MOST_ENTRIES`."""
    taken: list[Warninglist] = []
    problems: list[str] = []
    total = 0
    for slug, raw in sorted(lists):
        read = read_misp(slug, raw)
        if isinstance(read, str):
            problems.append(read)
            continue
        one, left_out = read
        if left_out:
            problems.append(f"{slug}: {left_out} entries left out: not what such a list holds")
        total += len(one.entries)
        if total > MOST_ENTRIES:
            problems.append(f"{slug}: more than {MOST_ENTRIES:,} entries in all: left out")
            total -= len(one.entries)
        elif one.entries:
            taken.append(one)
    return Cut(tuple(taken), tuple(problems))


def read_misp(slug: str, raw: bytes) -> tuple[Warninglist, int] | str:
    """A list as MISP writes it, and how many entries could not be read; or what is wrong with it.

    MISP's types: `cidr` are networks; `hostname` are names with all below them; `string` are names
    or hashes as they stand, of which some write a leading dot for all below. The others, which
    search within a value, are not matched here.
    """
    try:
        misp = _decode_misp(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"{slug}: no warninglist: {quoted(str(error))}"
    if has_control(misp.name) or not 0 < len(misp.name) <= _NAME_LENGTH:
        return f"{slug}: its name is empty, too long, or holds control characters"
    of = _of(misp)
    if of is None:
        return f"{slug}: a list of type {misp.type} for {', '.join(misp.matching_attributes)[:80]}"
    read = {
        "networks": _network,
        "domains": _below if misp.type == "hostname" else _domain,
        "hashes": _hash,
    }[of]
    entries = [read(entry) for entry in misp.entries]
    good = sorted({entry for entry in entries if entry is not None})
    one = Warninglist(slug, misp.name, misp.version, of, tuple(good))
    return one, sum(entry is None for entry in entries)


def _of(misp: _Misp) -> Of | None:
    attributes = set(misp.matching_attributes)
    if misp.type == "cidr" and attributes & _OF_ADDRESSES:
        return "networks"
    if misp.type in {"hostname", "string"} and attributes & _OF_NAMES:
        return "domains"
    if misp.type == "string" and attributes & _OF_HASHES:
        return "hashes"
    return None


def _network(entry: str) -> str | None:
    try:
        network = ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return _network(f"{mapped}/{network.prefixlen - 96}")
    return str(network) if network.prefixlen >= _WIDEST[network.version] else None


def _below(entry: str) -> str | None:
    name = canonical_domain(entry.strip().lstrip("."))
    # A top-level domain is nobody's in particular.
    return f".{name}" if name is not None and "." in name else None


def _domain(entry: str) -> str | None:
    return _below(entry) if entry.strip().startswith(".") else canonical_domain(entry.strip())


def _hash(entry: str) -> str | None:
    text = entry.strip()
    return canonical_hash(text, len(text)) if _HASH.fullmatch(text) else None


def encode(lists: Iterable[Warninglist]) -> bytes:
    """A cut as it is carried: JSON, a list a line, by their folders' names."""
    return b"".join(_encode(one) + b"\n" for one in sorted(lists, key=lambda one: one.slug))


def decode(raw: bytes) -> tuple[Warninglist, ...] | str:
    """The lists of a cut as `encode` wrote them; or what is wrong with it, in a line."""
    lists: list[Warninglist] = []
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            lists.append(_decode_line(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return f"line {number}: not a list of a cut: {quoted(str(error))}"
        wrong = _wrong_entry(lists[-1])
        if wrong is not None:
            return f"line {number}: {wrong}"
    if sum(len(one.entries) for one in lists) > MOST_ENTRIES:
        return f"more than {MOST_ENTRIES:,} entries in all"
    return tuple(lists)


def _wrong_entry(one: Warninglist) -> str | None:
    """What no list that `read_misp` made has in it: a cut may have been edited by hand."""
    if has_control(one.name) or not 0 < len(one.name) <= _NAME_LENGTH:
        return "its name is empty, too long, or holds control characters"
    read = {"networks": _network, "domains": _domain, "hashes": _hash}[one.of]
    for entry in one.entries:
        if read(entry) != entry:
            return f"{quoted(entry)} is not one of {one.of} in canonical form"
    return None
