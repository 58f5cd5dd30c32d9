"""Episodes: what a rule finds of an indicator. No I/O here.

An episode is a longest run of windows that hold. While it may still change it is live; each time
it is told of, that is a revision.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from pipeline.rule import Rule


class Change(StrEnum):
    """What became of an episode."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    MERGED = "merged"


class Episode(Struct, frozen=True):
    """One revision of one episode: what a rule found of one indicator. Times in ms."""

    id: str
    rule: Rule
    value: str
    change: Change
    first_seen: int
    last_seen: int
    countries: tuple[str, ...]
    organisations: tuple[str, ...]
    merged_into: str | None = None
    p_value: float | None = None
    """How likely its spread is by chance (`pipeline.surprise`); None where it is not worked out."""
    endemic: bool = False
    """Is it everywhere always (`pipeline.endemic`)?"""


class Says(NamedTuple):
    """What a revision says: see `Episode`."""

    first_seen: int
    last_seen: int
    countries: tuple[str, ...]
    organisations: tuple[str, ...]
    p_value: float | None = None
    endemic: bool = False


class LiveEpisode:
    """An episode that may still change. `first` and `last` are the slices its windows end at."""

    __slots__ = (
        "carried_before",
        "carried_first",
        "carried_parties",
        "carried_spread",
        "first",
        "id",
        "last",
        "published",
        "rule",
    )

    def __init__(self, identity: str, rule: Rule, first: int, last: int) -> None:
        self.id = identity
        self.rule = rule
        self.first = first
        self.last = last
        self.carried_first: int | None = None
        """First sighting in slices that the window has forgotten, ms."""
        self.carried_parties: frozenset[int] = frozenset()
        self.carried_before: int | None = None
        """Sightings before it, counted for good before the window forgot the first of them."""
        self.carried_spread: int | None = None
        """Groups that saw it break out, counted likewise."""
        self.published: Says | None = None
        """What its newest revision said; None before the first."""


class Merger(Struct, frozen=True):
    """An episode that went into an older one."""

    id: str
    rule: Rule
    said: Says
    into: str
