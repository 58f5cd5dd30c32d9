"""Files of Sigma rules: correlations, and the base rules that they refer to.

Pure: the text of a YAML file in, rules and problems out; nothing in it raises. YAML is composed to
nodes and never constructed: a node knows its line and cannot become an object. Source: SigmaHQ's
Sigma Correlation Rules Specification 2.0.2, narrowed as the product's contract says, "Rule".
"""

import re
from collections.abc import Iterable
from typing import Final

import yaml

from pipeline.correlation import Correlation, read_correlation, read_generate
from pipeline.problem import Problem, has_control, in_order, quoted
from pipeline.rule import ANY_EVENT, Level, Rule, Selection
from pipeline.yaml_node import Reading, documents

TITLE_LIMIT: Final = 256  # characters

_STATUSES: Final = ("stable", "test", "experimental", "deprecated", "unsupported")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_DATE: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")

# Keys of a rule by what their values must be; those that say nothing to us are only checked.
_TEXTS: Final = ("description", "author", "name", "taxonomy", "license")
_LISTS: Final = ("references", "tags", "falsepositives")
_DATES: Final = ("date", "modified")
_KEYS: Final = ("title", *_TEXTS, "id", "status", "level", *_LISTS, *_DATES, "related")
_RULE_KEYS: Final = (*_KEYS, "generate", "correlation")
_BASE_KEYS: Final = (*_KEYS, "logsource", "detection", "fields")

_LEVELS: Final = tuple(level.value for level in Level)


def read_rules(text: str, where: str) -> tuple[list[Rule], list[Problem]]:
    """The good rules of one YAML file, and all that is wrong with the others.

    `where` names the file in the problems. The file may hold several documents, a rule each; an
    empty one is no rule and no problem. Base rules are no rules by themselves: a correlation of the
    same file refers to them. A rule with any problem is left out. Never raises.
    """
    nodes, problems = documents(text, where)
    file = _File(where)
    for node in nodes:
        if _is_base(node):
            file.base_rule(node)
    for node in nodes:
        if not _is_base(node):
            file.correlation(node)
    if not problems:  # or what refers to a base rule may be where nothing could be read
        file.unreferred()
    return list(file.rules.values()), in_order(problems + file.problems)


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


