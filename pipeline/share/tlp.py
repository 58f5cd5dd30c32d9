"""Who may pass it on, and what may be done with it: TLP 2.0 and PAP. No I/O here.

Source: FIRST, "Traffic Light Protocol (TLP) 2.0"; MISP taxonomy `PAP`. What several gave takes the
strictest of theirs; what nobody labelled is AMBER+STRICT, and only who gave it may lower it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Tlp(StrEnum):
    """Who may have it, the most open first."""

    CLEAR = "CLEAR"
    """The public."""
    GREEN = "GREEN"
    """The community."""
    AMBER = "AMBER"
    """The recipient's organisation, and its clients."""
    AMBER_STRICT = "AMBER+STRICT"
    """The recipient's organisation only."""
    RED = "RED"
    """The people it was told to: never on a shared topic, in a collection or a feed."""

    @property
    def strictness(self) -> int:
        return _TLPS.index(self)


class Pap(StrEnum):
    """What may be done with it, the freest first."""

    CLEAR = "CLEAR"
    GREEN = "GREEN"
    """Active measures, such as blocking."""
    AMBER = "AMBER"
    """Passive ones that the attacker cannot see."""
    RED = "RED"
    """Only on one's own premises, nothing that leaves them."""

    @property
    def strictness(self) -> int:
        return _PAPS.index(self)


_TLPS = tuple(Tlp)
_PAPS = tuple(Pap)
UNLABELLED_TLP = Tlp.AMBER_STRICT
UNLABELLED_PAP = Pap.AMBER


def strictest_tlp(labels: Iterable[Tlp]) -> Tlp:
    """What an aggregate of these is; `UNLABELLED_TLP` of none."""
    return max(labels, key=_TLPS.index, default=UNLABELLED_TLP)


def strictest_pap(labels: Iterable[Pap]) -> Pap:
    """What an aggregate of these is; `UNLABELLED_PAP` of none."""
    return max(labels, key=_PAPS.index, default=UNLABELLED_PAP)


def tlp_of(text: str) -> Tlp | None:
    """A label as people and tools write it (`tlp:amber+strict`, `TLP:AMBER STRICT`, OCSF's)."""
    name = text.strip().upper().removeprefix("TLP:").strip()
    name = {"AMBER STRICT": "AMBER+STRICT", "AMBER_STRICT": "AMBER+STRICT", "WHITE": "CLEAR"}.get(
        name, name
    )
    return Tlp(name) if name in _TLPS else None


def pap_of(text: str) -> Pap | None:
    """A label as people and tools write it (`PAP:AMBER`)."""
    name = text.strip().upper().removeprefix("PAP:").strip()
    name = {"WHITE": "CLEAR"}.get(name, name)
    return Pap(name) if name in _PAPS else None
