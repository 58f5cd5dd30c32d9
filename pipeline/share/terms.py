"""On what terms organisations share what they saw: labels, and who may have it. No I/O here.

Nothing is shared that nobody allowed: an organisation that states no terms shares with itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from pipeline.share.tlp import Pap, Tlp, strictest_pap, strictest_tlp

COMMUNITY = "community"
"""Everybody who takes part: organisations, CSIRTs and alliances."""
PUBLIC = "public"
ALLIANCE = "alliance:"
"""Before an alliance's id, where it stands beside organisations and countries."""

_COUNTRY = re.compile(r"[A-Z]{2}")
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

    `trust`: how far the registry says it is believed, 0 … 1.
    """

    tlp: Tlp | None = None
    pap: Pap | None = None
    releasable_to: tuple[Grant, ...] = ()
    trust: float | None = None

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
    if _ORGANISATION.fullmatch(name) or (name == to and _COUNTRY.fullmatch(to)):
        return None
    return (
        "is no country (CZ), organisation (cz-nren), alliance (alliance:v4), "
        f"{COMMUNITY!r} or {PUBLIC!r}"
    )
