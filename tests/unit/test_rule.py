from pathlib import Path

import pytest

from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.rule import Level, Rule
from pipeline.rule_file import check_unique, read_rules

DEFAULT_RULES = sorted((Path(__file__).parents[2] / "deploy" / "rules").glob("*.yml"))
CONTRACT_ID = "5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10"
GOOD = f"""\
title: One source in three countries within an hour
id: {CONTRACT_ID}
correlation:
  type: value_count
  rules: [any_event]
  group-by: [ip]              # one indicator type of the table above
  timespan: 1h                # s, m, h, d
  condition:
    field: country            # or: organisation
    gte: 3
level: medium
"""


def read(text: str) -> Rule:
    rules, problems = read_rules(text, "r.yml")
    assert problems == []
    (rule,) = rules
    return rule


def wrong(text: str) -> list[tuple[int | None, str]]:
    rules, problems = read_rules(text, "r.yml")
    assert rules == []
    assert {problem.where for problem in problems} <= {"r.yml"}
    return [(problem.line, problem.message) for problem in problems]


def test_the_contract_s_rule() -> None:
    assert read(GOOD) == Rule(
        id=CONTRACT_ID,
        title="One source in three countries within an hour",
        level=Level.MEDIUM,
        indicator_type="ip",
        timespan_ms=3_600_000,
        field="country",
        gte=3,
    )


@pytest.mark.parametrize("indent", ["  ", "    "])
def test_a_rule_may_demand_organisations_as_well(indent: str) -> None:
    """Beside the condition, or in it."""
    rule = read(GOOD.replace("gte: 3", f"gte: 3\n{indent}organisations_gte: 5"))
    assert (rule.field, rule.gte, rule.organisations_gte, rule.least) == ("country", 3, 5, 5)


def test_what_sigma_allows_beside_is_read() -> None:
    more = """\
name: three_countries
status: test
description: |
  Text of
  two lines.
author: me
date: 2025-01-31
modified: "2025-02-01"
references: [https://example.org]
taxonomy: sigma
related:
  - {id: a, type: similar}
tags:
  - attack.reconnaissance
falsepositives: Scanners
generate: false
"""
    rule = read("---\n" + GOOD + more + "...\n")
    assert rule.description == "Text of\ntwo lines.\n"
    assert rule.tags == ("attack.reconnaissance",)
    assert read(GOOD.replace("level: medium\n", "")).level is Level.MEDIUM
    assert read(GOOD.replace("type: value", "generate: no\n  type: value")).gte == 3


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        (CONTRACT_ID, CONTRACT_ID.upper(), "id", CONTRACT_ID),
        ("[any_event]", "any_event", "gte", 3),
        ("[any_event]", "\n    - any_event", "gte", 3),
        ("[ip]", "user_agent", "indicator_type", "user_agent"),
        ("field: country ", "field: [organisation] ", "field", "organisation"),
        ("gte: 3", "gte: 1", "gte", 1),
        ("gte: 3", "gt: 3", "gte", 4),
        ("gte: 3", "gt: 0", "gte", 1),
        ("1h ", "1s ", "timespan_ms", 1000),
        ("1h ", "90m ", "timespan_ms", 5_400_000),
        ("1h ", '"30d" ', "timespan_ms", 2_592_000_000),
        ("level: medium", "level: informational", "level", Level.INFORMATIONAL),
    ],
)
def test_forms_of_a_value(old: str, new: str, field: str, value: object) -> None:
    assert old in GOOD
    assert getattr(read(GOOD.replace(old, new)), field) == value


