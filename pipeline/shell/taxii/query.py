"""What a TAXII client asks for: its parameters, and the media types it takes.

Source: OASIS, "TAXII Version 2.1", sections 1.6.8, 3.4 and 3.5.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

MEDIA_TYPE = "application/taxii+json;version=2.1"
SPEC_VERSION = "2.1"
PAGE = 1_000
"""Objects of a page where the client does not say."""
MOST = 10_000
"""Objects of a page at the most; stix2 asks for 5,000."""
_MOST_VALUES = 200
"""Values of one filter."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TOLERATED = {"*/*", "application/*", "application/json"}
"""Not TAXII's, but what OpenCTI and browsers send."""

Which = Literal["first", "last", "all"]


class BadQueryError(Exception):
    """A parameter that cannot be understood; the text says which."""


class Query(Struct, frozen=True):
    """What to give out. Times in µs since the epoch; no filter is an empty tuple."""

    after: int = -1
    """Date added of the last that the client has; no two of a collection have the same."""
    limit: int = PAGE
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    which: tuple[Which, ...] = ("last",)
    versions: tuple[int, ...] = ()
    nothing: bool = False
    """It asks for versions of STIX that there are none of."""


def query_of(parameters: Iterable[tuple[str, str]]) -> Query:
    """What a URL's parameters ask for; one that TAXII does not know is passed over."""
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        given.setdefault(name, []).append(value)
    for name in ("limit", "next", "added_after"):
        if len(given.get(name, ())) > 1:
            raise BadQueryError(f"{name} is given twice")
    which, versions = _versions(_values(given, "match[version]"))
    spec_versions = _values(given, "match[spec_version]")
    return Query(
        after=_after(given),
        limit=_limit(given),
        ids=_values(given, "match[id]"),
        types=_values(given, "match[type]"),
        which=which,
        versions=versions,
        nothing=bool(spec_versions) and SPEC_VERSION not in spec_versions,
    )


def _after(given: dict[str, list[str]]) -> int:
    after = -1
    if "added_after" in given:
        after = micros(given["added_after"][0], "added_after")
    if "next" in given:
        after = max(after, _unpack(given["next"][0]))
    return after


def _limit(given: dict[str, list[str]]) -> int:
    if "limit" not in given:
        return PAGE
    text = given["limit"][0]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0):
        raise BadQueryError("limit must be a number from 1")
    return min(int(text), MOST)


def _values(given: dict[str, list[str]], name: str) -> tuple[str, ...]:
    found = tuple(part for value in given.get(name, ()) for part in value.split(",") if part)
    if len(found) > _MOST_VALUES:
        raise BadQueryError(f"{name} has more than {_MOST_VALUES} values")
    return found


def _versions(values: Iterable[str]) -> tuple[tuple[Which, ...], tuple[int, ...]]:
    which: list[Which] = []
    versions: list[int] = []
    for value in values:
        match value:
            case "first" | "last" | "all":
                which.append(value)
            case _:
                versions.append(micros(value, "match[version]"))
    return (tuple(which) if which or versions else ("last",)), tuple(versions)


def token(added: int) -> str:
    """Where the next page begins. It says all that there is to know: any server can go on. And no
    more: how much there is in other collections is nobody's business.
    """
    return urlsafe_b64encode(str(added).encode()).decode().rstrip("=")


def _unpack(text: str) -> int:
    try:
        padded = text + "=" * (-len(text) % 4)
        after = int(urlsafe_b64decode(padded.encode("ascii")).decode("ascii"))
    except (ValueError, binascii.Error):
        raise BadQueryError("next is none of ours") from None
    if token(after) != text or not 0 <= after < 1 << 62:
        raise BadQueryError("next is none of ours")
    return after


def micros(text: str, what: str) -> int:
    """A timestamp of RFC 3339, in µs since the epoch."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadQueryError(f"{what} must be a timestamp such as 2026-03-01T12:00:00Z") from None
    if time.tzinfo is None:
        raise BadQueryError(f"{what} says no time zone: write Z for UTC")
    return (time - _EPOCH) // _MICROSECOND


def timestamp(time: int) -> str:
    """µs since the epoch, in RFC 3339 to the microsecond."""
    return f"{_EPOCH + time * _MICROSECOND:%Y-%m-%dT%H:%M:%S.%f}Z"


def acceptable(accept: str) -> bool:
    """Whether a client that says this takes what we have; it may say nothing."""
    return not accept.strip() or any(map(_takes, accept.split(",")))


def _takes(media_range: str) -> bool:
    kind, *parameters = (part.strip() for part in media_range.lower().split(";"))
    if kind != "application/taxii+json":
        return kind in _TOLERATED
    versions = [p.partition("=")[2].strip(' "') for p in parameters if p.startswith("version")]
    return all(version == SPEC_VERSION for version in versions)
