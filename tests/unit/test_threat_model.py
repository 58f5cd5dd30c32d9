"""The threat model names tests that there are, and says of rights what the code grants."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.shell.access.grants import Grant, Principal, Role, grants
from pipeline.shell.settings import Settings

ROOT = Path(__file__).parents[2]
MODEL = (ROOT / "docs/threat-model.md").read_text("utf-8")
TESTS = ROOT / "tests"
_TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)


def names_in(path: Path) -> set[str]:
    return set(_TEST.findall(path.read_text("utf-8")))


def test_every_test_that_it_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", MODEL))
    assert named
    assert named <= {test for path in TESTS.rglob("test_*.py") for test in names_in(path)}


def test_it_names_every_test_of_access() -> None:
    held = names_in(TESTS / "integration" / "test_security.py")
    assert held
    assert held <= set(re.findall(r"`(test_\w+)`", MODEL))


def test_every_attack_names_a_test() -> None:
    _, _, attacks = MODEL.partition("## Attacks")
    rows = [line for line in attacks.partition("## What is not")[0].splitlines() if "|" in line]
    for row in rows:
        told = row.rpartition(" | ")[2]
        assert "`test_" in told or "held by" in told or "---" in told, row


def test_the_table_of_roles_is_what_is_granted() -> None:
    """The docs' table, but for what workers look at before they start."""
    _, _, section = MODEL.partition("## Who may do what")
    rows = {
        cells[0].strip(" `"): cells[1:]
        for line in section.partition("\n## ")[0].splitlines()
        if line.startswith("| `")
        for cells in [line.strip("|").split("|")]
    }
    assert set(rows) == {*Role}
    for role in set(Role) - {Role.SENSOR, Role.WORKER}:
        reads, writes, group = (set(re.findall(r"`([^`]+)`", cell)) for cell in rows[role])
        granted = {
            grant
            for grant in grants(Principal(role, "n"), Settings())
            if grant.operation in {"READ", "WRITE"}
        }
        own = f"{role}/n"
        assert {shown(g) for g in granted if of(g, "topic", "READ")} == reads, role
        assert {shown(g) for g in granted if of(g, "topic", "WRITE")} == writes, role
        groups = {shown(g) for g in granted if g.kind == "group"}
        none = rows[role][2].strip() == "none"
        assert groups == (set() if none else group or {own}), role


def of(grant: Grant, kind: str, operation: str) -> bool:
    return (grant.kind, grant.operation) == (kind, operation)


def shown(grant: Grant) -> str:
    return f"{grant.name}*" if grant.prefixed else grant.name