@pytest.mark.parametrize("indicator_type", INDICATOR_TYPES)
def test_every_indicator_type_can_be_grouped_by(indicator_type: str) -> None:
    assert read(GOOD.replace("[ip]", f"[{indicator_type}]")).indicator_type == indicator_type


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("level: m", "levle: m", 11, "unknown key 'levle'; did you mean 'level'?"),
        ("title: One source", "title: 12 #", 1, "title must be text: put it in quotes"),
        ("title: One source", "title: ' ' #", 1, "title is empty"),
        ("title: One source", "title: #", 1, "title is empty"),
        ("title: One", 'title: "a\\nb" #', 1, "title must be one line of at most 256 characters"),
        (CONTRACT_ID, "3", 2, "id '3' is not a UUID, as 01234567-89ab-4def-8123-456789abcdef"),
        (f"id: {CONTRACT_ID}\n", "", 1, "id is missing"),
        ("value_count", "event_count", 9, "unknown key 'field'"),
        ("value_count", "value_sum", 4, "correlation.type value_sum is not supported: value_count, event_count, temporal, temporal_ordered"),
        ("value_count", "count", 4, "correlation.type 'count' is not one of value_count, event_count, temporal, temporal_ordered"),
        ("[any_event]", "[any_event, any_event]", 5, "correlation.rules names the same twice"),
        ("[any_event]", "[]", 5, "correlation.rules must name 1 to 16 rules"),
        ("[any_event]", "[other]", 5, "correlation.rules 'other': no base rule of this file has that name or id"),
        ("[any_event]", "[any_evnt]", 5, "correlation.rules 'any_evnt': no base rule of this file has that name or id; did you mean 'any_event'?"),
        ("[ip]", "[]", 6, "correlation.group-by must hold exactly one of: " + ", ".join(INDICATOR_TYPES)),
        ("[ip]", "[ip, domain]", 6, "correlation.group-by must hold exactly one of: " + ", ".join(INDICATOR_TYPES)),
        ("[ip]", "[domian]", 6, "correlation.group-by 'domian' is not one of " + ", ".join(INDICATOR_TYPES) + "; did you mean 'domain'?"),
        ("1h ", "60 ", 7, "correlation.timespan '60' must be a whole number and s, m, h or d, as 90m"),
        ("1h ", "1H ", 7, "correlation.timespan '1H' must be a whole number and s, m, h or d, as 90m"),
        ("1h ", "0s ", 7, "correlation.timespan 0s is not between 1s and 30d"),
        ("1h ", "31d ", 7, "correlation.timespan 31d is not between 1s and 30d"),
        ("1h ", "[1h] ", 7, "correlation.timespan must be a single value"),
        ("field: country ", "field: sensor ", 9, "correlation.condition.field 'sensor' is not one of country, organisation, origin_country, origin_as"),
        ("gte: 3", "gte: 3\n    countries_gte: 3", 11, "countries_gte is for other fields than country: here, gte says it"),
        ("field: country            # or: organisation\n    gte: 3", "field: origin_country\n    gte: 250", 10, "there are only 249 countries"),

        ("    field: country            # or: organisation\n", "", 9, "correlation.condition.field is missing: country or organisation"),
        ("gte: 3", "lte: 3\n    gte: 3", 10, "correlation.condition.lte is not supported: gte, or gt"),
        ("gte: 3", "gte: 3\n    gt: 2", 11, "correlation.condition has both gte and gt: leave one out"),
        ("gte: 3", "gte: 0", 10, "correlation.condition.gte must be a whole number from 1 on"),
        ("gte: 3", "gte: 010", 10, "correlation.condition.gte must be a whole number from 1 on"),
        ("gte: 3", 'gte: "3"', 10, "correlation.condition.gte must be a whole number from 1 on"),
        ("gte: 3", "gt: -1", 10, "correlation.condition.gt must be a whole number from 0 on"),
        ("gte: 3", "gte:", 10, "correlation.condition.gte is empty"),
        ("gte: 3", "gte: 250", 10, "there are only 249 countries"),
        ("gte: 3", "gte: 3\n    organisations_gte: 0", 11, "correlation.condition.organisations_gte must be a whole number from 1 on"),
        ("gte: 3", "gte: 3\n  organisations_gte: x", 11, "correlation.organisations_gte must be a whole number from 1 on"),
        ("gte: 3", "gte: 3\n    organisations_gte: 2\n  organisations_gte: 2", 12, "organisations_gte is there twice: leave one out"),
        ("field: country            # or: organisation\n", "field: organisation\n    organisations_gte: 2\n", 10, "organisations_gte is for the field country: here, gte says it"),
        ("    gte: 3\n", "", 9, "correlation.condition.gte is missing: how many make an alert"),
        ("level: medium", "level: hihg", 11, "level 'hihg' is not one of informational, low, medium, high, critical; did you mean 'high'?"),
        ("level: medium", "level: low\nlevel: high", 12, "key 'level' is there twice, first on line 11"),
        ("level: medium", "related:\n  - {a: 1, a: 2}", 12, "key 'a' is there twice, first on line 12"),
        ("level: medium", "related: x", 11, "related must be a list"),
        ("level: medium", "status: good", 11, "status 'good' is not one of stable, test, experimental, deprecated, unsupported"),
        ("level: medium", "date: 2025/01/31", 11, "date must be a date written YYYY-MM-DD"),
        ("level: medium", 'modified: ""', 11, "modified must be a date written YYYY-MM-DD"),
        ("level: medium", "generate: maybe", 11, "generate must be true or false"),
        ("level: medium", "generate: true", 11, "generate: true is not supported: base rules raise nothing themselves"),
        ("  type:", "  generate: on\n  type:", 4, "generate: true is not supported: base rules raise nothing themselves"),
        ("level: medium", "tags: {a: b}", 11, "tags must be a list"),
        ("level: medium", "? [a]\n: b", 11, "a key of a rule must be a plain word"),
        ("  type:", "  aliases: {}\n  type:", 4, "correlation.aliases is not supported: leave it out"),
        ("level: medium", "detection: {a: b}", 11, "a correlation has no detection: a rule of its own has it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, line: int, message: str) -> None:
    assert old in GOOD
    assert wrong(GOOD.replace(old, new)) == [(line, message)]


def test_all_problems_come_at_once() -> None:
    assert wrong("title: x\ncorrelation:\n  type: temporal\n  condition: a and b\n") == [
        (1, "id is missing"),
        (3, "correlation.rules is missing"),
        (3, "correlation.group-by is missing"),
        (3, "correlation.timespan is missing"),
        (4, "correlation.condition must be a mapping: gte"),
    ]
    assert wrong("correlation:\n  condition: []\n  generate: no\n")[-1] == (
        2,
        "correlation.condition must be a mapping: key: value",
    )
    assert wrong("- a\n") == [(1, "a rule must be a mapping: key: value")]
    assert wrong(GOOD.replace("correlation:", "correlation: 3\nx:", 1))[0] == (
        3,
        "correlation must be a mapping: key: value",
    )


def test_one_file_may_hold_several_rules_and_the_good_ones_are_kept() -> None:
    other = GOOD.replace("5d0b", "5d0c")
    rules, problems = read_rules(f"---\n{GOOD}---\n---\ntitle: x\n---\n{other}---\n{GOOD}", "r.yml")
    assert [rule.id for rule in rules] == [CONTRACT_ID, CONTRACT_ID.replace("5d0b", "5d0c")]
    assert [(problem.line, problem.message) for problem in problems] == [
        (15, "id is missing"),
        (15, "correlation is missing"),
        (29, f"rule id {CONTRACT_ID} is there twice in this file: ids are unique"),
    ]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n---\n"])
def test_no_rule_is_no_problem(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: &x [1]\nb: *x\n", 1, "anchors and aliases (&, *) are not supported"),
        ("a: b\nc: *x\n", 2, "anchors and aliases (&, *) are not supported"),
        ("[\n" * 100_000, 17, "nested more than 16 levels deep"),
        ("- " * 100_000, 1, "nested more than 16 levels deep"),
        ("[" * 100_000, 1, "nested more than 16 levels deep"),
        ("a: b\nc: [", 2, "while parsing a flow node"),
        ("a: b\nc: \x07", 2, "a character that YAML forbids"),
        ("a: b\nc: \ud800", 2, "a character that YAML forbids"),
        ('a: "\\UFFFFFFFF"', None, ""),
        ('a: "\\U00110000"', None, ""),
        (f"%YAML 1.{'1' * 5000}\n---\na", None, ""),
    ],
)
def test_text_that_is_no_yaml(text: str, line: int | None, message: str) -> None:
    ((found, said),) = wrong(text)
    assert found == line
    assert said.startswith(f"cannot be read as YAML: {message}")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028"])
