"""OCSF events of any class, version 1.1 or later: taken as they are.

What correlation reads is checked as intake will; the rest is passed on. The sensor is set, and an
event without an id gets one.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pipeline.adapter.format import NOT_JSON, Format, Options, Read, has
from pipeline.adapter.table import Problem, Shape

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII).match


def _entire(raw: bytes) -> dict[str, Any] | Problem:
    try:
        event = _decode(raw)
    except msgspec.ValidationError as error:
        return Problem(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Problem(f"{NOT_JSON}: {error}")
    except RecursionError:
        return Problem("nested deeper than 64 levels")
    if "class_uid" not in event:
        return Problem("class_uid: missing, and every OCSF event has one")
    metadata = event.get("metadata")
    version = metadata.get("version") if isinstance(metadata, dict) else None
    match = _VERSION(version) if isinstance(version, str) else None
    if match and (int(match[1]), int(match[2])) < (1, 1):
        return Problem(f"metadata.version: {match[0]}; OCSF from 1.1 on is taken")
    return event


def _no_table(_: Options) -> Read:
    return lambda _: ()


OCSF = Format(
    name="ocsf",
    title="OCSF",
    product={},
    reference="https://schema.ocsf.io/1.5.0/",
    tables=(),
    shape=Shape(()),
    reader=_no_table,
    entire=_entire,
    notes=(
        "Every attribute stays as it is, save `device.uid`, which becomes the sensor (what it was "
        "goes to `device.uid_alt`), and `metadata.uid`, which is added where it is missing.",
    ),
    json=True,
    of_keys=has("class_uid", "metadata", "time"),
)
