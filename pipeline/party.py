"""Parties by number, so that a window can be one integer each. No I/O here."""

from __future__ import annotations

from pipeline.registry import Party


class Parties:
    """Numbers parties, and their countries and organisations, as they are met."""

    __slots__ = ("_numbers", "all", "countries", "organisations")

    def __init__(self) -> None:
        self.all: list[Party] = []
        self._numbers: dict[Party, int] = {}
        self.countries: dict[int, int] = {}
        """By party number, that of the first party of the same country."""
        self.organisations: dict[int, int] = {}
        """By party number, that of the first party of the same organisation."""

    def number(self, party: Party) -> int:
        known = self._numbers.get(party)
        if known is not None:
            return known
        number = self._numbers[party] = len(self.all)
        self.all.append(party)
        for of, by_value in ((0, self.organisations), (1, self.countries)):
            by_value[number] = next(
                by_value.get(n, n) for n, other in enumerate(self.all) if other[of] == party[of]
            )
        return number
