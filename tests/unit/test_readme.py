"""What the documents name exists, and what exists is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from aiokafka import codec
from prometheus_client.metrics import MetricWrapperBase

from pipeline import canonical, dead_letter, decode, event, shard
from pipeline.decode import Reason
from pipeline.registry import Registry
from pipeline.shell import app, canary_metrics, metrics, topics, unpack
from pipeline.shell.cli import cli
from pipeline.shell.cli_group import Commands
from pipeline.shell.serve import serve_metrics
from pipeline.shell.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs/operations.md").read_text("utf-8")
MONITORING = (ROOT / "docs/monitoring.md").read_text("utf-8")
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
THREATS = ROOT / "docs/threat-model.md"
FIGURES = [ROOT / "docs/performance.md", ROOT / "docs/scaling.md"]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "docs/README.md",
    ROOT / "docs/tutorial.md",
    ROOT / "docs/trainers-guide.md",
    ROOT / "docs/supply-chain.md",
    ROOT / "docs/reference.md",
    ROOT / "docs/operations.md",
    ROOT / "docs/monitoring.md",
    ROOT / "docs/deploy.md",
    *sorted((ROOT / "docs/runbooks").glob("*.md")),
    ROOT / "docs/rules.md",
    ROOT / "docs/notifications.md",
    ROOT / "docs/sharing.md",
    THREATS,
    *FIGURES,
    *DECISIONS,
]

# `sightline broker [--dir DIR]` in code, to its end or to a pipe; a line may be continued.
_CALL = re.compile(r"(?:^|`|\n)sightline ([a-z-]+(?: [a-z]+)?)((?:\\\n|\\\||[^`\n|])*)")
_OPTION = re.compile(r"--[a-z][a-z-]*")


@cache
def commands() -> dict[str, set[str]]:
    """Every command's options, that of a group as `group command`."""
    root = typer.main.get_command(cli)
    assert isinstance(root, Commands)
    root.list_commands(typer.Context(root))  # which loads them
    return dict(_options("", root))


def _options(name: str, command: Any) -> Iterator[tuple[str, set[str]]]:
    for child, below in getattr(command, "commands", {}).items():
        yield from _options(f"{name} {child}".strip(), below)
    if not hasattr(command, "commands"):
        yield (
            name,
            {
                option
                for parameter in command.params
                for option in (*parameter.opts, *parameter.secondary_opts)
                if option.startswith("--")
            },
        )


