"""Why an alert is there. No I/O here.

Each figure is asked of what decided: the window that held (`pipeline.window`), the p-value
(`pipeline.surprise`), whether it is endemic (`pipeline.endemic`), the severity (`pipeline.alert`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from pipeline.alert import Alert, Grade, grade
from pipeline.endemic import Standing
from pipeline.explain.inquiry import Inquiry, Sighting, Source
from pipeline.explain.judge import Condition, Held, judge, spanned
from pipeline.indicator import Indicator
from pipeline.rule import Level, Rule
from pipeline.slices import SLICES, slice_of
from pipeline.surprise import Surprise

MOST_SOURCES = 1_000
"""Raw events that an explanation names; how many more there are is said."""


class Asked(Struct, frozen=True):
    """A rule, as far as an explanation needs it."""

    id: str
    title: str
    level: Level
    timespan_ms: int
    indicator_type: str
    base_rules: tuple[str, ...]
    meets: Literal["any", "each", "in order"] = "any"
    """Of its base rules: what meets any of them counts, or it counts them, or asks their order."""

    @classmethod
    def of(cls, rule: Rule) -> Asked:
        names = tuple("any event" if of is None else of.name for of in rule.selections)
        each: Literal["any", "each"] = "each" if rule.field == "rule" else "any"
        return cls(
            rule.id,
            rule.title,
            rule.level,
            rule.timespan_ms,
            rule.indicator_type,
            names,
            "in order" if rule.ordered else each,
        )


class Country(Struct, frozen=True):
    """Who saw it in one country. Times in ms; `sensors` are known where raw events are."""

    country: str
    first_seen: int
    last_seen: int
    organisations: tuple[str, ...]
    sensors: tuple[str, ...] = ()


class FirstHeld(Struct, frozen=True):
    """The first window that held: from … until (which it does not cover), ms, and what it has."""

    begins: int
    ends: int
    conditions: tuple[Condition, ...]


class AlertExplained(Struct, frozen=True):
    """Why one alert is there, or was: `merged_into` another.

    `held` is None where what led to it is not among what was read. `windows` is how many windows
    in a row held. `sources` are its raw events, `sources_omitted` how many more there are.
    """

    id: str
    type: str
    value: str
    status: int
    first_seen: int
    last_seen: int
    rule: Asked
    grade: Grade
    known_benign: tuple[str, ...]
    countries: tuple[Country, ...]
    organisations: tuple[str, ...]
    held: FirstHeld | None
    windows: int
    surprise: Surprise | None
    standing: Standing | None
    sources: tuple[Source, ...]
    sources_omitted: int
    merged_into: str | None = None


def explained(alert: Alert, rule: Rule, inquiry: Inquiry, *, lowers: bool) -> AlertExplained:
    """`lowers`: whether being known as benign lowers a severity (`pipeline.benign`)."""
    observed, unmapped, finding = alert.observables[0], alert.unmapped, alert.finding_info
    one = (observed.name, observed.value)
    first, last = finding.first_seen_time, finding.last_seen_time
    surprise, standing, held = _of_track(rule, one, inquiry, first, last)
    sources = sources_of(one, inquiry, first, last)
    return AlertExplained(
        id=finding.uid,
        type=observed.name,
        value=observed.value,
        status=alert.status_id,
        first_seen=first,
        last_seen=last,
        rule=Asked.of(rule),
        grade=grade(
            rule.level,
            unmapped.p_value,
            endemic=unmapped.endemic,
            benign=bool(unmapped.known_benign) and lowers,
        ),
        known_benign=unmapped.known_benign,
        countries=by_country(one, inquiry, first, last),
        organisations=unmapped.organisations,
        held=None if held is None else _first(rule, held),
        windows=0 if held is None else held.last - held.first + 1,
        surprise=surprise,
        standing=standing,
        sources=tuple(sources[:MOST_SOURCES]),
        sources_omitted=max(len(sources) - MOST_SOURCES, 0),
        merged_into=unmapped.merged_into or None,
    )


def _of_track(
    rule: Rule, one: Indicator, inquiry: Inquiry, first: int, last: int
) -> tuple[Surprise | None, Standing | None, Held | None]:
    low, high = slice_of(first, rule.timespan_ms), slice_of(last, rule.timespan_ms)
    surprise: Surprise | None = None
    standing: Standing | None = None
    for track in inquiry.tracks(one[0]):
        if all(of.id != rule.id for of in track.rules):
            continue
        terms = track.terms(one[1])
        for live, chance, stands in terms:
            if live.rule.id == rule.id and live.first - SLICES < low <= high <= live.last:
                surprise, standing = chance, stands
        for judged in judge(track, one[1]):
            for held in judged.episodes:
                if judged.rule.id == rule.id and held.first - SLICES < low <= high <= held.last:
                    return surprise, standing, held
    return surprise, standing, None


def _first(rule: Rule, held: Held) -> FirstHeld:
    begins, ends = spanned(rule, held.first - SLICES + 1, held.first)
    return FirstHeld(begins, ends, held.conditions)


def by_country(
    one: Indicator, inquiry: Inquiry, first: int = 0, last: int = 1 << 62
) -> tuple[Country, ...]:
    """Who saw an indicator within a time, by country, where it was seen first comes first."""
    seen = [of for of in inquiry.sightings if of.indicator == one and _within(of, first, last)]
    sensors = {of.sensor for of in inquiry.sources.get(one, ()) if first <= of.time <= last}
    found = [
        _country(country, [of for of in seen if of.country == country], sensors, inquiry)
        for country in {of.country for of in seen}
    ]
    return tuple(sorted(found, key=lambda of: (of.first_seen, of.country)))


def sources_of(one: Indicator, inquiry: Inquiry, first: int, last: int) -> list[Source]:
    """Its raw events within a time, in order of time."""
    found = (of for of in inquiry.sources.get(one, ()) if first <= of.time <= last)
    return sorted(found, key=lambda of: (of.time, of.place))


def _within(sighting: Sighting, first: int, last: int) -> bool:
    return sighting.first <= last and sighting.last >= first


def _country(
    country: str, seen: Sequence[Sighting], sensors: Collection[str], inquiry: Inquiry
) -> Country:
    party_of = inquiry.sensors
    return Country(
        country,
        min(of.first for of in seen),
        max(of.last for of in seen),
        _sorted(of.organisation for of in seen),
        _sorted(of for of in sensors if of in party_of and party_of[of].country == country),
    )


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


encode = msgspec.json.Encoder().encode
