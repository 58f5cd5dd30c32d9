"""Golden cases: a log in, events out."""

from __future__ import annotations

from pathlib import Path

from pipeline.adapter.catalogue import BY_NAME
from pipeline.adapter.conversion import Conversion, Rejected
from pipeline.adapter.format import Format
from pipeline.adapter.instant import Clock

FOLDER = Path(__file__).parent / "cases"
LOGS = sorted(FOLDER.glob("*.log"))
SENSOR = "golden-1"
CLOCK = Clock(1_735_689_600_000)  # 2025-01-01: what has no year is before it


def format_of(path: Path) -> Format:
    return BY_NAME[path.name.partition(".")[0]]


def expected(path: Path) -> Path:
    return path.with_suffix(".ocsf.jsonl")


def convert(
    lines: list[bytes], format_: Format, sensor: str = SENSOR
) -> tuple[list[bytes], list[Rejected]]:
    conversion = Conversion(format_, sensor, CLOCK)
    out = [one for n, line in enumerate(lines, 1) for one in conversion.feed(line, n)]
    out += conversion.end()
    events = [one for one in out if not isinstance(one, Rejected)]
    return events, [one for one in out if isinstance(one, Rejected)]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)
