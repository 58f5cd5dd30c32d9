"""Single fields as logs write them, to values as OCSF has them.

Every function returns None of what it cannot read, and raises nothing. None returns a password.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from pipeline.canonical import LAST_PORT
from pipeline.command import reduced

MAX_TEXT = 2048
"""Characters of a text that is passed on; of a longer one, the first so many."""

MAX_LIST = 64
"""Elements of a list that are passed on."""

_IPV4 = re.compile(
    r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}", re.ASCII
).fullmatch
_HEX = re.compile(r"[0-9a-f]+", re.ASCII | re.IGNORECASE).fullmatch
_CVE = re.compile(r"CVE[-_](\d{4})[-_](\d{4,})", re.ASCII | re.IGNORECASE)
_USER_INFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")
_ALGORITHMS = {32: 1, 40: 2, 64: 3}  # hexadecimal digits: MD5, SHA-1, SHA-256
_PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51,
              "ipv6-icmp": 58, "icmp6": 58, "icmpv6": 58, "sctp": 132}  # fmt: skip


def text(value: Any) -> str | None:
    if type(value) is not str or not value:
        return None
    return value if len(value) <= MAX_TEXT else value[:MAX_TEXT]


def name(value: Any) -> str | None:
    """As `text`, a number as its digits: an identifier."""
    if type(value) is int:
        return str(value)
    return text(value)


def own_id(value: Any) -> str | None:
    """An event's own id: one of a length that an event's may have, with room for what is added."""
    return value if type(value) is str and 0 < len(value) <= 200 else None


@lru_cache(1 << 14)
def _address(value: str) -> str | None:
    if _IPV4(value):
        return value
    if len(value) > 45:
        return None
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return None


def ip(value: Any) -> str | None:
    """An address of either kind, public or not; brackets around it are dropped."""
    if type(value) is not str or len(value) >= 64:
        return None
    address = _address(value)
    if address is None:
        address = _address(value.strip().strip("[]").partition("%")[0])
    return address


def port(value: Any) -> int | None:
    number = integer(value)
    return number if number is not None and number <= LAST_PORT else None


def integer(value: Any) -> int | None:
    """A whole number from 0, below 2^63."""
    if type(value) is str and len(value) < 20 and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**63 else None


def host(value: Any) -> str | None:
    """A host's name; an address is none."""
    if type(value) is not str or not 0 < len(value) <= 255 or _address(value) is not None:
        return None
    return value


def url(value: Any) -> str | None:
    """A URL with a scheme; user name and password in it are dropped."""
    if type(value) is not str or "://" not in value or len(value) > MAX_TEXT:
        return None
    return _USER_INFO.sub(r"\1", value) if "@" in value else value


def web_url(host_and_port: Any, path: Any) -> str | None:
    """The URL of a request seen in clear text: its Host header, and its target."""
    if type(path) is not str or not path:
        return None
    if "://" in path[:12]:
        return url(path)
    if type(host_and_port) is not str or not host_and_port or path[0] != "/":
        return None
    whole = f"http://{host_and_port}{path}"
    return url(whole) if "@" in whole else whole if len(whole) <= MAX_TEXT else None


def url_host(host_and_port: Any) -> str | None:
    """The host of a Host header, without the port."""
    if type(host_and_port) is not str:
        return None
    if host_and_port[:1] == "[":  # an address of IPv6 is no name
        return None
    return host(host_and_port.partition(":")[0])


def protocol(value: Any) -> str | None:
    """An IP protocol's name, lower case."""
    return value.lower() if type(value) is str and 0 < len(value) <= 20 else None


def protocol_number(value: Any) -> int | None:
    """An IP protocol's number, of its number or name."""
    if type(value) is str and not value.isdigit():
        return _PROTOCOLS.get(value.lower())
    number = integer(value)
    return number if number is not None and number <= 255 else None


