"""The JSON Schemas in `schemas/`, made from the types.

`python -m pipeline.shell.schemas` writes them anew; `--check` fails if they differ from the types.
Registry and rules are read by hand-written parsers that say what is wrong in words; their schemas
are written here, and a test holds that both agree.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.label import Label
from pipeline.correlation import EVENTS_LIMIT, RULES_LIMIT, TYPES
from pipeline.country import COUNTRIES
from pipeline.dead_letter import DeadLetter
from pipeline.event import Event
from pipeline.feedback import SourceFigures
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.registry import TEXT_LENGTH, TOPIC_LENGTH
from pipeline.rule import ANY_EVENT, Level
from pipeline.sight import Progress, Sightings

FOLDER = Path(__file__).parents[2] / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _of(kind: Any, title: str, description: str) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return {
        "$schema": _DIALECT,
        "title": title,
        "description": description,
        **reference,
        "$defs": components,
    }


# Patterns are searched for, and Python's `$` also stands before a last line break: what must not be
# in a text is said with `not`.
_CONTROL = {"pattern": r"[\u0000-\u001f\u007f-\u009f\u2028\u2029]"}
_COUNTRY = {"type": "string", "enum": sorted(COUNTRIES)}
_TEXT = {
    "type": "string",
    "minLength": 1,
    "maxLength": TEXT_LENGTH,
    "pattern": r"\S",
    "not": _CONTROL,
}

REGISTRY: dict[str, Any] = {
    "$schema": _DIALECT,
    "title": "Sensor registry",
    "description": "sensors.toml: who may speak, and for which party. Ids are unique in the file.",
    "type": "object",
    "required": ["organisation"],
    "additionalProperties": False,
    "properties": {
        "organisation": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "country", "name"],
                "additionalProperties": False,
                "properties": {
                    "id": _TEXT
                    | {"pattern": "^[a-z0-9-]+$", "maxLength": TOPIC_LENGTH - len("events.cz.")},
                    "country": _COUNTRY,
                    "name": _TEXT,
                    "sector": _TEXT,
                    "contact": _TEXT,
                    "trust": {"type": "number", "minimum": 0, "maximum": 1},
                    "sensor": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["id"],
                            "additionalProperties": False,
                            "properties": {"id": _TEXT, "country": _COUNTRY},
                        },
                    },
                },
            },
        }
    },
}


def _one_or_list_of_one(schema: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [schema, {"type": "array", "items": schema, "minItems": 1, "maxItems": 1}]}


_WORDS = {"type": "string", "pattern": r"\S"}
_WORD_LIST = {"anyOf": [_WORDS, {"type": "array", "items": _WORDS}]}
_DATE = {
    "type": "string",
    "maxLength": 10,
    "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
}
_MANY = 999_999_999
_ORGANISATIONS = {
    "description": "At least so many distinct organisations as well, with any other field.",
    "type": "integer",
    "minimum": 1,
    "maximum": _MANY,
}
_COUNTRIES = {
    "description": "At least so many distinct countries as well, with any other field.",
    "type": "integer",
    "minimum": 1,
    "maximum": len(COUNTRIES),
}
_BESIDE = {"organisations_gte": _ORGANISATIONS, "countries_gte": _COUNTRIES}


def _at_least(most: int) -> dict[str, Any]:
    """A condition's bounds."""
    return {
        "gte": {"type": "integer", "minimum": 1, "maximum": most},
        "gt": {"type": "integer", "minimum": 0, "maximum": most - (most < _MANY)},
    }


_NAME = {
    "description": f"{ANY_EVENT}, or the name or id of a base rule in the same file.",
    "type": "string",
    "minLength": 1,
}
_ANY_NAMES = {
    "anyOf": [
        _NAME,
        {"type": "array", "items": _NAME, "minItems": 1, "maxItems": RULES_LIMIT,
         "uniqueItems": True},
    ]
}  # fmt: skip
_ONE_BOUND = {"oneOf": [{"required": ["gte"]}, {"required": ["gt"]}]}


def _value_count(field: list[str], most: int, beside: list[str]) -> dict[str, Any]:
    return _counted(
        {
            "type": "object",
            "required": ["field"],
            "additionalProperties": False,
            **_ONE_BOUND,
            "properties": {
                "field": _one_or_list_of_one({"enum": field}),
                **_at_least(most),
                **{key: _BESIDE[key] for key in beside},
            },
        },
        beside,
        {"type": {"const": "value_count"}},
        ["condition"],
    )


def _counted(
    condition: dict[str, Any], beside: list[str], more: dict[str, Any], needed: list[str]
) -> dict[str, Any]:
    """A `correlation`: what its condition is, and what may stand in it or beside it, not both."""
    return {
        "properties": {
            **more,
            "condition": condition,
            **{key: key in beside for key in _BESIDE},
        },
        "required": needed,
        "allOf": [
            {
                "if": {"required": [key]},
                "then": {"properties": {"condition": {"properties": {key: False}}}},
            }
            for key in beside
        ],
    }


def _others(type_: str, most: int, *, ordered: bool = False) -> dict[str, Any]:
    of_rules = type_ != "event_count"
    bounds = {} if ordered else _at_least(most)
    one = {"not": {"required": ["gte", "gt"]}} if of_rules else _ONE_BOUND
    condition = {
        "type": "object",
        "additionalProperties": False,
        "properties": {**bounds, **_BESIDE},
        **one,
    }
    rules = {
        "rules": {"type": "array", "items": _NAME, "minItems": 2, "maxItems": RULES_LIMIT,
                  "uniqueItems": True}
    }  # fmt: skip
    needed = [] if of_rules else ["condition"]
    type_is = {"type": {"const": type_}}
    return _counted(condition, list(_BESIDE), type_is | (rules if of_rules else {}), needed)


