"""How sure one may be of a campaign: by whom it was seen, and how far they are believed. No I/O.

Organisations corroborate, not sensors: one that has a hundred is one witness. Each is believed as
far as its trust goes, and less the longer ago it saw any of it; that all of them are wrong is the
product of each being so (noisy-or). Only products and quotients: the same on every machine.

Trust is what the registry says, or `UNSTATED`. What analysts found counts beside it: a registry's
word weighs as much as `PRIOR` verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

UNSTATED = 0.5
"""The trust of an organisation of which nobody has said anything."""
PRIOR = 8
HALVES_MS = 7 * 86_400_000
"""An organisation that saw it so long before the last one did counts half."""
MOST = 99
"""The grouping itself may be wrong once in a hundred (`pipeline.campaign.group.ALPHA`)."""

# Estimative language: ICD 203 of the US intelligence community, "Analytic Standards" (2015).
_WORDS = (
    (95, "almost certain"),
    (80, "very likely"),
    (55, "likely"),
    (45, "roughly even chance"),
    (20, "unlikely"),
    (5, "very unlikely"),
    (0, "almost no chance"),
)
# The Admiralty System, NATO AJP-2.1: reliability of the sources, credibility of what they say.
_RELIABILITY = ((0.9, "A"), (0.7, "B"), (0.5, "C"), (0.3, "D"), (0.0, "E"))
_NOT_JUDGED = "F"
_CREDIBILITY = ((95, "1"), (80, "2"), (55, "3"), (20, "4"), (0, "5"))


class Witness(Struct, frozen=True):
    """One organisation: its trust, and how much of it counts here. 0 … 1."""

    organisation: str
    trust: float
    weight: float


class Confidence(Struct, frozen=True):
    """0 … 99, in a word, as an Admiralty grade, and by whose word."""

    number: int
    word: str
    grade: str
    witnesses: tuple[Witness, ...]


class Trust:
    """How far organisations are believed."""

    def __init__(self, stated: Mapping[str, float]) -> None:
        """`stated`: by organisation, what the registry says."""
        self._stated = stated
        self._right: dict[str, int] = {}
        self._wrong: dict[str, int] = {}

    def note(self, organisations: Iterable[str], *, right: bool) -> None:
        """An analyst found that what these had seen was what it seemed, or was not."""
        counts = self._right if right else self._wrong
        for name in organisations:
            counts[name] = counts.get(name, 0) + 1

    def of(self, organisation: str) -> float:
        stated = self._stated.get(organisation, UNSTATED)
        right, wrong = self._right.get(organisation, 0), self._wrong.get(organisation, 0)
        return (stated * PRIOR + right) / (PRIOR + right + wrong)

    def judged(self, organisation: str) -> bool:
        """Has anybody said how far it is to be believed?"""
        return any(organisation in each for each in (self._stated, self._right, self._wrong))


def confidence(trust: Trust, seen: Mapping[str, int]) -> Confidence:
    """`seen`: by organisation, when it last saw any of it, ms."""
    last = max(seen.values(), default=0)
    wrong = 1.0
    witnesses: list[Witness] = []
    for organisation in sorted(seen):
        believed = trust.of(organisation)
        weight = believed * HALVES_MS / (HALVES_MS + last - seen[organisation])
        wrong *= 1.0 - weight
        witnesses.append(Witness(organisation, round(believed, 3), round(weight, 3)))
    number = min(round(100 * (1.0 - wrong)), MOST)
    judged = [one.trust for one in witnesses if trust.judged(one.organisation)]
    letter = _NOT_JUDGED
    if judged:
        mean = sum(judged) / len(judged)
        letter = next(letter for least, letter in _RELIABILITY if mean >= least)
    return _said(number, letter, tuple(witnesses))


def confirmed(before: Confidence, sure: int) -> Confidence:
    """With the word of an analyst who is so sure, in percent, beside the witnesses'."""
    number = min(round(100 - (100 - before.number) * (100 - sure) / 100), MOST)
    return _said(number, before.grade[:1], before.witnesses)


def _said(number: int, letter: str, witnesses: tuple[Witness, ...]) -> Confidence:
    grade = letter + next(digit for least, digit in _CREDIBILITY if number >= least)
    word = next(word for least, word in _WORDS if number >= least)
    return Confidence(number, word, grade, witnesses)
