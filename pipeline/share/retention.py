"""How long each kind of topic keeps what is on it, in each country. No I/O here.

[topics]
events = "7d"
dead-letters = "14d"
[countries.CZ]          # of the parties there
events = "3d"
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

from pipeline.country import country_problem

KINDS: Final = ("events", "sightings", "alerts", "campaigns", "labels", "dead-letters", "sensors")
"""Topics that may forget. State may not (`checkpoints`): it goes when time has passed it."""
COMPACTED: Final = ("alerts", "campaigns", "labels", "sensors")
BY_COUNTRY: Final = ("events",)
LEAST_MS: Final = 3_600_000
_DURATION: Final = re.compile(r"(\d{1,6})(h|d)", re.ASCII)


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    """Durations, `12h` or `7d`, by kind of topic; those of a country stand over the others."""

    topics: dict[str, str] = {}
    countries: dict[str, dict[str, str]] = {}

    def ms(self, kind: str, country: str = "") -> int | None:
        """How long in ms; None: as the broker has it."""
        text = self.countries.get(country, {}).get(kind) or self.topics.get(kind)
        return None if text is None else _ms(text)

    def config(self, kind: str, country: str = "") -> dict[str, str]:
        """What is set for such a topic."""
        ms = self.ms(kind, country)
        if ms is None:
            return {}
        policy = {"cleanup.policy": "compact,delete"} if kind in COMPACTED else {}
        return {"retention.ms": str(ms)} | policy


def _ms(text: str) -> int | None:
    match = _DURATION.fullmatch(text)
    return int(match[1]) * {"h": 3_600_000, "d": 86_400_000}[match[2]] if match else None


def read_retention(document: object, horizon_ms: int) -> Retention | str:
    """From a decoded TOML file, or what is wrong. `horizon_ms`: how long campaigns need sightings,
    or 0.
    """
    try:
        read = msgspec.convert(document, Retention)
    except msgspec.ValidationError as error:
        return str(error)
    for where, kinds, known in (
        ("topics", read.topics, KINDS),
        *((f"countries.{name}", kinds, BY_COUNTRY) for name, kinds in read.countries.items()),
    ):
        country = where.partition(".")[2]
        if country and (why := country_problem(country)):
            return f"{where}: {why}"
        for kind, text in kinds.items():
            if kind not in known:
                return f"{where}: {kind!r} is none of {', '.join(known)}"
            ms = _ms(text)
            if ms is None or ms < LEAST_MS:
                return f"{where}.{kind}: {text!r}: write hours or days, as 12h or 7d, 1h at least"
    if (kept := read.ms("sightings")) is not None and kept < horizon_ms:
        return "topics.sightings: shorter than `campaign_horizon`, for which campaigns need them"
    return read
