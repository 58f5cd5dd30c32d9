"""The schemas of registry and rules allow what the parsers take, and nothing else.

As far as a schema can say it: that ids are unique, and that a timespan is at most 30 days, it
cannot. Documents are made of good values and of every kind of bad one.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.registry import read_registry
from pipeline.rule import Level
from pipeline.rule_file import read_rules
from pipeline.shell.schemas import documents

REGISTRY = jsonschema.Draft202012Validator(documents()["registry.json"])
RULE = jsonschema.Draft202012Validator(documents()["rule.json"])
ABSENT = object()

bad = st.sampled_from(
    [3, True, 1.5, "", " ", [], {}, ["a", "b"], {"a": "b"}, ABSENT, "\x07", "\u2028"]
)
texts = st.sampled_from(["a", "a b", "ü", "x" * 256, "x" * 257, "two\nlines", "tab\t", "\x85"])


def mostly(good: st.SearchStrategy[Any], *rarely: Any) -> st.SearchStrategy[Any]:
    """So rarely bad that about a third of the documents is good."""
    return st.sampled_from([True] * 24 + [False]).flatmap(
        lambda fine: good if fine else bad | st.sampled_from([*rarely, 3])
    )


def optional(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.booleans().flatmap(lambda given: value if given else st.just(ABSENT))


def table(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields).map(
        lambda drawn: {
            name if name == "organisations_gte" else name.replace("_", "-"): v
            for name, v in drawn.items()
            if v is not ABSENT
        }
    )


stray = st.sampled_from([ABSENT] * 39 + [1])  # now and then an unknown key
words = mostly(st.sampled_from(["a", "a b", "ü", "x" * 256]), "x" * 257, "two\nlines", "\x85")
countries = mostly(st.sampled_from(["CZ", "SK", "DE"]), "XX", "UK", "cz", "CZE")


def numbered(prefix: str, tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ids that are good made unique: that they must be is not a schema's to say."""
    return [
        one | {"id": f"{one['id']}-{prefix}{n}"} if one.get("id") == "a" else one
        for n, one in enumerate(tables)
    ]


organisations = st.lists(
    table(
        id=mostly(st.just("a"), "A", "a_b", "a.b", "x" * 239, "x" * 240, "a\n"),
        country=countries,
        name=words,
        sector=optional(words),
        contact=optional(words),
        sensor=optional(
            mostly(
                st.lists(
                    table(id=mostly(st.just("a"), "S 1", "x" * 257), country=optional(countries), colour=stray),
                    max_size=2,
                )
            )
        ),
        colour=stray,
    ),
    min_size=1,
    max_size=2,
)  # fmt: skip


def unique_ids(document: dict[str, Any]) -> bool:
    organisations = document.get("organisation")
    if not isinstance(organisations, list):
        return True
    for tables in (
        organisations,
        [
            sensor
            for one in organisations
            if isinstance(one, dict) and isinstance(one.get("sensor"), list)
            for sensor in one["sensor"]
        ],
    ):
        ids = [
            one["id"] for one in tables if isinstance(one, dict) and isinstance(one.get("id"), str)
        ]
        if len(ids) != len(set(ids)):
            return False
    return True


def as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, str):  # every character escaped: TOML allows fewer than JSON as they are
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return json.dumps(value)


@settings(max_examples=400, deadline=None)
@given(table(organisation=mostly(organisations, [], [3]), colour=stray))
def test_a_registry_is_valid_when_it_is_read(document: dict[str, Any]) -> None:
    some = document.get("organisation")
    if isinstance(some, list) and all(isinstance(one, dict) for one in some):
        document["organisation"] = some = numbered("o", some)
        for n, one in enumerate(some):
            if isinstance(one.get("sensor"), list) and all(
                isinstance(s, dict) for s in one["sensor"]
            ):
                one["sensor"] = numbered(f"s{n}", one["sensor"])
    if not unique_ids(document):
        return
    text = "\n".join(f"{json.dumps(key)} = {as_toml(value)}" for key, value in document.items())
    _, problems = read_registry(text)
    assert (problems == []) == REGISTRY.is_valid(document), problems


