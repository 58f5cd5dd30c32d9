"""The way of the data is the table of contents, and the core is pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pipeline

ROOT = Path(pipeline.__file__).parent
# A module may import what stands before it, never what stands after it.
WAY = (
    "problem",
    "country",
    "indicator_type",
    "event",
    "decode",
    "indicator",
    "registry",
    "party",
    "yaml_node",
    "rule",
    "clock",
    "slices",
    "window",
    "sight",
    "intake",
    "watermark",
    "memory",
    "episode",
    "track",
    "correlate",
    "checkpoint",
    "shard",
    "geo",
    "alert",
    "dead_letter",
    "resend",
)
FORBIDDEN = {
    *("faust", "mode", "aiokafka", "confluent_kafka", "prometheus_client", "maxminddb"),
    *("asyncio", "threading", "subprocess", "multiprocessing", "socket", "urllib", "http"),
    *("time", "datetime", "random", "secrets", "os", "io", "pathlib", "tempfile", "logging"),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            if node.module == "pipeline":
                yield from (f"pipeline.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def core() -> list[Path]:
    return [p for p in sorted(ROOT.glob("*.py")) if p.stem not in {"__init__", "__main__"}]


def test_every_module_of_the_core_has_its_place() -> None:
    assert {path.stem for path in core()} == set(WAY)


def test_the_core_is_pure() -> None:
    for path in core():
        found = {name.split(".")[0] for name in imports(path)} & FORBIDDEN
        assert not found, f"{path.name} imports {found}"
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"open", "print", "input"}, path.name


def test_a_stage_imports_only_what_lies_before_it() -> None:
    for path in core():
        before = set(WAY[: WAY.index(path.stem)]) | {"__version__"}
        ours = [name.split(".")[1] for name in imports(path) if name.startswith("pipeline.")]
        assert set(ours) <= before, f"{path.name}: {sorted(set(ours) - before)}"


def test_modules_can_be_read_at_a_sitting() -> None:
    for path in ROOT.rglob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 400, path.name
