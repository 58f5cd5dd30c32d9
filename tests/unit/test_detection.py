"""Base rules: which events they select, and what is said of a bad one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.aspects import Asked
from pipeline.problem import Problem
from pipeline.rule import Level, Rule, Selection
from pipeline.rule_file import read_rules

CORRELATION = """\
---
title: c
id: 5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10
correlation:
  type: value_count
  rules: [base]
  group-by: [ip]
  timespan: 1h
  condition: {field: country, gte: 2}
"""


def read(detection: str) -> tuple[Selection | None, list[Problem]]:
    """The detection's lines are indented by two; its first is line 4."""
    lines = "".join(f"  {line}\n" for line in detection.splitlines())
    text = f"title: t\nname: base\ndetection:\n{lines}{CORRELATION}"
    rules, problems = read_rules(text, "r.yml")
    return (rules[0].selections[0] if rules else None), problems


def selects(detection: str, event: dict[str, Any]) -> bool:
    selection, problems = read(detection)
    assert problems == []
    assert selection is not None
    looked = {name: event.get(name) for name in selection.attributes}
    matches = selection.matches(looked)
    # What is ruled out without a look must be what would not have matched.
    asked = Asked([Rule("r", "r", Level.LOW, "ip", 60, "country", 2, selections=(selection,))])
    assert asked.look(json.dumps(event).encode()) == looked
    assert asked.worth_a_look(looked) or not matches
    return matches


EVENT = {
    "class_uid": 4001,
    "status": "Failure",
    "is_alert": True,
    "dst_endpoint": {"port": 22, "ip": "203.0.113.9", "name": None},
    "http_request": {"url": {"path": "/CGI-bin/luci/;stok=/locale"}, "user_agent": "zgrab/0.x"},
    "vulnerabilities": [{"cve": {"uid": "CVE-2021-44228"}}, {"cve": {"uid": "CVE-2020-1"}}],
    "ratio": 0.5,
}


@pytest.mark.parametrize(
    ("field", "good"),
    [
        ("class_uid: 4001", True),
        ("class_uid: '4001'", True),
        ("class_uid: 4002", False),
        ("class_uid: [1, 4001]", True),
        ("class_uid: [1, '4001']", True),
        ("class_uid: [1, 2]", False),
        ("status: [success, FAILURE]", True),
        ("vulnerabilities.cve.uid: [x, cve-2020-1]", True),
        ("nothing.x: [1, 2]", False),
        ("ratio: 0.5", True),
        ("is_alert: true", True),
        ("is_alert: false", False),
        ("is_alert: 1", False),
        ("status: failure", True),
        ("status|cased: failure", False),
        ("status|cased: Failure", True),
        ("status: fail", False),
        ("status: fail*", True),
        ("status: 'fa?l*e'", True),
        ("status: 'fa?*z'", False),
        ("status: '*a*l*u*r*'", True),
        ("dst_endpoint.port|gte: 22", True),
        ("dst_endpoint.port|gt: 22", False),
        ("dst_endpoint.port|lt: 23", True),
        ("dst_endpoint.port|lte: 21", False),
        ("status|lt: 23", False),
        ("dst_endpoint.ip|cidr: 203.0.113.0/24", True),
        ("dst_endpoint.ip|cidr: [10.0.0.0/8, 2001:db8::/32]", False),
        ("status|cidr: 10.0.0.0/8", False),
        ("http_request.url.path|contains: ';stok='", True),
        ("http_request.url.path|contains|all: [';stok=', '/cgi-bin/']", True),
        ("http_request.url.path|contains|all: [';stok=', 'x']", False),
        ("http_request.url.path|startswith: /cgi-bin", True),
        ("http_request.url.path|endswith: ['.php', locale]", True),
        ("http_request.user_agent|re: '^zgrab/\\d'", True),
        ("http_request.user_agent|re: '^ZGRAB'", False),
        ("http_request.user_agent|re|i: '^ZGRAB'", True),
        ("vulnerabilities.cve.uid: cve-2020-1", True),
        ("vulnerabilities.cve.uid: cve-2020-2", False),
        ("dst_endpoint.name: null", True),
        ("dst_endpoint.port: null", False),
        ("no.such.thing: null", True),
        ("no.such.thing: '*'", False),
        ("dst_endpoint|exists: true", True),
        ("dst_endpoint.name|exists: true", False),
        ("nothing|exists: false", True),
    ],
)
def test_a_field_and_its_values(field: str, good: bool) -> None:
    assert selects(f"x:\n  {field}\ncondition: x", EVENT) == good
    assert selects(f"x:\n  {field}\ncondition: not x", EVENT) != good


@pytest.mark.parametrize(
    ("condition", "good"),
    [
        ("yes_1", True),
        ("no_1", False),
        ("yes_1 and not no_1", True),
        ("yes_1 and no_1", False),
        ("no_1 or yes_2", True),
        ("1 of no_*", False),
        ("1 of yes_* and not 1 of no_*", True),
        ("all of yes_*", True),
        ("all of them", False),
        ("1 of them", True),
        ("any of them", True),
        ("not (no_1 or no_2) and yes_1", True),
    ],
)
def test_a_condition_of_several(condition: str, good: bool) -> None:
    """Fields of one search must all match, of a list of searches any."""
    searches = """\
yes_1: {class_uid: 4001, status: failure}
yes_2: [{class_uid: 1}, {class_uid: 4001}]
no_1: {class_uid: 4001, status: success}
no_2: [{class_uid: 1}, {status: success}]
"""
    every = "1 of them or not 1 of them"  # each search must be named
    assert selects(f"{searches}condition: ({condition}) and ({every})", EVENT) == good