@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ('title: "x', 28),
        ("title: &a x", 27),
        ("- *a", 27),
        ("\ttitle: x", 27),
        ("title: [a", 28),
        ("a: b: c", 27),
    ],
)
def test_behind_what_is_no_yaml_it_is_read_on(end: str, broken: str, line: int) -> None:
    """What is wrong with a file is told in one go, each with its line."""
    other = GOOD.replace("5d0b", "5d0c")
    last = GOOD.replace("5d0b", "5d0d").replace("gte: 3", "gte: x")
    text = f"{GOOD}---\ntitle: x\n---\n{other}---\n{broken}\n---\n{last}".replace("\n", end)
    rules, problems = read_rules(text, "r.yml")
    assert [rule.id for rule in rules] == [CONTRACT_ID, CONTRACT_ID.replace("5d0b", "5d0c")]
    found = [(problem.line, problem.message.partition(": ")[0]) for problem in problems]
    assert found[:2] == [(13, "id is missing"), (13, "correlation is missing")]
    assert found[2:] == [
        (line, "cannot be read as YAML"),
        (38, "correlation.condition.gte must be a whole number from 1 on"),
    ]


def test_errors_of_syntax_are_bounded() -> None:
    assert len(wrong("---\n*a\n" * 20_000)) == 20


def test_nobody_is_told_that_a_base_rule_is_not_named_where_not_all_could_be_read() -> None:
    base = "title: t\nname: b\ndetection: {x: {a: 1}, condition: x}\n---\n"
    ((line, said),) = wrong(f"{base}title: [c\n")
    assert (line, said[:22]) == (6, "cannot be read as YAML")


