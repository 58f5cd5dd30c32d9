"""Sigma correlation rules: what an indicator must do, in how long, to be worth an alert.

Pure: the text of a YAML file in, rules and problems out; nothing in it raises. YAML is composed to
nodes and never constructed: a node knows its line and cannot become an object. Source: SigmaHQ's
Sigma Correlation Rules Specification 2.0.2, narrowed as the product's contract says, "Rule".
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

import msgspec
import yaml

from pipeline.country import COUNTRIES
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.problem import Problem, has_control, in_order, quoted
from pipeline.yaml_node import Reading, documents

ANY_EVENT: Final = "any_event"  # the one built-in rule that a correlation may refer to
TITLE_LIMIT: Final = 256  # characters
TIMESPAN_LIMIT_MS: Final = 30 * 86_400_000

_FIELDS: Final[dict[str, Literal["country", "organisation"]]] = {
    "country": "country",
    "organisation": "organisation",
}
_UNITS_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_STATUSES: Final = ("stable", "test", "experimental", "deprecated", "unsupported")
_TYPES: Final = ("event_count", "value_count", "temporal", "temporal_ordered", "value_sum",
                 "value_avg", "value_min", "value_max", "value_percentile")  # fmt: skip
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TIMESPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")
_DATE: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,8}")  # 010 would be eight to YAML

# Keys of a rule by what their values must be; those that say nothing to us are only checked.
_TEXTS: Final = ("description", "author", "name", "taxonomy", "license")
_LISTS: Final = ("references", "tags", "falsepositives")
_DATES: Final = ("date", "modified")
_RULE_KEYS: Final = ("title", *_TEXTS, "id", "status", "level", *_LISTS, *_DATES, "related",
                     "generate", "correlation")  # fmt: skip
_ORGANISATIONS: Final = "organisations_gte"  # Sightline's own; beside the condition or in it
_NEEDED_KEYS: Final = ("type", "rules", "group-by", "timespan", "condition")
_CORRELATION_KEYS: Final = (*_NEEDED_KEYS, "generate", _ORGANISATIONS)
_CONDITION_KEYS: Final = ("field", "gte", "gt", _ORGANISATIONS)


class Level(StrEnum):
    """How bad it is when a rule holds, in Sigma's words, mildest first."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_LEVELS: Final = tuple(level.value for level in Level)


class Rule(msgspec.Struct, frozen=True):
    """An indicator of `indicator_type` seen in at least `gte` distinct values of `field`
    within `timespan_ms` milliseconds (1 s to 30 d) is worth an alert of this level.

    With `organisations_gte`, at least so many distinct organisations must have seen it as well.
    `id` is a UUID in canonical lower case.
    """

    id: str
    title: str
    level: Level
    indicator_type: str
    timespan_ms: int
    field: Literal["country", "organisation"]
    gte: int
    description: str = ""
    tags: tuple[str, ...] = ()
    organisations_gte: int = 0

    @property
    def least(self) -> int:
        """How many parties it takes to hold."""
        return max(self.gte, self.organisations_gte)


def read_rules(text: str, where: str) -> tuple[list[Rule], list[Problem]]:
    """The good rules of one YAML file, and all that is wrong with the others.

    `where` names the file in the problems. The file may hold several documents, a rule each; an
    empty one is no rule and no problem. A rule with any problem is left out. Never raises.
    """
    nodes, problems = documents(text, where)
    rules: dict[str, Rule] = {}
    for node in nodes:
        reading = _Reading(where)
        rule = reading.rule(node)
        if rule is not None and rule.id in rules:
            reading.wrong(node, f"rule id {rule.id} is there twice in this file: ids are unique")
        elif rule is not None and not reading.problems:
            rules[rule.id] = rule
        problems += reading.problems
    return list(rules.values()), in_order(problems)


def check_unique(rules: Iterable[tuple[str, Rule]]) -> list[Problem]:
    """A problem for each rule whose id an earlier one has; rules come with their files' names."""
    first: dict[str, str] = {}
    problems: list[Problem] = []
    for where, rule in rules:
        if rule.id in first:
            taken = f"rule id {rule.id} is taken by a rule of {first[rule.id]}: ids are unique"
            problems.append(Problem(where, None, taken))
        else:
            first[rule.id] = where
    return problems


