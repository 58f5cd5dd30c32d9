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
        self._all: dict[str, Label] = {}
        self._newest: dict[str, Label] = {}

    def add(self, label: Label) -> None:
        self._all[key(label)] = label
        known = self._newest.get(label.id)
        if known is None or (known.at, known.by) < (label.at, label.by):
            self._newest[label.id] = label

    def of(self, identity: str) -> Label | None:
        """The one that stands."""
        return self._newest.get(identity)

    @property
    def standing(self) -> Iterable[Label]:
        """The newest of each id, in order of ids."""
        return (self._newest[identity] for identity in sorted(self._newest))

    def left_out(self) -> set[Indicator]:
        """The indicators that join nothing: those of alerts that are benign or false."""
        return {
            (one.type, one.value)
            for label in self._newest.values()
            if label.about is About.ALERT and label.verdict is not Verdict.CONFIRMED
            for one in label.indicators
        }


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Label).decode
