"""The JSON Schema of a sensor registry."""

from __future__ import annotations

from typing import Any

from pipeline.country import COUNTRIES
from pipeline.registry import TOPIC_LENGTH
from pipeline.share.terms import Granularity
from pipeline.share.tlp import Pap, Tlp
from pipeline.shell.schema_terms import DIALECT, TEXT

_COUNTRY = {"type": "string", "enum": sorted(COUNTRIES)}

_TO = {
    "type": "string",
    "pattern": "^([A-Z]{2}|(alliance:)?[a-z0-9-]+)$",
    "description": "A country's code, an organisation, alliance:ID, community or public.",
}
_GRANT = {
    "type": "object",
    "required": ["to"],
    "additionalProperties": False,
    "properties": {"to": _TO, "as": {"type": "string", "enum": list(Granularity)}},
}

REGISTRY: dict[str, Any] = {
    "$schema": DIALECT,
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
                    "id": TEXT
                    | {"pattern": "^[a-z0-9-]+$", "maxLength": TOPIC_LENGTH - len("events.cz.")},
                    "country": _COUNTRY,
                    "name": TEXT,
                    "sector": TEXT,
                    "contact": TEXT,
                    "trust": {"type": "number", "minimum": 0, "maximum": 1},
                    "tlp": {"type": "string", "enum": list(Tlp)},
                    "pap": {"type": "string", "enum": list(Pap)},
                    "releasable_to": {"type": "array", "items": {"anyOf": [_TO, _GRANT]}},
                    "sensor": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["id"],
                            "additionalProperties": False,
                            "properties": {"id": TEXT, "country": _COUNTRY},
                        },
                    },
                },
            },
        }
    },
}