class _Reading(Reading):
    """One rule being read: a method returns what is asked for, or None and notes why not."""

    def rule(self, node: yaml.Node) -> Rule | None:
        self.check_keys(node)
        keys = self.mapping(node, "a rule", ("logsource", "detection", *_RULE_KEYS))
        if keys is None:
            return None
        if "detection" in keys or "logsource" in keys:
            other = keys.get("detection") or keys["logsource"]
            self.wrong(
                other, f"a detection rule is not supported: only correlations of {ANY_EVENT}"
            )
            return None
        texts = {key: self.text(keys[key], key) for key in _TEXTS if key in keys}
        lists = {key: self.texts(keys[key], key) for key in _LISTS if key in keys}
        for key in _DATES:
            date = self.scalar(keys[key], key) if key in keys else None
            if date is not None and not _DATE.fullmatch(date):
                self.wrong(keys[key], f"{key} must be a date written YYYY-MM-DD")
        if "related" in keys and not isinstance(keys["related"], yaml.SequenceNode):
            self.wrong(keys["related"], "related must be a list")
        if "status" in keys:
            self.word(keys["status"], "status", _STATUSES)
        if "generate" in keys:
            self.boolean(keys["generate"], "generate")
        level = self.word(keys["level"], "level", _LEVELS) if "level" in keys else Level.MEDIUM
        for key in ("title", "id", "correlation"):
            if key not in keys:
                self.wrong(node, f"{key} is missing")
        id_ = self.uuid(keys["id"]) if "id" in keys else None
        title = self.title(keys["title"]) if "title" in keys else None
        correlation = self.correlation(keys["correlation"]) if "correlation" in keys else None
        if level is None or id_ is None or title is None or correlation is None:
            return None
        indicator_type, timespan_ms, field, gte, organisations_gte = correlation
        return Rule(
            id=id_,
            title=title,
            level=Level(level),
            indicator_type=indicator_type,
            timespan_ms=timespan_ms,
            field=field,
            gte=gte,
            description=texts.get("description") or "",
            tags=tuple(lists.get("tags") or ()),
            organisations_gte=organisations_gte,
        )

    def correlation(
        self, node: yaml.Node
    ) -> tuple[str, int, Literal["country", "organisation"], int, int] | None:
        keys = self.mapping(node, "correlation", ("aliases", *_CORRELATION_KEYS))
        if keys is None:
            return None
        if "aliases" in keys:
            self.wrong(keys["aliases"], "correlation.aliases is not supported: leave it out")
        for key in _NEEDED_KEYS:
            if key not in keys:
                self.wrong(node, f"correlation.{key} is missing")
        if "generate" in keys:
            self.boolean(keys["generate"], "generate")
        if "type" in keys and (kind := self.scalar(keys["type"], "correlation.type")) is not None:
            if kind in _TYPES and kind != "value_count":
                self.wrong(keys["type"], f"correlation.type {kind} is not supported: value_count")
            else:
                self.word(keys["type"], "correlation.type", ("value_count",))
        if "rules" in keys:
            self.only(keys["rules"], "correlation.rules", (ANY_EVENT,))
        type_ = span = counted = None
        if "group-by" in keys:
            type_ = self.only(keys["group-by"], "correlation.group-by", INDICATOR_TYPES)
        if "timespan" in keys:
            span = self.timespan(keys["timespan"])
        if "condition" in keys:
            counted = self.condition(keys["condition"], keys.get(_ORGANISATIONS))
        if type_ is None or span is None or counted is None:
            return None
        return type_, span, *counted

    def condition(
        self, node: yaml.Node, beside: yaml.Node | None
    ) -> tuple[Literal["country", "organisation"], int, int] | None:
        if isinstance(node, yaml.ScalarNode):
            self.wrong(node, "correlation.condition must be a mapping: field and gte")
            return None
        keys = self.mapping(node, "correlation.condition", (*_CONDITION_KEYS, "lt", "lte", "eq"))
        if keys is None:
            return None
        for key in ("lt", "lte", "eq"):
            if key in keys:
                self.wrong(keys[key], f"correlation.condition.{key} is not supported: gte, or gt")
        bounds = [key for key in ("gte", "gt") if key in keys]
        for key in bounds[1:]:
            self.wrong(keys[key], "correlation.condition has both gte and gt: leave one out")
        if "field" not in keys:
            self.wrong(node, "correlation.condition.field is missing: country or organisation")
        if not bounds:
            self.wrong(node, "correlation.condition.gte is missing: how many make an alert")
        field = None
        if "field" in keys:
            field = self.only(keys["field"], "correlation.condition.field", tuple(_FIELDS))
        gte = self.count(keys[bounds[0]], f"correlation.condition.{bounds[0]}") if bounds else None
        organisations = self.organisations(field, keys.get(_ORGANISATIONS), beside)
        if field is None or gte is None or organisations is None:
            return None
        if field == "country" and gte > len(COUNTRIES):
            self.wrong(keys[bounds[0]], f"there are only {len(COUNTRIES)} countries")
        return _FIELDS[field], gte, organisations

    def organisations(
        self, field: str | None, within: yaml.Node | None, beside: yaml.Node | None
    ) -> int | None:
        node = within or beside
        if node is None:
            return 0
        if within is not None and beside is not None:
            self.wrong(beside, f"{_ORGANISATIONS} is there twice: leave one out")
        if field == "organisation":
            self.wrong(node, f"{_ORGANISATIONS} is for the field country: here, gte says it")
        where = "correlation.condition" if within is not None else "correlation"
        return self.count(node, f"{where}.{_ORGANISATIONS}")

    def count(self, node: yaml.Node, name: str) -> int | None:
        value = self.scalar(node, name)
        if value is None:
            return None
        more_than = name.endswith(".gt")
        gte = int(value) + more_than if _COUNT.fullmatch(value) else 0
        if node.tag != "tag:yaml.org,2002:int" or gte < 1:
            self.wrong(node, f"{name} must be a whole number from {1 - more_than} on")
            return None
        return gte

    def timespan(self, node: yaml.Node) -> int | None:
        value = self.scalar(node, "correlation.timespan")
        if value is None:
            return None
        match = _TIMESPAN.fullmatch(value)
        if match is None:
            form = "must be a whole number and s, m, h or d, as 90m"
            self.wrong(node, f"correlation.timespan {quoted(value)} {form}")
            return None
        milliseconds = int(match[1]) * _UNITS_MS[match[2]]
        if not 1000 <= milliseconds <= TIMESPAN_LIMIT_MS:
            self.wrong(node, f"correlation.timespan {value} is not between 1s and 30d")
            return None
        return milliseconds

    def uuid(self, node: yaml.Node) -> str | None:
        value = self.scalar(node, "id")
        if value is None or _UUID.fullmatch(value.lower()):
            return value and value.lower()
        self.wrong(
            node, f"id {quoted(value)} is not a UUID, as 01234567-89ab-4def-8123-456789abcdef"
        )
        return None

    def title(self, node: yaml.Node) -> str | None:
        value = self.text(node, "title")
        if value is None:
            return None
        if len(value) > TITLE_LIMIT or has_control(value):
            self.wrong(node, f"title must be one line of at most {TITLE_LIMIT} characters")
            return None
        return value
