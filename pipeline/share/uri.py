"""A URL as RFC 3986 lets it be written. No I/O here.

Attackers write what they like and servers read it: `http://a.example/x?q={<"`. Our canonical form
keeps that (`pipeline.canonical.canonical_url`); formats that want a URI get it percent-encoded.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

_PARTS = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.ASCII | re.DOTALL).fullmatch
_AUTHORITY = re.compile(r"(?:(.*)@)?(\[[^\]]*\]|[^:\[\]@]*)(:\d*)?", re.ASCII | re.DOTALL).fullmatch
_HEX = re.compile(r"%[0-9A-Fa-f]{2}", re.ASCII)
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_IN_NAME = frozenset(_UNRESERVED + "!$&'()*+,;=")
_IN_USER = _IN_NAME | {":"}
_IN_REST = _IN_NAME | set(":@/?")


def uri(url: str) -> str | None:
    """The same, its other characters percent-encoded; None where it has no URI."""
    parts = _PARTS(url)
    authority = parts and _AUTHORITY(parts[2])
    if not parts or not authority:
        return None
    user, host, port = authority[1], authority[2], authority[3] or ""
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except AddressValueError:
            return None
        if "%" in host:
            return None
    else:
        host = _encoded(host, _IN_NAME)
    who = "" if user is None else f"{_encoded(user, _IN_USER)}@"
    path, question, query = parts[3].partition("?")
    rest = f"{_encoded(path, _IN_REST)}{question}{_encoded(query, _IN_REST)}"
    return f"{parts[1]}://{who}{host}{port}{rest}"


def _encoded(text: str, kept: frozenset[str]) -> str:
    out: list[str] = []
    for place, character in enumerate(text):
        if character in kept or (character == "%" and _HEX.match(text, place)):
            out.append(character)
        else:
            out.extend(f"%{byte:02X}" for byte in character.encode())
    return "".join(out)
