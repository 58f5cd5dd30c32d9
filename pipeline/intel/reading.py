"""What is made of others' intelligence: watches, and what could not be read, with why. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from pipeline.indicator import Indicator
from pipeline.share.tlp import UNLABELLED_PAP, UNLABELLED_TLP, Pap, Tlp
from pipeline.watch import Watch, identity

MOST_NOT_READ = 10_000
"""Of these each is told of; what is beyond is counted."""
_TEXT = 256


class Why(StrEnum):
    """Why something was not read."""

    MALFORMED = "malformed"
    """It is not what it says it is."""
    NOT_STIX = "not-stix-pattern"
    """A pattern of another language, such as Snort's."""
    SYNTAX = "pattern-syntax"
    TOO_LONG = "too-long"
    OPERATOR = "operator"
    """A comparison for something else than equality."""
    COMBINATION = "combination"
    """Several things that must hold together, or one after the other."""
    NO_INDICATOR = "no-indicator"
    """A property, or a type, that sensors' events are not looked at for."""
    NOT_CANONICAL = "no-canonical-form"
    """Such as a private address."""
    NOT_FOR_DETECTION = "not-for-detection"
    """The partner says so."""
    RED = "tlp-red"
    """It was told to people: what is seen of it would be on a topic that others read."""
    ENDED = "ended"
    """Before it was read."""


class NotRead(Struct, frozen=True):
    """What was not read: which object, why, and what of it."""

    reference: str
    why: Why
    detail: str = ""


class Terms(Struct, frozen=True):
    """What is known of a source besides what it sends: its name, and what it leaves unsaid.

    `valid_for_ms`: how long what says no end is valid, from when it begins or was last changed.
    `now`: what had ended by then is not read, ms; None: all of it is.
    """

    source: str
    tlp: Tlp = UNLABELLED_TLP
    pap: Pap = UNLABELLED_PAP
    valid_for_ms: int | None = None
    now: int | None = None


class Reading:
    """What was read so far. An indicator that an object names twice is one watch."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.watches: dict[str, Watch] = {}
        self.not_read: list[NotRead] = []
        self.uncounted = 0
        self.references: set[str] = set()
        """The objects that were looked at: of each, what was read stands for all there was."""

    def looked_at(self, reference: str) -> None:
        self.references.add(reference[:_TEXT])

    def refuse(self, reference: str, why: Why, detail: str = "") -> None:
        if len(self.not_read) < MOST_NOT_READ:
            self.not_read.append(NotRead(reference[:_TEXT], why, detail[:_TEXT]))
        else:
            self.uncounted += 1

    def add(
        self,
        reference: str,
        indicators: Iterable[Indicator],
        *,
        tlp: Tlp | None = None,
        pap: Pap | None = None,
        confidence: int | None = None,
        valid_from: int = 0,
        valid_until: int | None = None,
        changed: int = 0,
    ) -> None:
        """Watch for what an object names. `changed`: when it last was. Times in ms."""
        terms, reference = self.terms, reference[:_TEXT]
        if (tlp or terms.tlp) is Tlp.RED:
            self.refuse(reference, Why.RED)
            return
        if valid_until is None and terms.valid_for_ms is not None:
            valid_until = max(valid_from, changed) + terms.valid_for_ms
        if terms.now is not None and valid_until is not None and valid_until <= terms.now:
            self.refuse(reference, Why.ENDED)
            return
        for one in indicators:
            name = identity(terms.source, reference, one)
            self.watches[name] = Watch(
                name,
                *one,  # type: ignore[arg-type]
                source=terms.source,
                reference=reference,
                tlp=tlp or terms.tlp,
                pap=pap or terms.pap,
                confidence=confidence,
                valid_from=valid_from,
                valid_until=valid_until,
            )
