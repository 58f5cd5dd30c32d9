"""Real logs in, valid OCSF out; and the tables say all that becomes of a field, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from pipeline.adapter.catalogue import BY_NAME, FORMATS, LOOKED_AT, detect
from pipeline.adapter.conversion import Conversion
from pipeline.adapter.table import Table
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.shell import formats_doc
from tests.golden.cases import CLOCK, LOGS, SENSOR, convert, expected, format_of, lines_of

OCSF = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0"))
NAMES = {uid: name.lower().replace(" ", "_") for uid, name in formats_doc.CLASSES.items()}
NAMES[2007] = "application_security_posture_finding"  # comes in, is made of nothing
ALL = pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
# Set by the engine, of no field of a log.
MADE = {
    "class_uid",
    "category_uid",
    "type_uid",
    "activity_id",
    "severity_id",
    "is_alert",
    "unmapped.undated",
}


@cache
def validator(class_uid: int, profiles: tuple[str, ...]) -> jsonschema.Draft202012Validator:
    schema = OCSF.get_class_schema(NAMES[class_uid], profiles=list(profiles))
    return jsonschema.Draft202012Validator(schema)


def events_of(path: Path) -> list[dict[str, Any]]:
    events, _ = convert(lines_of(path), format_of(path))
    return [json.loads(event) for event in events]


@ALL
def test_it_becomes_what_was_agreed(path: Path) -> None:
    """`python -m tests.golden` writes it anew."""
    events, rejected = convert(lines_of(path), format_of(path))
    assert rejected == []
    assert events == expected(path).read_bytes().splitlines()


@ALL
def test_it_is_valid_ocsf_and_a_good_event(path: Path) -> None:
    for document in events_of(path):
        profiles = tuple(document["metadata"].get("profiles", ()))
        validator(document["class_uid"], profiles).validate(document)
        (event,) = decode(json.dumps(document).encode())
        assert isinstance(event, Event)
        assert event.device.uid == SENSOR


@ALL
def test_ids_are_unique_and_the_same_again(path: Path) -> None:
    uids = [document["metadata"]["uid"] for document in events_of(path)]
    assert len(set(uids)) == len(uids)
    assert uids == [document["metadata"]["uid"] for document in events_of(path)]


@ALL
def test_its_format_is_told(path: Path) -> None:
    assert detect(lines_of(path)[:LOOKED_AT]) is format_of(path)


@ALL
def test_no_password_is_in_what_comes_out(path: Path) -> None:
    lines, format_ = lines_of(path), format_of(path)
    events, _ = convert(lines, format_)
    shown = Conversion(format_, SENSOR, CLOCK)
    said = [text for n, line in enumerate(lines, 1) for text in shown.explain(line, n)]
    assert b"Hunter2-clear" not in b"".join(events)
    assert "Hunter2-clear" not in "".join(said)


def test_the_passwords_that_are_looked_for_are_there() -> None:
    holding = {path.stem for path in LOGS if b"Hunter2-clear" in path.read_bytes()}
    assert {"cowrie.json", "cowrie.text", "opencanary.documented"} <= holding


def leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, of in value.items():
            yield from leaves(of, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield f"{path}[]"
    else:
        yield path


def test_every_attribute_that_comes_out_is_in_its_table() -> None:
    templates = {"connection_info.direction_id", "tls.version", "file.name", "file.type_id",
                 "http_request.url.path"}  # fmt: skip
    for path in LOGS:
        format_ = format_of(path)
        tables: dict[str, Table] = {table.name: table for table in format_.tables}
        for document in events_of(path):
            table = tables.get(document["metadata"].get("log_name", ""))
            if table is None:
                continue
            body = {k: v for k, v in document.items() if k not in {"metadata", "device", "actor"}}
            rows = {row.target for row in table.rows}
            prefixes = tuple(f"{target}." for target in rows)
            unsaid = {
                leaf
                for leaf in set(leaves(body)) - rows - MADE - templates
                if not leaf.startswith(prefixes)
            }
            assert not unsaid - {"user.name"}, f"{path.name}: {table.name}"


def test_every_table_has_a_case_and_most_rows() -> None:
    met = {
        (format_of(path).name, document["metadata"].get("log_name"))
        for path in LOGS
        for document in events_of(path)
    }
    for format_ in FORMATS:
        for table in format_.tables:
            assert (format_.name, table.name) in met, f"{format_.name}: {table.name}"


def test_every_format_has_a_case() -> None:
    assert {format_of(path).name for path in LOGS} == {format_.name for format_ in FORMATS}


def test_no_name_is_of_two_formats() -> None:
    assert len(BY_NAME) == sum(1 + len(format_.also) for format_ in FORMATS)


def test_the_page_is_made_of_the_tables() -> None:
    """`python -m pipeline.shell.formats_doc` writes it anew."""
    assert formats_doc.main(["--check"]) == 0


def test_every_case_says_where_it_is_from() -> None:
    assert all(path.suffix in {".log", ".jsonl", ".md"} for path in LOGS[0].parent.iterdir())
    assert (LOGS[0].parent / "SOURCES.md").exists()
