"""On what terms organisations share what they saw: labels, and who may have it. No I/O here.

Nothing is shared that nobody allowed: an organisation that states no terms shares with itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from pipeline.country import COUNTRIES
from pipeline.problem import quoted
from pipeline.share.tlp import Pap, Tlp, strictest_pap, strictest_tlp

KEYS = ("tlp", "pap", "releasable_to")
"""What an organisation's terms are called in the registry."""
COMMUNITY = "community"
"""Everybody who takes part: organisations, CSIRTs and alliances."""
PUBLIC = "public"
ALLIANCE = "alliance:"
"""Before an alliance's id, where it stands beside organisations and countries."""

_ORGANISATION = re.compile(r"[a-z0-9-]+")


class Granularity(StrEnum):
    """How much is told of who saw it, the most first."""

    ORGANISATION = "organisation"
    """Its name."""
    COUNTRY = "country"
    """Only in which country."""
    COUNT = "count"
    """Only that there is one more."""

    @property
    def coarseness(self) -> int:
        return _GRANULARITIES.index(self)


_GRANULARITIES = tuple(Granularity)
_TLPS = tuple(Tlp)
_PAPS = tuple(Pap)


def coarsest(some: Iterable[Granularity]) -> Granularity:
    """What all of these allow; `ORGANISATION` of none."""
    return max(some, key=_GRANULARITIES.index, default=Granularity.ORGANISATION)


class Grant(Struct, frozen=True):
    """That one may have it: a country's code, an organisation's or CSIRT's id, `alliance:` and an
    alliance's id, `community` or `public`; and how much it is told of who saw it.
    """

    to: str
    granularity: Granularity = Granularity.ORGANISATION


class Conditions(Struct, frozen=True):
    """What one organisation says of what it contributes; None where it says nothing.

    `trust`: how far the registry says it is believed, 0 … 1; `country`: its home.
    """

    tlp: Tlp | None = None
    pap: Pap | None = None
    releasable_to: tuple[Grant, ...] = ()
    trust: float | None = None
    country: str = ""

    def label(self, said: Tlp | None) -> Tlp:
        """Of what it labelled so itself: the strictest of what it said."""
        return strictest_tlp(one for one in (self.tlp, said) if one is not None)

    def use(self, said: Pap | None) -> Pap:
        """What may be done with it, as `label`."""
        return strictest_pap(one for one in (self.pap, said) if one is not None)


_NONE = Conditions()


class Terms(Struct, frozen=True):
    """The conditions of all organisations, by id."""

    conditions: Mapping[str, Conditions] = {}

    @property
    def trust(self) -> dict[str, float]:
        """By organisation, how far it is believed, where that is stated."""
        of = self.conditions.items()
        return {name: each.trust for name, each in of if each.trust is not None}

    def of(self, organisation: str) -> Conditions:
        """Of one that is not known, or says nothing: the strictest."""
        return self.conditions.get(organisation, _NONE)


def grantee_problem(to: str) -> str | None:
    """Why nobody is meant by this in a grant, as the end of a sentence; None when somebody is."""
    name = to.removeprefix(ALLIANCE)
    if _ORGANISATION.fullmatch(name) or (name == to and to in COUNTRIES):
        return None
    return (
        "is no country (CZ), organisation (cz-nren), alliance (alliance:v4), "
        f"{COMMUNITY!r} or {PUBLIC!r}"
    )


def read_conditions(table: Mapping[str, Any]) -> tuple[Conditions, list[tuple[str, str]]]:
    """The conditions that an organisation's table of the registry states, `trust` apart; and what
    is wrong with them, each with its key.
    """
    problems: list[tuple[str, str]] = []
    tlp, pap = table.get("tlp"), table.get("pap")
    label = Tlp(tlp) if tlp in _TLPS else None
    use = Pap(pap) if pap in _PAPS else None
    if tlp is not None and label is None:
        problems.append(("tlp", f"tlp must be one of {', '.join(Tlp)}"))
    if pap is not None and use is None:
        problems.append(("pap", f"pap must be one of {', '.join(Pap)}"))
    grants = table.get("releasable_to", [])
    if not isinstance(grants, list):
        problems.append(("releasable_to", "releasable_to must be a list"))
        grants = []
    found: list[Grant] = []
    for one in grants:
        grant = _grant(one)
        if isinstance(grant, str):
            problems.append(("releasable_to", f"releasable_to: {grant}"))
        else:
            found.append(grant)
    return Conditions(label, use, tuple(found)), problems


def _grant(one: Any) -> Grant | str:
    """One grant as it is written, `"SK"` or `{ to = "SK", as = "country" }`; or what is wrong."""
    written = {"to": one} if isinstance(one, str) else one
    if not isinstance(written, dict) or not isinstance(written.get("to"), str):
        return 'each must be text, or { to = "SK", as = "country" }'
    if unknown := sorted(written.keys() - {"to", "as"}):
        return f"unknown key {quoted(unknown[0])}; there are to, as"
    to, granularity = written["to"], written.get("as", Granularity.ORGANISATION)
    if problem := grantee_problem(to):
        return f"{quoted(to)} {problem}"
    if granularity not in _GRANULARITIES:
        return f"as must be one of {', '.join(_GRANULARITIES)}"
    return Grant(to, Granularity(granularity))