def test_a_file_s_length_is_bounded() -> None:
    assert wrong("#" * 200_001) == [(None, "200001 characters long, 200000 at most")]


def test_the_list_of_problems_is_bounded() -> None:
    problems = wrong("a: 1\n" * 1000)
    assert len(problems) == 101
    assert problems[-1] == (None, "and 1902 more problems in this file")


def test_tags_of_objects_construct_nothing() -> None:
    assert wrong("!!python/object/apply:os.system ['true']")[0][1].startswith("a rule must be")


def test_ids_are_unique_over_files() -> None:
    rule = read(GOOD)
    (problem,) = check_unique([("a.yml", rule), ("b.yml", rule)])
    assert problem.where == "b.yml"
    taken = f"rule id {rule.id} is taken by a rule of a.yml: ids are unique"
    assert problem.message == taken
    assert check_unique([("a.yml", rule)]) == []


@pytest.mark.parametrize("path", DEFAULT_RULES, ids=lambda path: path.name)
def test_a_default_rule_file_has_no_problem(path: Path) -> None:
    rules, problems = read_rules(path.read_text("utf-8"), path.name)
    assert problems == []
    assert rules
    assert all(rule.description and rule.id != CONTRACT_ID for rule in rules)


def test_the_default_rules_cover_every_indicator_type_under_unique_ids() -> None:
    rules = [
        (path.name, rule)
        for path in DEFAULT_RULES
        for rule in read_rules(path.read_text("utf-8"), path.name)[0]
    ]
    assert check_unique(rules) == []
    across = [
        rule.indicator_type
        for _, rule in rules
        if (rule.field, rule.gte, rule.selections) == ("country", 3, (None,))
    ]
    assert sorted(across) == sorted(INDICATOR_TYPES)


def test_the_guide_s_rules_are_good() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
    listings = guide.split("```yaml\n")[1:]
    assert listings
    for listing in listings:
        rules, problems = read_rules(listing.partition("```")[0], "r.yml")
        assert rules
        assert problems == []


