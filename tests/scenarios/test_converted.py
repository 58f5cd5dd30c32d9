"""A log converted under three sensors' names in three countries: an alert on every public source."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.indicator import indicators
from pipeline.registry import read_registry
from pipeline.rule_file import read_rules
from pipeline.shell.files import carried, read_text
from pipeline.shell.offline import OfflineRun
from tests.golden.cases import FOLDER, LOGS, convert, format_of, lines_of

COUNTRIES = ("CZ", "KE", "BR")
SENSORS = [f"{country.lower()}-1" for country in COUNTRIES]
REGISTRY = "".join(
    f'[[organisation]]\nid = "o-{c.lower()}"\ncountry = "{c}"\nname = "{c}"\n'
    f'[[organisation.sensor]]\nid = "{c.lower()}-1"\n'
    for c in COUNTRIES
)
LATENESS = 36_500 * 86_400_000  # the cuts are not in order of time
RULE = carried("rules", "source_address.yml")


def public_sources(events: list[bytes]) -> set[str]:
    decoded = [event for raw in events for event in decode(raw)]
    return {
        value
        for event in decoded
        if isinstance(event, Event)
        for kind, value in indicators(event)[0]
        if kind == "ip"
    }


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_every_public_source_is_alerted_on(path: Path) -> None:
    by_sensor = [convert(lines_of(path), format_of(path), sensor)[0] for sensor in SENSORS]
    registry, _ = read_registry(REGISTRY)
    rules, _ = read_rules(read_text(RULE), "r.yml")
    assert registry is not None
    run = OfflineRun(registry, rules, LATENESS)
    rejected: list[object] = []
    episodes = list(
        run.episodes(
            (event for of in by_sensor for event in of), lambda n, why: rejected.append(why)
        )
    )
    assert rejected == []
    assert {episode.value for episode in episodes} == public_sources(by_sensor[0])


def test_by_the_commands(tmp_path: Path) -> None:
    registry, events = tmp_path / "sensors.toml", tmp_path / "events.jsonl"
    registry.write_text(REGISTRY)
    log = FOLDER / "dionaea.array.log"
    converted = [_sightline("convert", "--sensor", sensor, str(log)) for sensor in SENSORS]
    events.write_bytes(b"".join(converted))
    out = _sightline(
        "correlate", "--sensors", str(registry), "--rules", str(RULE), "--input", str(events),
        "--lateness", "3650d",
    )  # fmt: skip
    alerted = {json.loads(line)["observables"][0]["value"] for line in out.splitlines()}
    assert alerted == public_sources(converted[0].splitlines())
    assert alerted


def _sightline(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout
