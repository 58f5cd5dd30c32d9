"""What OCSF 1.5.0 requires of the classes that are written here, and what to do without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

# Beside what every class requires, one of each of these.
_ENDS: tuple[tuple[str, ...], ...] = (("src_endpoint", "dst_endpoint"),)
_REQUIRED: dict[int, tuple[tuple[str, ...], ...]] = {
    0: (),
    1007: (("actor",), ("process",)),
    2002: (("finding_info",), ("vulnerabilities",)),
    3002: (("user",), ("service", "dst_endpoint")),
    4002: (("http_request", "http_response"), *_ENDS),
    4010: (("file",), ("src_endpoint",)),
    6003: (("actor",), ("api",), ("src_endpoint",)),
}
NAMED = {
    "src_endpoint": ("ip", "hostname"),
    "dst_endpoint": ("ip", "hostname"),
    "firewall_rule": ("uid", "name"),
    "user": ("name", "uid", "credential_uid"),
    "finding_info": ("uid", "title"),
    "process": ("uid",),
}
"""An object that has none of these says nothing."""
# What every class has, and what every class about a connection has.
_EVERYWHERE = {
    *("metadata", "time", "severity_id", "message", "observables", "status_id", "firewall_rule"),
    "action_id",
}
_CONNECTION = {"src_endpoint", "dst_endpoint", "connection_info", "app_name", "traffic"}

TEMPLATES: dict[str, dict[str, Any]] = {
    "connection_info": {"direction_id": 0},
    "tls": {"version": "unknown"},
    "file": {"name": "unknown", "type_id": 1},
}
"""What an object must have beside what a row gives it."""


def constants(class_uid: int, product: Mapping[str, str]) -> dict[str, Any]:
    """What a class requires that no log says: of a file on the wire, who told of it."""
    return {"actor": {"app_name": product["name"]}} if class_uid == 4010 else {}


class Completed(Struct, frozen=True):
    """A field that an object needs beside others: it is made complete when it is there."""

    field: str
    complete: Callable[[Any], None]


def _name(user: Any) -> None:
    if user.name is None and getattr(user, "credential_uid", None) is not None:
        user.name = ""  # VNC and Redis ask for a password alone


def _path(url: Any) -> None:
    if url.path is None and getattr(url, "url_string", None) is None:
        url.path = ""  # the host alone was said


COMPLETED = {"user": Completed("name", _name), "http_request.url": Completed("path", _path)}


def needs(class_uid: int) -> tuple[tuple[str, ...], ...]:
    """Of each of these, an event of the class has one or more, beside what all require."""
    return _REQUIRED.get(class_uid, _ENDS)


def lacks(event: Mapping[str, Any], class_uid: int) -> bool:
    """Whether an event has not what its class requires beside what all require."""
    return any(all(name not in event for name in any_of) for any_of in needs(class_uid))


def less(event: Mapping[str, Any], class_uid: int, activity_id: int) -> dict[str, Any]:
    """What is left of an event in a class that requires less: 4001, or 0 of one without ends."""
    names = _EVERYWHERE if class_uid == 0 else _EVERYWHERE | _CONNECTION
    kept = {key: value for key, value in event.items() if key in names}
    said = _said(event)
    if said:
        kept["observables"] = [*kept.get("observables", ()), *said]
    return kept | {"activity_id": activity_id, "type_uid": class_uid * 100 + activity_id}


def _said(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What names an indicator, and has no place in the class that requires less."""
    hashes = event.get("file", {}).get("hashes", ())
    url = event.get("http_request", {}).get("url", {})
    names = (
        (1, "domain", url.get("hostname")),
        (1, "domain", event.get("query", {}).get("hostname")),
        (1, "domain", event.get("tls", {}).get("sni")),
        (6, "url", url.get("url_string")),
        (6, "url", event.get("file", {}).get("url", {}).get("url_string")),
        *((8, "hash", one["value"]) for one in hashes),
    )
    return [{"name": name, "type_id": kind, "value": of} for kind, name, of in names if of]
