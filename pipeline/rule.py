"""What an indicator must do, in how long, to be worth an alert. No I/O here.

`pipeline.rule_file` reads rules. A rule counts distinct values of a field within its timespan:

    country, organisation          who saw the indicator
    origin_country, origin_as      where the events' sources are, by GeoIP
    event                          the events themselves
    rule                           which of its base rules are met, in any order or in theirs

A base rule selects events. What a rule asks of events beyond who saw an indicator is its *aspects*:
intake folds the sightings of each aspect apart from all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final, Literal

from msgspec import Struct

ANY_EVENT: Final = "any_event"
"""The one built-in base rule: every event."""

Looked = Mapping[str, Any]
"""Top-level attributes of an event, as JSON has them."""
Matches = Callable[[Looked], bool]

Field = Literal["country", "organisation", "origin_country", "origin_as", "event", "rule"]
Spread = Literal["country", "organisation"]
Counts = Literal["", "origin_country", "origin_as", "event"]


class Level(StrEnum):
    """How bad it is when a rule holds, in Sigma's words, mildest first."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Selection(Struct, frozen=True, eq=False):
    """A base rule, compiled. `digest` is the same for the same detection, wherever it is read."""

    name: str
    digest: str
    attributes: tuple[str, ...]
    """The top-level attributes that `matches` looks at."""
    matches: Matches
    classes: frozenset[int] | None = None
    """It matches only events of these values of `class_uid`; None if that cannot be told."""
    needs: frozenset[str] | None = None
    """It matches only events that have one of these attributes; None if that cannot be told."""

    def __eq__(self, other: object) -> bool:
        """A function has no equal but itself: what it was compiled from tells."""
        if not isinstance(other, Selection):
            return NotImplemented
        return (self.name, self.digest) == (other.name, other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)


class Aspect(Struct, frozen=True, eq=False):
    """One thing that is asked of events beyond who saw an indicator of a type.

    Which events: a selection, or any. What is told of each beside: nothing, the origin of its
    source, or the event itself, of which no more are told than there is `room` for.
    """

    indicator_type: str
    selection: Selection | None = None
    counts: Counts = ""
    room: int = 0

    @property
    def kind(self) -> str:
        """How sightings of this aspect are marked: by the type alone if nothing is asked."""
        if self.selection is None and not self.counts:
            return self.indicator_type
        which = ANY_EVENT if self.selection is None else self.selection.digest
        return _kind(self.indicator_type, which, self.counts, str(self.room))


def _kind(indicator_type: str, *parts: str) -> str:
    digest = blake2b("\0".join(parts).encode(), digest_size=8, person=b"aspect").hexdigest()
    return f"{indicator_type}/{digest}"


class Rule(Struct, frozen=True):
    """An indicator of `indicator_type` seen with at least `gte` distinct values of `field`
    within `timespan_ms` milliseconds (1 s to 30 d) is worth an alert of this level.

    `id` is a UUID in canonical lower case.
    """

    id: str
    title: str
    level: Level
    indicator_type: str
    timespan_ms: int
    field: Field
    gte: int
    description: str = ""
    tags: tuple[str, ...] = ()
    organisations_gte: int = 0
    """At least so many distinct organisations must have seen it as well."""
    countries_gte: int = 0
    """… and so many distinct countries."""
    selections: tuple[Selection | None, ...] = (None,)
    """Base rules: an event counts that meets any of them; None is met by every event."""
    ordered: bool = False
    """With the field `rule`: in the order of `selections`, slice by slice."""

    @property
    def conditions(self) -> tuple[tuple[Field, int], ...]:
        """Of what a window must have how many distinct ones: all of them."""
        found: list[tuple[Field, int]] = [(self.field, self.gte)]
        if self.organisations_gte:
            found.append(("organisation", self.organisations_gte))
        if self.countries_gte:
            found.append(("country", self.countries_gte))
        return tuple(found)

    @property
    def least(self) -> int:
        """How many parties it takes to hold, each counted once for each label of its sightings."""
        counted = 1 if self.field == "event" else self.gte
        return max(counted, self.organisations_gte, self.countries_gte)

    @property
    def spread(self) -> Spread | None:
        """What its indicators must spread over; None if one party may do."""
        match self.field:
            case "country" | "organisation" as counted:
                return counted
        if self.countries_gte:
            return "country"
        return "organisation" if self.organisations_gte else None

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """What it asks of events, one of each base rule in their order."""
        counts: Counts = ""
        if self.field in {"origin_country", "origin_as", "event"}:
            counts = self.field
        room = self.gte if counts == "event" else 0
        return tuple(
            Aspect(self.indicator_type, selection, counts, room) for selection in self.selections
        )

    @property
    def kind(self) -> str:
        """The kind of the state that it looks at; the indicator type alone for a plain rule."""
        kinds = [aspect.kind for aspect in self.aspects]
        if self.field != "rule":
            if len(kinds) == 1:
                return kinds[0]
            return _kind(self.indicator_type, "any of", *sorted(kinds))
        return _kind(self.indicator_type, "each of", *sorted(kinds))
