"""What the schemas of registry and rules share."""

from __future__ import annotations

from pipeline.registry import TEXT_LENGTH

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Patterns are searched for, and Python's `$` also stands before a last line break: what must not be
# in a text is said with `not`.
CONTROL = {"pattern": r"[\u0000-\u001f\u007f-\u009f\u2028\u2029]"}
TEXT = {
    "type": "string",
    "minLength": 1,
    "maxLength": TEXT_LENGTH,
    "pattern": r"\S",
    "not": CONTROL,
}