_BOTH = list(_BESIDE)

_BESIDE_RULES: dict[str, Any] = {
    "title": _TEXT,
    "id": {
        "type": "string",
        "maxLength": 36,
        "pattern": "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
    },
    "level": {"enum": [str(level) for level in Level]},
    "status": {"enum": ["stable", "test", "experimental", "deprecated", "unsupported"]},
    **dict.fromkeys(("description", "author", "name", "taxonomy", "license"), _WORDS),
    **dict.fromkeys(("references", "tags", "falsepositives"), _WORD_LIST),
    **dict.fromkeys(("date", "modified"), _DATE),
    "related": {"type": "array"},
}
_CORRELATION_RULE: dict[str, Any] = {
    "title": "Correlation",
    "type": "object",
    "required": ["title", "id", "correlation"],
    "additionalProperties": False,
    "properties": {
        **_BESIDE_RULES,
        "generate": {"type": "boolean"},
        "correlation": {
            "type": "object",
            "required": ["type", "rules", "group-by", "timespan"],
            "additionalProperties": False,
            "properties": {
                "type": {"enum": list(TYPES)},
                "rules": _ANY_NAMES,
                "group-by": _one_or_list_of_one({"enum": list(INDICATOR_TYPES)}),
                "timespan": {
                    "description": "From 1s to 30d.",
                    "type": "string",
                    "pattern": "^[0-9]{1,9}[smhd]$",
                    "not": _CONTROL,
                },
                "condition": {"type": "object"},
                "generate": {"type": "boolean"},
                **_BESIDE,
            },
            "oneOf": [
                _value_count(["country"], len(COUNTRIES), ["organisations_gte"]),
                _value_count(["organisation"], _MANY, ["countries_gte"]),
                _value_count(["origin_country"], len(COUNTRIES), _BOTH),
                _value_count(["origin_as"], _MANY, _BOTH),
                _others("event_count", EVENTS_LIMIT),
                _others("temporal", RULES_LIMIT),
                _others("temporal_ordered", RULES_LIMIT, ordered=True),
            ],
        },
    },
}
_VALUE = {"type": ["string", "number", "boolean", "null"]}
_FIELD_VALUES = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"anyOf": [_VALUE, {"type": "array", "items": _VALUE}]},
}
_BASE_RULE: dict[str, Any] = {
    "title": "Base rule",
    "description": "Selects events by OCSF attributes, as http_request.url.path|contains; raises "
    "nothing by itself.",
    "type": "object",
    "required": ["title", "detection"],
    "additionalProperties": False,
    "properties": {
        **_BESIDE_RULES,
        "fields": _WORD_LIST,
        "logsource": {"type": "object"},
        "detection": {
            "type": "object",
            "required": ["condition"],
            "minProperties": 2,
            "properties": {"condition": _WORDS},
            "additionalProperties": {
                "anyOf": [_FIELD_VALUES, {"type": "array", "items": _FIELD_VALUES, "minItems": 1}]
            },
        },
    },
}
RULE: dict[str, Any] = {
    "$schema": _DIALECT,
    "title": "Rule",
    "description": "One document of a rule file: a Sigma correlation rule (Correlation Rules "
    "Specification 2), as far as it is supported, or a base rule that it refers to.",
    "oneOf": [_CORRELATION_RULE, _BASE_RULE],
}


def documents() -> dict[str, dict[str, Any]]:
    """Every schema by its file name."""
    return {
        name: {"$id": f"urn:sightline:{name.removesuffix('.json')}", **document}
        for name, document in _documents().items()
    }


def _documents() -> dict[str, dict[str, Any]]:
    return {
        "event.json": _of(
            Event,
            "Event",
            "What Sightline requires of an OCSF 1.5.0 event, and what it reads of it. Any other "
            "attribute is allowed and skipped.",
        ),
        "sightings.json": _of(
            Sightings,
            "Sightings",
            "One record of the sightings topic, as MessagePack: arrays in the order of the fields.",
        ),
        "progress.json": _of(
            Progress,
            "Progress",
            "A record of the sightings topic with the key `progress`, as MessagePack.",
        ),
        "alert.json": _of(Alert, "Alert", "An OCSF 1.5.0 Detection Finding on topic alerts."),
        "campaign.json": _of(Campaign, "Campaign", "A campaign on topic campaigns."),
        "label.json": _of(Label, "Label", "What an analyst says, on topic labels."),
        "dead-letter.json": _of(DeadLetter, "Dead letter", "A rejected event on dead-letters."),
        "sensors.json": _of(SourceFigures, "Figures of a source", "A record of the topic sensors."),
        "registry.json": REGISTRY,
        "rule.json": RULE,
    }


def render(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the schemas, or with `--check` say which differ; the exit status."""
    different = []
    for name, document in documents().items():
        path = FOLDER / name
        if arguments == ["--check"]:
            if not path.exists() or path.read_text("utf-8") != render(document):
                different.append(name)
        else:
            path.write_text(render(document), "utf-8")
    for name in different:
        print(f"schemas/{name} differs from the types: make schemas", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