def calls(text: str) -> Iterator[tuple[str, str]]:
    """Each call of a command in a text: the command, and what follows."""
    known = commands()
    for name, rest in _CALL.findall(text):
        yield (name, rest) if name in known else (name.split()[0], rest)


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without the head."""
    _, _, section = text.partition(f"\n## {heading}\n")
    lines = re.split(r"\n#+ ", section)[0].splitlines()
    rows = [line for line in lines if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def every_metric() -> Iterator[tuple[str, str]]:
    """The name as Prometheus shows it, and the type."""
    for metric in (
        *vars(metrics).values(),
        *vars(canary_metrics).values(),
        *vars(serve_metrics).values(),
    ):
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            suffix = "_total" if described.type == "counter" else ""
            yield described.name + suffix, described.type


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_named_exists_with_its_options(path: Path) -> None:
    known = commands()
    for name, rest in calls(path.read_text("utf-8")):
        if name in {each.split()[0] for each in known if " " in each}:
            continue  # a group itself
        assert name in known, name
        assert set(_OPTION.findall(rest)) <= known[name], f"{name} {rest}"


def test_every_command_is_named_with_every_option() -> None:
    rows = table(REFERENCE, "Commands")
    named = dict(call for row in rows for call in calls(row[0]))
    filters = set(_OPTION.findall(named["dead-letters summary"]))
    filters |= set(
        re.findall(r"`(--[a-z]+) ", dict(zip(named, rows, strict=True))["dead-letters summary"][1])
    )
    for name, options in commands().items():
        assert name in named
        said = set(_OPTION.findall(named[name]))
        missing = options - said - (filters if "FILTER" in named[name] else set())
        assert missing <= {"--restart"}, f"{name}: {missing}"


def test_the_settings_are_those_that_there_are() -> None:
    rows = table(REFERENCE, "Settings")
    said = {name.strip("`"): default.strip("`") for name, default, _ in rows}
    defaults = Settings()
    assert said == {name: str(getattr(defaults, name)) for name in Settings.__struct_fields__}
    variables = {
        name
        for path in DOCUMENTS
        for name in re.findall(rf"{PREFIX}([A-Z_]+)", path.read_text("utf-8"))
    }
    assert {name.lower() for name in variables} <= {*Settings.__struct_fields__, "config"}


def test_the_metrics_are_those_that_there_are() -> None:
    rows = table(REFERENCE, "Metrics")
    assert sorted((name.strip("`"), kind) for name, kind, _ in rows) == sorted(every_metric())


def test_monitoring_names_every_metric_and_no_other() -> None:
    names = {name for name, _ in every_metric()}
    named = {
        name.removesuffix("_bucket").removesuffix("_count")
        if re.search(r"_seconds_(bucket|count)$", name)
        else name
        for name in re.findall(r"\bsightline_[a-z_]+\b", MONITORING)
    }
    assert named <= names
    shortened = {name for end in re.findall(r"…(_[a-z_]+)", MONITORING) for name in names
                 if name.endswith(end)}  # fmt: skip
    assert names == named | shortened


def test_operations_lists_the_topics_as_they_are_made() -> None:
    wanted = {topic.name: topic for topic in topics.wanted(Registry(()), Settings())}
    rows = {name.split("`")[1]: row for name, *row in table(OPERATIONS, "Topics")}
    assert set(rows) == {*wanted, "events.<country>.<organisation>"}
    for name, (_, configuration, _) in rows.items():
        config = wanted[name].config if name in wanted else topics.STAMPED
        said = dict(pair.split("=") for pair in re.findall(r"`([^`]+=[^`]+)`", configuration))
        assert said == config, name


def test_the_reasons_are_those_that_there_are() -> None:
    _, _, after = README.partition("### What counts as one event")
    said = set(re.findall(r"^\| `([a-z-]+)` \|", after.partition("\n## ")[0], re.MULTILINE))
    assert said == set(Reason)


def test_the_bounds_are_those_of_the_code() -> None:
    """Change the numbers in docs/operations.md and README.md, too."""
    assert (decode.MAX_EVENT_BYTES, decode.MAX_MESSAGE_BYTES) == (256 << 10, 4 << 20)
    assert (decode.MAX_MESSAGE_EVENTS, decode.MAX_DEPTH) == (10_000, 64)
    assert (event.MAX_ELEMENTS, event.MAX_VALUES) == (1024, 1024)
    assert (canonical.MAX_VALUE_CHARACTERS, canonical._CACHED) == (2048, 65_536)
    assert canonical._CACHED_CHARACTERS == 256
    assert (dead_letter.KEPT_BYTES, shard.SEGMENT_BYTES) == (512 << 10, 768 << 10)
    assert (shard.SEGMENT_INDICATORS, app.MAX_POLL_RECORDS) == (1_000, 16_000)
    assert unpack.MAX_BATCH_BYTES == 32 << 20
    assert (app.FETCH_BYTES, app.SESSION_TIMEOUT_S) == (2 << 20, 10.0)


def test_every_codec_of_kafka_can_be_read() -> None:
    assert all((codec.has_gzip(), codec.has_snappy(), codec.has_lz4(), codec.has_zstd()))


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, ROOT / "docs/decisions/README.md"], ids=lambda path: path.name
)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        if file.startswith("http"):
            continue
        at = (path.parent / file).resolve() if file else path
        assert at.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", at.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}
            assert anchor in slugs, target


def test_the_index_lists_every_decision() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text("utf-8")
    assert re.findall(r"\]\((\d{4}-[a-z-]+\.md)\)", index) == [path.name for path in DECISIONS]
    for path in DECISIONS:
        assert path.read_text("utf-8").startswith(f"# {path.name[:4]} ")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_named_is_there(path: Path) -> None:
    named = re.findall(r"`((?:pipeline|tests|deploy|docs)/[\w./-]*)`", path.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_test_that_a_guarantee_names_is_there() -> None:
    named = re.findall(
        r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "guarantees.md").read_text()
    )
    assert len(named) > 20
    for path, test in named:
        assert f"def {test}(" in (ROOT / path).read_text("utf-8"), f"{path}::{test}"
