"""What an analyst says of an alert or a campaign, and what follows from it. No I/O here.

A label is a record that stands by itself: who said what, when, on what ground, and what of. It is
never changed; a later one of the same id stands over an earlier one. All of them are the audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pipeline.event import Name
from pipeline.indicator import Indicator


class Verdict(StrEnum):
    """What it was found to be."""

    FALSE_POSITIVE = "false-positive"
    BENIGN = "benign"
    CONFIRMED = "confirmed"


class About(StrEnum):
    """What a label is of."""

    ALERT = "alert"
    CAMPAIGN = "campaign"


class Marked(Struct, frozen=True):
    """An indicator."""

    type: str
    value: str


class Label(Struct, frozen=True):
    """One analyst's word. `at` in ms; `indicators` and `organisations` are what the alert or the
    campaign said when it was labelled, so that the label says it when they are long gone.
    """

    id: Name
    about: About
    verdict: Verdict
    by: Name
    at: int
    basis: str = ""
    confidence: Annotated[int, Meta(ge=0, le=100)] = 90
    """How sure the analyst is, in percent."""
    indicators: tuple[Marked, ...] = ()
    organisations: tuple[str, ...] = ()


def key(label: Label) -> str:
    """Its key on the topic: none replaces another, but the same one sent twice."""
    return f"{label.id}/{label.at}/{label.by}"


class Labels:
    """All that was said. Order and duplicates change nothing."""

    def __init__(self) -> None:
        self._newest: dict[str, Label] = {}
        self._of: dict[Indicator, Label] = {}
        """By indicator, the newest that is of an alert on it, whichever."""

    def add(self, label: Label) -> None:
        self._newest[label.id] = _newer(label, self._newest.get(label.id))
        if label.about is About.ALERT:
            for one in label.indicators:
                known = self._of.get((one.type, one.value))
                self._of[one.type, one.value] = _newer(label, known)

    def of(self, identity: str) -> Label | None:
        """The one that stands."""
        return self._newest.get(identity)

    @property
    def standing(self) -> Iterable[Label]:
        """The newest of each id, in order of ids."""
        return (self._newest[identity] for identity in sorted(self._newest))

    def left_out(self) -> set[Indicator]:
        """The indicators that join nothing: those of alerts that are benign or false.

        Of several alerts on one indicator the latest word counts: it is of the indicator.
        """
        return {
            indicator
            for indicator, label in self._of.items()
            if label.verdict is not Verdict.CONFIRMED
        }


def _newer(one: Label, other: Label | None) -> Label:
    """The later; of one moment, whichever, so that order changes nothing."""
    return (
        one if other is None else max(one, other, key=lambda each: (each.at, each.by, encode(each)))
    )


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Label).decode
