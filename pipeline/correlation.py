"""The `correlation` of a Sigma rule as it is read: what is counted, of which events, in how long.

Pure, and nothing in it raises; see `pipeline.rule_file`.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, cast

import yaml

from pipeline.country import COUNTRIES
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.problem import did_you_mean, quoted
from pipeline.rule import ANY_EVENT, Field, Selection
from pipeline.yaml_node import Reading

TIMESPAN_LIMIT_MS: Final = 30 * 86_400_000
EVENTS_LIMIT: Final = 1_000
"""Events that a rule may ask for: so many hashes of them are kept a slice."""
RULES_LIMIT: Final = 16
"""Base rules of one correlation."""

FIELDS: Final = ("country", "organisation", "origin_country", "origin_as")
TYPES: Final = ("value_count", "event_count", "temporal", "temporal_ordered")
_OTHER_TYPES: Final = ("value_sum", "value_avg", "value_min", "value_max", "value_percentile")
_BESIDE: Final = ("organisations_gte", "countries_gte")
"""Sightline's own; beside the condition or in it."""
_KEYS: Final = ("type", "rules", "group-by", "timespan", "condition", "generate", *_BESIDE)
_BOUNDS: Final = ("gte", "gt")
_NOT_TAKEN: Final = ("lt", "lte", "eq", "neq")
_UNITS_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TIMESPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,8}")  # 010 would be eight to YAML

Type = Literal["value_count", "event_count", "temporal", "temporal_ordered"]
Keys = dict[str, yaml.Node]


class Correlation(NamedTuple):
    """What a `correlation` says; see `pipeline.rule.Rule`."""

    indicator_type: str
    timespan_ms: int
    field: Field
    gte: int
    organisations_gte: int
    countries_gte: int
    selections: tuple[Selection | None, ...]
    ordered: bool


class _Counted(NamedTuple):
    field: Field
    gte: int
    organisations_gte: int
    countries_gte: int


def read_correlation(
    reading: Reading, node: yaml.Node, selections: dict[str, Selection | None]
) -> tuple[Correlation | None, set[str]]:
    """What it says, or None, and `reading` has noted why not; and the base rules that it names."""
    keys = reading.mapping(node, "correlation", ("aliases", *_KEYS))
    if keys is None:
        return None, set()
    if "aliases" in keys:
        reading.wrong(keys["aliases"], "correlation.aliases is not supported: leave it out")
    type_ = _type(reading, keys["type"]) if "type" in keys else None
    of_rules = type_ in {"temporal", "temporal_ordered"}
    for key in ("type", "rules", "group-by", "timespan", "condition"):
        if key not in keys and not (key == "condition" and of_rules):
            reading.wrong(node, f"correlation.{key} is missing")
    if "generate" in keys:
        read_generate(reading, keys["generate"])
    names = _names(reading, keys["rules"]) if "rules" in keys else None
    known = [] if names is None else _resolved(reading, names, selections, several=of_rules)
    kind = span = counted = None
    if "group-by" in keys:
        kind = reading.only(keys["group-by"], "correlation.group-by", INDICATOR_TYPES)
    if "timespan" in keys:
        span = _timespan(reading, keys["timespan"])
    if type_ is not None and ("condition" in keys or of_rules):
        counted = _condition(reading, keys, type_, len(names or ()))
    elif type_ is None and "condition" in keys:
        known_keys = ("field", *_BOUNDS, *_BESIDE, *_NOT_TAKEN)
        reading.mapping(keys["condition"], "correlation.condition", known_keys)
    # An id may be written in capitals.
    named = {form for _, name in names or () for form in (name, name.lower())}
    if kind is None or span is None or counted is None or known is None or not known:
        return None, named
    ordered = type_ == "temporal_ordered"
    return Correlation(kind, span, *counted, tuple(known), ordered), named


def read_generate(reading: Reading, node: yaml.Node) -> None:
    """That base rules raise alerts of their own besides is refused: they raise nothing here."""
    if reading.boolean(node, "generate"):
        reading.wrong(node, "generate: true is not supported: base rules raise nothing themselves")


def _type(reading: Reading, node: yaml.Node) -> Type | None:
    said = reading.scalar(node, "correlation.type")
    if said in _OTHER_TYPES:
        reading.wrong(node, f"correlation.type {said} is not supported: {', '.join(TYPES)}")
        return None
    if said is None:
        return None
    return cast(Type | None, reading.word(node, "correlation.type", TYPES))


