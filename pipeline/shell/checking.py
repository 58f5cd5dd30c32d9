"""`sightline check`: which lines of a file are wrong, where and why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.decode import Rejection, decode
from pipeline.problem import Problem
from pipeline.registry import read_registry
from pipeline.rule import read_rules
from pipeline.shell.files import read_text
from pipeline.sight import FUTURE_MS


def check(path: Path, prefix: str) -> tuple[str, Iterator[Problem]]:
    """What a file is, by its name, and what is wrong with it."""
    match path.suffix.lower():
        case ".toml":
            return "sensors", iter(read_registry(read_text(path), str(path), prefix)[1])
        case ".yml" | ".yaml":
            return "rules", iter(read_rules(read_text(path), str(path))[1])
        case _:
            return "events", _events(path)


def _events(path: Path) -> Iterator[Problem]:
    now = time.time_ns() // 1_000_000
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            for event in decode(line):
                if isinstance(event, Rejection):
                    yield Problem(str(path), number, f"{event.reason}: {event.detail}")
                elif event.time > now + FUTURE_MS:
                    ahead = (event.time - now) / 1000
                    yield Problem(str(path), number, f"from-the-future: {ahead:.0f} s from now")
