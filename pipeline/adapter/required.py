"""What OCSF 1.5.0 requires of the classes that are written here, and what to do without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Beside what every class requires, one of each of these.
_ENDS: tuple[tuple[str, ...], ...] = (("src_endpoint", "dst_endpoint"),)
_REQUIRED: dict[int, tuple[tuple[str, ...], ...]] = {
    0: (),
    2002: (("finding_info",), ("vulnerabilities",)),
    3002: (("user",), ("service", "dst_endpoint")),
    4002: (("http_request", "http_response"), *_ENDS),
    4010: (("file",), ("src_endpoint",)),
    6003: (("actor",), ("api",), ("src_endpoint",)),
}
# An object that has none of these says nothing.
_NAMED = {
    "src_endpoint": ("ip", "hostname"),
    "dst_endpoint": ("ip", "hostname"),
    "firewall_rule": ("uid", "name"),
    "user": ("name", "uid"),
    "finding_info": ("uid", "title"),
}
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


def drop_unnamed(event: dict[str, Any]) -> None:
    user = event.get("user")
    if user is not None and "credential_uid" in user:
        user.setdefault("name", "")  # VNC and Redis ask for a password alone
    request = event.get("http_request")
    if request is not None and "url" in request and "url_string" not in request["url"]:
        request["url"].setdefault("path", "")  # the host alone was said
    for group, names in _NAMED.items():
        of = event.get(group)
        if of is not None and names[0] not in of and names[1] not in of:
            del event[group]


def lacks(event: Mapping[str, Any], class_uid: int) -> bool:
    """Whether an event has not what its class requires beside what all require."""
    for any_of in _REQUIRED.get(class_uid, _ENDS):
        for name in any_of:
            if name in event:
                break
        else:
            return True
    return False


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