def _names(reading: Reading, node: yaml.Node) -> list[tuple[yaml.Node, str]] | None:
    """The base rules that are named: one, or a list."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    names = [(each, reading.scalar(each, "correlation.rules")) for each in nodes]
    if not 1 <= len(names) <= RULES_LIMIT:
        reading.wrong(node, f"correlation.rules must name 1 to {RULES_LIMIT} rules")
        return None
    good = [(each, name) for each, name in names if name is not None]
    return good if len(good) == len(names) else None


def _resolved(
    reading: Reading,
    names: list[tuple[yaml.Node, str]],
    selections: dict[str, Selection | None],
    *,
    several: bool,
) -> list[Selection | None] | None:
    """What is named; None if something is wrong with it, there or here."""
    before = len(reading.problems)
    spoiled = False
    found: list[Selection | None] = []
    for node, name in names:
        key = name if name in selections else name.lower()
        if name == ANY_EVENT:
            found.append(None)
        elif key in selections:
            found.append(selections[key])
            spoiled = spoiled or selections[key] is None
        else:
            known = (ANY_EVENT, *selections)
            hint = did_you_mean(name, known)
            none = "no base rule of this file has that name or id"
            reading.wrong(node, f"correlation.rules {quoted(name)}: {none}{hint}")
    digests = [ANY_EVENT if of is None else of.digest for of in found]
    if len(set(digests)) < len(digests) and not spoiled:
        reading.wrong(names[-1][0], "correlation.rules names the same twice")
    elif several and len(names) < 2:
        reading.wrong(names[0][0], "correlation.rules must name at least two rules")
    elif not several and None in found and len(names) > 1 and not spoiled:
        reading.wrong(
            names[0][0], f"correlation.rules: {ANY_EVENT} is every event: leave the others out"
        )
    return None if spoiled or len(reading.problems) > before else found


def _condition(reading: Reading, keys: Keys, type_: Type, rules: int) -> _Counted | None:
    node = keys.get("condition")
    of_rules = type_ in {"temporal", "temporal_ordered"}
    within: Keys | None = {}
    if isinstance(node, yaml.ScalarNode):
        form = "field and gte" if type_ == "value_count" else "gte"
        reading.wrong(node, f"correlation.condition must be a mapping: {form}")
        return None
    if node is not None:
        field = ("field",) if type_ == "value_count" else ()
        known = (*field, *_BOUNDS, *_BESIDE, *_NOT_TAKEN)
        within = reading.mapping(node, "correlation.condition", known)
    if within is None:
        return None
    for key in _NOT_TAKEN:
        if key in within:
            reading.wrong(within[key], f"correlation.condition.{key} is not supported: gte, or gt")
    bounds = [key for key in _BOUNDS if key in within]
    for key in bounds[1:]:
        reading.wrong(within[key], "correlation.condition has both gte and gt: leave one out")
    if type_ == "value_count" and "field" not in within and node is not None:
        reading.wrong(node, f"correlation.condition.field is missing: {' or '.join(FIELDS[:2])}")
    if not bounds and not of_rules and node is not None:
        reading.wrong(node, "correlation.condition.gte is missing: how many make an alert")
    field_: Field | None = "rule" if of_rules else "event"
    if type_ == "value_count":
        field_ = None
        if "field" in within:
            field_ = cast(
                Field | None, reading.only(within["field"], "correlation.condition.field", FIELDS)
            )
    gte = rules if of_rules else None
    if bounds:
        gte = _count(reading, within[bounds[0]], f"correlation.condition.{bounds[0]}")
    beside = {key: _demand(reading, key, field_, within.get(key), keys.get(key)) for key in _BESIDE}
    organisations, countries = beside["organisations_gte"], beside["countries_gte"]
    if field_ is None or gte is None or organisations is None or countries is None:
        return None
    if bounds:
        _bounded(reading, within[bounds[0]], type_, field_, gte, rules)
    return _Counted(field_, gte, organisations, countries)


def _bounded(
    reading: Reading, node: yaml.Node, type_: Type, field: Field, gte: int, rules: int
) -> None:
    if field in {"country", "origin_country"} and gte > len(COUNTRIES):
        reading.wrong(node, f"there are only {len(COUNTRIES)} countries")
    elif field == "event" and gte > EVENTS_LIMIT:
        reading.wrong(node, f"an event_count may ask for at most {EVENTS_LIMIT} events")
    elif type_ == "temporal" and gte > rules:
        reading.wrong(node, f"correlation.rules names only {rules}")
    elif type_ == "temporal_ordered" and gte != rules:
        reading.wrong(node, "a temporal_ordered rule asks for all its rules: leave this out")


def _demand(
    reading: Reading,
    key: str,
    field: Field | None,
    within: yaml.Node | None,
    beside: yaml.Node | None,
) -> int | None:
    node = within or beside
    if node is None:
        return 0
    if within is not None and beside is not None:
        reading.wrong(beside, f"{key} is there twice: leave one out")
    if (key, field) == ("organisations_gte", "organisation"):
        reading.wrong(node, f"{key} is for the field country: here, gte says it")
    elif (key, field) == ("countries_gte", "country"):
        reading.wrong(node, f"{key} is for other fields than country: here, gte says it")
    where = "correlation.condition" if within is not None else "correlation"
    count = _count(reading, node, f"{where}.{key}")
    if key == "countries_gte" and count is not None and count > len(COUNTRIES):
        reading.wrong(node, f"there are only {len(COUNTRIES)} countries")
    return count


def _count(reading: Reading, node: yaml.Node, name: str) -> int | None:
    value = reading.scalar(node, name)
    if value is None:
        return None
    more_than = name.endswith(".gt")
    gte = int(value) + more_than if _COUNT.fullmatch(value) else 0
    if node.tag != "tag:yaml.org,2002:int" or gte < 1:
        reading.wrong(node, f"{name} must be a whole number from {1 - more_than} on")
        return None
    return gte


def _timespan(reading: Reading, node: yaml.Node) -> int | None:
    value = reading.scalar(node, "correlation.timespan")
    if value is None:
        return None
    match = _TIMESPAN.fullmatch(value)
    if match is None:
        form = "must be a whole number and s, m, h or d, as 90m"
        reading.wrong(node, f"correlation.timespan {quoted(value)} {form}")
        return None
    milliseconds = int(match[1]) * _UNITS_MS[match[2]]
    if not 1000 <= milliseconds <= TIMESPAN_LIMIT_MS:
        reading.wrong(node, f"correlation.timespan {value} is not between 1s and 30d")
        return None
    return milliseconds
