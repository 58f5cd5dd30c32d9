"""Whom a name means, as the policy of release sees them. No I/O here.

The names are those that grants are made out to: an organisation's or a CSIRT's id, a country's
code, `alliance:` and an alliance's id, `community`, `public`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.country import COUNTRIES
from pipeline.registry import Registry
from pipeline.share.alliance import Alliance
from pipeline.share.directory import Csirt
from pipeline.share.release import (
    THE_COMMUNITY,
    THE_PUBLIC,
    Egress,
    Kind,
    Reader,
    Recipient,
    csirt,
    organisation,
)
from pipeline.share.terms import ALLIANCE, COMMUNITY, PUBLIC


class Addressee(NamedTuple):
    """`delay_ms`: how long after the others it may know."""

    recipient: Recipient
    delay_ms: int = 0


def country(code: str) -> Recipient:
    """Those who act for a whole country: no organisation of it, and several who read."""
    return Recipient(Kind.CSIRT, code, (Reader("", code),), Egress.SHARED)


def addressee(
    name: str,
    registry: Registry,
    csirts: Iterable[Csirt] = (),
    alliances: Mapping[str, Alliance] | None = None,
) -> Addressee | str:
    """Who is meant, or the end of a sentence that says why nobody is."""
    if name in {PUBLIC, COMMUNITY}:
        return Addressee(THE_PUBLIC if name == PUBLIC else THE_COMMUNITY)
    if name.startswith(ALLIANCE):
        of = (alliances or {}).get(name.removeprefix(ALLIANCE))
        return Addressee(of.recipient, of.policy.after) if of else "is no alliance that is known"
    if name in COUNTRIES:
        return Addressee(country(name))
    found = [organisation(one.id, one.country) for one in registry.organisations if one.id == name]
    found += [csirt(one.id, one.country) for one in csirts if one.id == name]
    if len(found) > 1:
        return "is an organisation of the registry and a CSIRT of the directory: rename one"
    if not found:
        return (
            "is no organisation of the registry, CSIRT of the directory, country (CZ), "
            f"{COMMUNITY!r} or {PUBLIC!r}"
        )
    return Addressee(found[0])
