"""The JSON Schema of a sensor registry."""

from __future__ import annotations

from typing import Any

from pipeline.country import COUNTRIES
from pipeline.registry import TOPIC_LENGTH
from pipeline.shell.schema_terms import DIALECT, TEXT

_COUNTRY = {"type": "string", "enum": sorted(COUNTRIES)}

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