FAILED = """\
title: Failed login
name: failed
detection:
  x: {status_id: 2}
  condition: x
---
title: Scan
id: 6D0B6E0E-6f0c-4f0c-8f0a-0f3d3c1f2a10
detection:
  x: {class_uid: 4001}
  condition: x
---
"""
SCAN = "6d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10"


def asking(type_: str, rules: str, condition: str = "") -> str:
    return (
        f"{FAILED}title: t\nid: {CONTRACT_ID}\ncorrelation:\n  type: {type_}\n  rules: [{rules}]\n"
        f"  group-by: [ip]\n  timespan: 1h\n{condition}"
    )


@pytest.mark.parametrize(
    ("type_", "rules", "condition", "field", "gte", "beside", "ordered"),
    [
        ("temporal", f"failed, {SCAN}", "", "rule", 2, (0, 0), False),
        ("temporal", f"failed, {SCAN}", "  condition: {gte: 1}\n", "rule", 1, (0, 0), False),
        ("temporal_ordered", f"{SCAN.upper()}, failed", "", "rule", 2, (0, 0), True),
        ("temporal_ordered", f"failed, {SCAN}, any_event", "  countries_gte: 3\n", "rule", 3, (0, 3), True),
        ("event_count", f"failed, {SCAN}", "  condition: {gt: 9, organisations_gte: 2}\n", "event", 10, (2, 0), False),
        ("value_count", f"failed, {SCAN}", "  condition: {field: origin_as, gte: 9}\n", "origin_as", 9, (0, 0), False),
    ],
)  # fmt: skip
def test_rules_over_base_rules(
    type_: str,
    rules: str,
    condition: str,
    field: str,
    gte: int,
    beside: tuple[int, int],
    ordered: bool,
) -> None:
    rule = read(asking(type_, rules, condition))
    assert (rule.field, rule.gte, rule.ordered) == (field, gte, ordered)
    assert (rule.organisations_gte, rule.countries_gte) == beside
    titles = {"failed": "Failed login", SCAN: "Scan"}
    named = [titles.get(name.strip().lower()) for name in rules.split(",")]
    assert [of and of.name for of in rule.selections] == named


@pytest.mark.parametrize(
    ("type_", "rules", "condition", "line", "message"),
    [
        ("temporal", f"failed, {SCAN}", "  condition: {gte: 3}\n", 20, "correlation.rules names only 2"),
        ("temporal", f"failed, {SCAN}", "  condition: {eq: 2}\n", 20, "correlation.condition.eq is not supported: gte, or gt"),
        ("temporal_ordered", f"failed, {SCAN}", "  condition: {gte: 1}\n", 20, "a temporal_ordered rule asks for all its rules: leave this out"),
        ("event_count", f"failed, {SCAN}", "  condition: {gt: 1000}\n", 20, "an event_count may ask for at most 1000 events"),
        ("event_count", f"failed, {SCAN}", "", 16, "correlation.condition is missing"),
        ("event_count", f"failed, {SCAN}, any_event", "  condition: {gte: 2}\n", 17, "correlation.rules: any_event is every event: leave the others out"),
        ("event_count", f"failed, {SCAN}", "  condition: {gte: 2, countries_gte: 250}\n", 20, "there are only 249 countries"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_rules_over_base_rules(
    type_: str, rules: str, condition: str, line: int, message: str
) -> None:
    assert wrong(asking(type_, rules, condition)) == [(line, message)]


def test_one_rule_is_neither_temporal_nor_twice() -> None:
    assert (17, "correlation.rules must name at least two rules") in wrong(
        asking("temporal", "failed")
    )
    assert (17, "correlation.rules names the same twice") in wrong(
        asking("temporal", "failed, failed")
    )


def test_a_bad_base_rule_is_told_once() -> None:
    text = asking("temporal", f"failed, {SCAN}").replace("x: {status_id: 2}", "x: {status|re: '('}")
    ((line, message),) = wrong(text)
    assert line == 4
    assert "unterminated" in message