def test_the_same_detection_has_the_same_digest_and_another_has_another() -> None:
    one, _ = read("x: {a: 1, b: 2}\ncondition: x")
    same, _ = read("x:\n  b: 2\n  a: 1\ncondition: x")
    other, _ = read("x: {a: '1', b: 2}\ncondition: x")
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.digest == same.digest != other.digest


@pytest.mark.parametrize(
    ("detection", "line", "message"),
    [
        ("x: {a: 1}", 4, "detection.condition is missing: which of its searches must match"),
        ("condition: x", 4, "detection has no search beside its condition"),
        ("x: {}\ncondition: x", 4, "a search without fields selects nothing"),
        ("x: 3\ncondition: x", 4, "a search must be fields with their values, or a list of such"),
        ("x: [a, b]\ncondition: x", 4, "a search must be fields with their values, or a list of such"),
        ("x:\n  a: 1\n  b|contans: c\ncondition: x", 6, "'b|contans': Unknown modifier 'contans'"),
        ("x:\n  a|fieldref: b\ncondition: x", 5, "'a|fieldref': a value of this kind is not supported"),
        ("x:\n  a|re: '('\ncondition: x", 5, "'a|re': Regular expression '(' is invalid: missing ), unterminated subpattern at position 0"),
        ("x:\n  a|cidr: 1.2.3.4/33\ncondition: x", 5, "'a|cidr': Invalid CIDR expression: '1.2.3.4/33' does not appear to be an IPv4 or IPv6 network"),
        ("x:\n  a|gte: b\ncondition: x", 5, None),
        ("x:\n  a..b: c\ncondition: x", 5, "'a..b': field 'a..b' is no path of attributes, as tls.sni"),
        ("x:\n  a: 0x10\ncondition: x", 5, "'0x10': write numbers in decimal, or put it in quotes"),
        ("x:\n  a: {b: c}\ncondition: x", 5, "a field's value must be a single one, or a list of single ones"),
        ("x: {a: 1}\ncondition: y", 5, "detection.condition: Detection 'y' not defined in detections"),
        ("x: {a: 1}\ncondition: 1 of y*", 5, "detection.condition: no search has a name that it asks for"),
        ("x: {a: 1}\ncondition: x and", 5, None),
        ("x: {a: 1}\ncondition: x | count() > 5", 5, None),
        ("x:\n  a|re: 'x{99999999999}'\ncondition: x", 5, "'a|re': the repetition number is too large"),
        (f"x:\n  a|re: '{'(' * 1_000}{')' * 1_000}'\ncondition: x", 5, None),
        ("x:\n  a|re: null\ncondition: x", 5, "'a|re': null takes no modifier"),
        ("x:\n  a|re: [null]\ncondition: x", 5, "'a|re': null takes no modifier"),
        ("x:\n  a: []\ncondition: x", 5, "an empty list: write null for an attribute that is not there"),
        ("x:\n  a|contains: []\ncondition: x", 5, "an empty list: write null for an attribute that is not there"),
        ("x:\n  a|expand: '%b%'\ncondition: x", 5, "'a|expand': placeholders (|expand) are not supported: write the values out"),
        ("x:\n  a|expand|contains: 'b%b%'\ncondition: x", 5, "'a|expand|contains': placeholders (|expand) are not supported: write the values out"),
        ("x: {a: 1}\ny: {b: 1}\ncondition: x", 5, "search 'y': detection.condition does not name it"),
        ("x: {a: 1}\n_y: {b: 1}\ncondition: 1 of them", 5, "search '_y': detection.condition does not name it"),
        ("xa: {a: 1}\nx: {b: 1}\ncondition: not 1 of xa*", 5, "search 'x': detection.condition does not name it"),
        ("x: {a: 1}\ncondition: x y", 5, "detection.condition: Expected end of text, found 'y' at character 3"),
        ("x: {a: 1}\ncondition: [x]", 5, "detection.condition must be a single value"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(
    detection: str, line: int, message: str | None
) -> None:
    _, problems = read(detection)
    (problem,) = problems
    assert problem.line == line
    assert message is None or problem.message == message
    assert "\n" not in problem.message


def test_a_base_rule_must_be_referred_to() -> None:
    base = "title: t\nname: {}\ndetection:\n  x: {{a: 1}}\n  condition: x\n"
    _, problems = read_rules(base.format("lonely"), "r.yml")
    assert [str(problem) for problem in problems] == [
        "r.yml:1: a base rule raises nothing by itself: a correlation in this file must name it"
    ]
    _, problems = read_rules(base.replace("name: {}\n", "").format(), "r.yml")
    assert "needs a name, or an id" in problems[0].message
    twice = f"{base.format('base')}---\n{base.format('base')}{CORRELATION}"
    _, problems = read_rules(twice, "r.yml")
    assert [str(problem) for problem in problems] == [
        "r.yml:7: a base rule 'base' is there already"
    ]


def test_only_attributes_that_are_asked_for_are_looked_at() -> None:
    selection, _ = read("x: {a.b: 1, c: 2}\ny: {a.d|exists: true}\ncondition: x or not y")
    assert selection is not None
    assert selection.attributes == ("a", "c")
    assert selection.matches(json.loads('{"a": {"b": [3, 1]}, "c": 2}'))
