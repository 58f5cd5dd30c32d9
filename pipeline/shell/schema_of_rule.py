"""The JSON Schema of one document of a rule file."""

from __future__ import annotations

from typing import Any

from pipeline.correlation import EVENTS_LIMIT, RULES_LIMIT, TYPES
from pipeline.country import COUNTRIES
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.rule import ANY_EVENT, Level
from pipeline.shell.schema_terms import CONTROL, DIALECT, TEXT


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
    "title": TEXT,
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
        "generate": {"const": False},
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
                    "not": CONTROL,
                },
                "condition": {"type": "object"},
                "generate": {"const": False},
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
    "$schema": DIALECT,
    "title": "Rule",
    "description": "One document of a rule file: a Sigma correlation rule (Correlation Rules "
    "Specification 2), as far as it is supported, or a base rule that it refers to.",
    "oneOf": [_CORRELATION_RULE, _BASE_RULE],
}
