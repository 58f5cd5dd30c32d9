"""Parties by number, so that a window can be one integer each. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.registry import Party


class Parties:
    """Numbers parties, and their countries and organisations, as they are met.

    Where sightings are labelled, a party has a number for each label.
    """

    __slots__ = ("_first", "_numbers", "all", "countries", "labels", "organisations", "said")

    def __init__(self) -> None:
        self.all: list[Party] = []
        self.said: list[str] = []
        """By number, the label; "" where nothing is labelled."""
        self._numbers: dict[tuple[Party, str], int] = {}
        self._first: dict[tuple[str, str], int] = {}
        self.countries: dict[int, int] = {}
        """By number, that of the first party of the same country."""
        self.organisations: dict[int, int] = {}
        """By number, that of the first party of the same organisation."""
        self.labels: dict[int, int] = {}
        """By number, the first one of the same label."""

    def number(self, party: Party, label: str = "") -> int:
        known = self._numbers.get((party, label))
        if known is not None:
            return known
        number = self._numbers[party, label] = len(self.all)
        self.all.append(party)
        self.said.append(label)
        first = self._first.setdefault
        self.organisations[number] = first(("organisation", party.organisation), number)
        self.countries[number] = first(("country", party.country), number)
        self.labels[number] = first(("label", label), number)
        return number

    def knows(self, party: Party, label: str) -> bool:
        """Whether they have a number."""
        return (party, label) in self._numbers

    def keep(self, numbers: Iterable[int]) -> dict[int, int]:
        """Forget all but these, which get new numbers: the new by the old, in order."""
        old = sorted(set(numbers))
        kept = [(self.all[number], self.said[number]) for number in old]
        for known in (self.all, self.said):
            known.clear()
        for by in (self._numbers, self._first, self.countries, self.organisations, self.labels):
            by.clear()
        return {
            was: self.number(party, label) for was, (party, label) in zip(old, kept, strict=True)
        }