def alone_or_listed(words: list[str], *wrong: Any) -> st.SearchStrategy[Any]:
    one = st.sampled_from(words)
    return mostly(one | one.map(lambda word: [word]), [words[0], words[0]], [3], *wrong)


lists = mostly(st.lists(st.sampled_from(["a", "b"]), max_size=2) | st.just("a"), [3], [""], {})
ids = mostly(
    st.sampled_from(["5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10", "5D0B6E0E-6F0C-4F0C-8F0A-0F3D3C1F2A10"]),
    "5d0b6e0e6f0c4f0c8f0a0f3d3c1f2a10",
    "5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10\n",
    "x",
)  # fmt: skip
counts = st.sampled_from([1, 1, 3, 3, 249, 0, 250, 999_999_999, 10**9, -1])
conditions = table(
    field=alone_or_listed(["country", "organisation", "origin_country", "origin_as"], "city"),
    gte=optional(mostly(counts, "3", 1.5)),
    gt=optional(mostly(counts)),
    organisations_gte=st.sampled_from([ABSENT] * 9 + [2, 0, "2"]),
    countries_gte=st.sampled_from([ABSENT] * 9 + [2, 0, 250]),
    lte=stray,
)
event_conditions = table(
    gte=optional(mostly(st.sampled_from([1, 3, 1000, 0, 1001]), "3")),
    gt=optional(mostly(st.sampled_from([0, 1, 999, 1000, -1]))),
    organisations_gte=st.sampled_from([ABSENT] * 9 + [2, 0]),
    field=stray,
)


def correlation(type_: str, condition: Any) -> st.SearchStrategy[dict[str, Any]]:
    return table(
        type=mostly(st.just(type_), "value_sum", ["value_count"]),
        rules=alone_or_listed(["any_event"], [], ["any_event", "any_event"]),
        group_by=alone_or_listed(list(INDICATOR_TYPES), "port"),
        timespan=mostly(
            st.sampled_from(["1s", "90m", "1h", "007d", "30d"]), "1w", "h", "1H", "1.5h", "1h\n"
        ),
        condition=mostly(condition),
        organisations_gte=st.sampled_from([ABSENT] * 9 + [2, 0, "2"]),
        countries_gte=st.sampled_from([ABSENT] * 9 + [2, 0]),
        generate=optional(mostly(st.booleans())),
        aliases=stray,
    )


correlations = st.sampled_from(["value_count", "event_count"]).flatmap(
    lambda type_: correlation(type_, conditions if type_ == "value_count" else event_conditions)
)
dates = mostly(st.sampled_from(["2025-01-31", "1999-12-01"]), "2025-13-01", "2025-1-1", "31.1.2025")
rules = table(
    title=words,
    id=ids,
    level=optional(mostly(st.sampled_from([str(level) for level in Level]), "urgent")),
    status=optional(mostly(st.sampled_from(["stable", "test"]), "good")),
    description=optional(mostly(texts)),
    author=optional(mostly(texts)),
    name=optional(mostly(texts)),
    taxonomy=optional(mostly(texts)),
    license=optional(mostly(texts)),
    references=optional(lists),
    tags=optional(lists),
    falsepositives=optional(lists),
    date=optional(dates),
    modified=optional(dates),
    related=optional(mostly(st.just([{"id": "x", "type": "similar"}]), "x")),
    generate=optional(mostly(st.booleans())),
    correlation=mostly(correlations),
    colour=stray,
)


@settings(max_examples=600, deadline=None)
@given(rules)
def test_a_rule_is_valid_when_it_is_read(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, allow_unicode=False)
    read, problems = read_rules(text, "r.yml")
    assert (problems == []) == RULE.is_valid(document), problems
    assert bool(read) == (problems == [])
