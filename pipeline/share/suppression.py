"""What operators do not want to hear of for a while. No I/O here.

It keeps alerts and campaigns from subscribers, and from nobody else: what CSIRTs are told, and what
is recorded, stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from pipeline.share.filter import Condition, Fault, parse
from pipeline.share.subject import Subject

MOST: Final = 1_000
LONGEST_MS: Final = 366 * 86_400_000
"""None is for ever: somebody looks again within a year."""


class Suppression(Struct, frozen=True, forbid_unknown_fields=True):
    """`where` is a filter; from `since` until `until`, ms. `by` and `reason`: who said so, why."""

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+$")]
    where: Annotated[str, Meta(min_length=1, max_length=4_096)]
    since: int
    until: int
    by: Annotated[str, Meta(max_length=256)]
    reason: Annotated[str, Meta(max_length=1_000)] = ""

    def holds_at(self, at: int) -> bool:
        return self.since <= at < self.until


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Suppression).decode


class Suppressions:
    """Those that there are, by id; one that is no filter hides nothing."""

    def __init__(self, some: Iterable[Suppression] = ()) -> None:
        self._all: dict[str, tuple[Suppression, Condition]] = {}
        for one in some:
            self.put(one)

    def put(self, one: Suppression) -> bool:
        """Whether there is room for it, and it can be read."""
        condition = parse(one.where)
        if isinstance(condition, Fault) or (len(self._all) >= MOST and one.id not in self._all):
            return False
        self._all[one.id] = one, condition
        return True

    def remove(self, identity: str) -> None:
        self._all.pop(identity, None)

    def hiding(self, subject: Subject, at: int) -> Suppression | None:
        """The first by id that hides it now, if any does."""
        for name in sorted(self._all):
            one, condition = self._all[name]
            if one.holds_at(at) and condition.holds(subject):
                return one
        return None


class Preview(NamedTuple):
    """Of how many alerts and campaigns a filter would have hidden how many."""

    hidden: int
    of: int


def preview(condition: Condition, newest: Mapping[str, Subject]) -> Preview:
    """`newest`: what each alert or campaign, by its id, said last."""
    return Preview(sum(condition.holds(one) for one in newest.values()), len(newest))
