"""Episodes: what a rule finds of an indicator. No I/O here.

An episode is a longest run of windows that hold. While it may still change it is live; each time
it is told of, that is a revision.
"""

from __future__ import annotations

from enum import StrEnum

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


Says = tuple[int, int, tuple[str, ...], tuple[str, ...]]
"""What a revision says: first seen, last seen (ms), countries, organisations."""


class LiveEpisode:
    """An episode that may still change. `first` and `last` are the slices its windows end at."""

    __slots__ = ("carried_first", "carried_parties", "first", "id", "last", "published", "rule")

    def __init__(self, identity: str, rule: Rule, first: int, last: int) -> None:
        self.id = identity
        self.rule = rule
        self.first = first
        self.last = last
        self.carried_first: int | None = None
        """First sighting in slices that the window has forgotten, ms."""
        self.carried_parties: frozenset[int] = frozenset()
        self.published: Says | None = None
        """What its newest revision said; None before the first."""


class Merger(Struct, frozen=True):
    """An episode that went into an older one."""

    id: str
    rule: Rule
    said: Says
    into: str
