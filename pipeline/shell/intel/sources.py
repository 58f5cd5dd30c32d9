"""Where intelligence is read from: bundles, MISP events and feeds in files, TAXII collections."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pipeline.intel import misp, stix
from pipeline.intel.reading import Reading, Terms
from pipeline.shell.files import read_text
from pipeline.shell.settings import FailedError, WrongUseError

MOST_OBJECTS = 1_000_000
"""Of one collection, or of all files together."""
_PAGE = 1_000
_SILENT_S = 60.0
_NO_EVENTS = {"manifest.json"}
"""Of a MISP feed."""


def from_files(paths: Iterable[Path], terms: Terms) -> list[Reading]:
    """What bundles, events and folders of them come to: the events of each kind together."""
    objects: list[object] = []
    events: list[object] = []
    for path in _listed(paths):
        try:
            document = msgspec.json.decode(read_text(path))
        except (msgspec.DecodeError, RecursionError) as error:
            raise WrongUseError(f"{path}: not JSON: {error}") from None
        if not _sort(document, objects, events):
            raise WrongUseError(f"{path}: neither a STIX bundle nor MISP events")
        if len(objects) + len(events) > MOST_OBJECTS:
            raise WrongUseError(f"{path}: more than {MOST_OBJECTS:,} objects in all")
    readings = [stix.read(objects, terms)] if objects else []
    return readings + ([misp.read(events, terms)] if events else [])


def _listed(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = [one for one in sorted(path.glob("*.json")) if one.name not in _NO_EVENTS]
        if not found:
            raise WrongUseError(f"{path}: no *.json in it")
        yield from found


def _sort(document: object, objects: list[object], events: list[object]) -> bool:
    """Note what a document holds; whether it is of a kind that is known."""
    match document:
        case {"objects": [*found]}:  # a bundle, or TAXII's envelope
            objects += found
        case {"type": "bundle"}:
            pass
        case {"Event": dict()} | {"Attribute": list(), "uuid": str()}:
            events.append(document)
        case {"response": [*found]} | [*found] if found:
            return all(_sort(one, objects, events) for one in found)
        case _:
            return False
    return True


def from_taxii(url: str, user: str, password: str, terms: Terms) -> Reading:
    """What the indicators of a TAXII 2.1 collection come to."""
    _safe(url, secret=bool(user))
    return stix.read(_fetched(url, user, password), terms)


def _safe(url: str, *, secret: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WrongUseError("a collection's URL begins with https://")
    if parts.username or parts.password:
        raise WrongUseError("no password in a URL: --user and --password-file")
    if secret and parts.scheme == "http" and not _loopback(parts.hostname):
        raise WrongUseError("a password travels by https only, but to this machine itself")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fetched(url: str, user: str, password: str) -> list[Any]:
    import requests
    from taxii2client.exceptions import TAXIIServiceException
    from taxii2client.v21 import Collection, as_pages

    socket.setdefaulttimeout(_SILENT_S)
    address = url if url.endswith("/") else f"{url}/"
    found: list[Any] = []
    try:
        collection = Collection(address, user=user or None, password=password or None)
        for page in as_pages(collection.get_objects, per_request=_PAGE, type="indicator"):
            found += page.get("objects", ())
            if len(found) > MOST_OBJECTS:
                raise FailedError(f"{url}: more than {MOST_OBJECTS:,} objects")
        found += _markings(collection)
    except (requests.RequestException, TAXIIServiceException, ValueError, KeyError) as error:
        raise FailedError(f"{url}: {str(error) or type(error).__name__}") from None
    finally:
        socket.setdefaulttimeout(None)
    return found


def _markings(collection: Any) -> list[Any]:
    from taxii2client.v21 import as_pages

    return [
        one
        for page in as_pages(collection.get_objects, per_request=_PAGE, type="marking-definition")
        for one in page.get("objects", ())
    ][:_PAGE]