def fingerprint(value: Any) -> dict[str, Any] | None:
    """JA3 and HASSH: an MD5."""
    if type(value) is str and len(value) == 32 and _HEX(value):
        return {"algorithm_id": 1, "value": value}
    return None


def ja4(value: Any) -> list[dict[str, Any]] | None:
    return [{"type_id": 1, "value": value}] if type(value) is str and 0 < len(value) <= 64 else None


def digest(value: Any) -> list[dict[str, Any]] | None:
    """A file's MD5, SHA-1 or SHA-256, told by its length."""
    algorithm = _ALGORITHMS.get(len(value)) if type(value) is str else None
    return [{"algorithm_id": algorithm, "value": value}] if algorithm and _HEX(value) else None


def observed(type_id: int, label: str) -> Callable[[Any], list[dict[str, Any]] | None]:
    """What has no attribute of its own in a class, as an observable."""

    def read(value: Any) -> list[dict[str, Any]] | None:
        values = value if type(value) is list else [value]
        found = [
            {"name": label, "type_id": type_id, "value": shown}
            for one in values[:MAX_LIST]
            if (shown := text(one))
        ]
        return found or None

    return read


def observed_ip(value: Any) -> list[dict[str, Any]] | None:
    """Who called, where a class has no place for it."""
    address = ip(value)
    return [{"name": "src_endpoint.ip", "type_id": 2, "value": address}] if address else None


def command(value: Any) -> str | None:
    """What somebody typed, reduced to words that tell what was done, and nothing of with what."""
    return reduced(value) or None if type(value) is str else None


def cves(value: Any) -> list[dict[str, Any]] | None:
    """Every CVE named in a text, or in a list of texts, as an observable."""
    values = value if type(value) is list else [value]
    found = {
        f"CVE-{year}-{number}": None
        for one in values[:MAX_LIST]
        if type(one) is str and "cve" in one.lower()
        for year, number in _CVE.findall(one[:MAX_TEXT])
    }
    return [{"name": "cve", "type_id": 18, "value": cve} for cve in list(found)[:MAX_LIST]] or None


def credential(user: Any, password: Any) -> str | None:
    """`sha256:` and the hex of SHA-256 over user name, a zero byte, password.

    None without a password: a name alone is no credential. A number is its digits.
    """
    user = "" if user is None else str(user) if type(user) is int else user
    password = str(password) if type(password) is int else password
    if type(user) is not str or type(password) is not str:
        return None
    whole = (
        user.encode("utf-8", "surrogatepass") + b"\0" + password.encode("utf-8", "surrogatepass")
    )
    return "sha256:" + sha256(whole).hexdigest()


def user_name(value: Any) -> str | None:
    """A user's name; the empty one is one that attackers try."""
    if type(value) is int:
        return str(value)
    return value[:MAX_TEXT] if type(value) is str else None


def constant(result: Any) -> Callable[..., Any]:
    """The same of any value: what a field's presence says."""
    return lambda *_: result


class Coded:
    """A field's words to an OCSF id, without regard to case."""

    def __init__(self, codes: dict[Any, Any], other: Any) -> None:
        self._codes, self._other = codes, other
        self._remembered = lru_cache(256)(self.__call__)

    def __call__(self, value: Any) -> Any:
        key = value.lower() if type(value) is str else value
        return self._codes.get(key, self._other) if isinstance(key, (str, int)) else self._other

    def column(self, values: Sequence[Any]) -> Sequence[Any]:
        """The same of many; words come again and again."""
        codes, other, remembered = self._codes, self._other, self._remembered
        return [
            None
            if one is None
            else codes.get(one, other)
            if type(one) is int
            else remembered(one)
            if type(one) is str and len(one) < 64
            else self(one)
            for one in values
        ]


def coded(codes: dict[Any, Any], other: Any = None) -> Coded:
    """See `Coded`; `other` is the id of any other word."""
    return Coded(codes, other)