def _is_base(node: yaml.Node) -> bool:
    if not isinstance(node, yaml.MappingNode):
        return False
    keys = {key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
    return "correlation" not in keys and bool(keys & {"detection", "logsource"})


class _File:
    """The rules of one file, as they are read."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.problems: list[Problem] = []
        self.rules: dict[str, Rule] = {}
        self._selections: dict[str, Selection | None] = {}
        """Base rules by name and by id; None for one with a problem."""
        self._bases: list[tuple[yaml.Node, list[str]]] = []
        self._referred: set[str] = set()

    def base_rule(self, node: yaml.Node) -> None:
        reading = _Reading(self._where)
        selection, names = reading.base_rule(node)
        for name in names:
            if name in self._selections or name == ANY_EVENT:
                reading.wrong(node, f"a base rule {quoted(name)} is there already")
            self._selections[name] = None if reading.problems else selection
        self._bases.append((node, names))
        self.problems += reading.problems

    def correlation(self, node: yaml.Node) -> None:
        reading = _Reading(self._where)
        rule, named = reading.rule(node, self._selections)
        self._referred.update(named)
        if rule is not None and rule.id in self.rules:
            reading.wrong(node, f"rule id {rule.id} is there twice in this file: ids are unique")
        elif rule is not None and not reading.problems:
            self.rules[rule.id] = rule
        self.problems += reading.problems

    def unreferred(self) -> None:
        for node, names in self._bases:
            if not self._referred.intersection(names):
                alone = (
                    "a base rule raises nothing by itself: a correlation in this file must name it"
                    if names
                    else "a base rule needs a name, or an id, for a correlation to refer to"
                )
                self.problems.append(Problem(self._where, node.start_mark.line + 1, alone))


class _Reading(Reading):
    """One rule being read: a method returns what is asked for, or None and notes why not."""

    def base_rule(self, node: yaml.Node) -> tuple[Selection | None, list[str]]:
        """What it selects, and what it can be referred to by."""
        # Only who has such a rule pays for what it takes to read one: a tenth of a second.
        from pipeline.detection import read_detection

        self.check_keys(node)
        keys = self.mapping(node, "a rule", _BASE_KEYS) or {}
        self.beside(keys)
        for key in ("title", "detection"):
            if key not in keys:
                self.wrong(node, f"{key} is missing")
        if "logsource" in keys and not isinstance(keys["logsource"], yaml.MappingNode):
            self.wrong(keys["logsource"], "logsource must be a mapping: key: value")
        title = self.title(keys["title"]) if "title" in keys else None
        names: list[str] = []
        if "name" in keys and (name := self.text(keys["name"], "name")) is not None:
            names.append(name)
        if "id" in keys and (id_ := self.uuid(keys["id"])) is not None:
            names.append(id_)
        if "detection" not in keys:
            return None, names
        called = names[0] if names else title or ""
        return read_detection(self, keys["detection"], title or called), names

    def rule(
        self, node: yaml.Node, selections: dict[str, Selection | None]
    ) -> tuple[Rule | None, set[str]]:
        """The rule, and the names of base rules that it refers to."""
        self.check_keys(node)
        keys = self.mapping(node, "a rule", ("logsource", "detection", *_RULE_KEYS))
        if keys is None:
            return None, set()
        for key in ("detection", "logsource"):
            if key in keys:
                self.wrong(keys[key], f"a correlation has no {key}: a rule of its own has it")
        texts, tags = self.beside(keys)
        if "generate" in keys:
            read_generate(self, keys["generate"])
        for key in ("title", "id", "correlation"):
            if key not in keys:
                self.wrong(node, f"{key} is missing")
        level = self.word(keys["level"], "level", _LEVELS) if "level" in keys else Level.MEDIUM
        id_ = self.uuid(keys["id"]) if "id" in keys else None
        title = self.title(keys["title"]) if "title" in keys else None
        found, named = None, set[str]()
        if "correlation" in keys:
            found, named = read_correlation(self, keys["correlation"], selections)
        if level is None or id_ is None or title is None or found is None:
            return None, named
        return _rule(id_, title, Level(level), texts.get("description") or "", tags, found), named

    def beside(self, keys: dict[str, yaml.Node]) -> tuple[dict[str, str | None], tuple[str, ...]]:
        """What says little to us: the texts, and the tags."""
        texts: dict[str, str | None] = {
            key: self.text(keys[key], key) for key in _TEXTS if key in keys
        }
        lists = {key: self.texts(keys[key], key) for key in (*_LISTS, "fields") if key in keys}
        for key in _DATES:
            date = self.scalar(keys[key], key) if key in keys else None
            if date is not None and not _DATE.fullmatch(date):
                self.wrong(keys[key], f"{key} must be a date written YYYY-MM-DD")
        if "related" in keys and not isinstance(keys["related"], yaml.SequenceNode):
            self.wrong(keys["related"], "related must be a list")
        if "status" in keys:
            self.word(keys["status"], "status", _STATUSES)
        return texts, tuple(lists.get("tags") or ())

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


def _rule(
    id_: str, title: str, level: Level, description: str, tags: tuple[str, ...], of: Correlation
) -> Rule:
    return Rule(
        id=id_,
        title=title,
        level=level,
        indicator_type=of.indicator_type,
        timespan_ms=of.timespan_ms,
        field=of.field,
        gte=of.gte,
        description=description,
        tags=tags,
        organisations_gte=of.organisations_gte,
        countries_gte=of.countries_gte,
        selections=of.selections,
        ordered=of.ordered,
    )
