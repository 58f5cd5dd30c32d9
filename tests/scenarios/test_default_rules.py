"""Each default rule that selects events or counts more than who saw: a folder in `rules/` has

    scenario.toml      the rule's title, and why the near miss is none
    events.jsonl       what must raise it
    alerts.jsonl       every alert that all default rules raise on them
    near_miss.jsonl    what must not raise it

`python -m tests.scenarios.test_default_rules` writes every `alerts.jsonl` anew, to be looked at.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipeline.registry import Registry, read_registry
from pipeline.shell import files
from pipeline.shell.offline import OfflineRun, alerts
from pipeline.shell.settings import Settings

FOLDERS = sorted(path for path in (Path(__file__).parent / "rules").iterdir() if path.is_dir())
PARTIES = {"cz-1": "CZ", "ke-1": "KE", "br-1": "BR", "de-1": "DE", "de-2": "DE"}
REGISTRY = "".join(
    f'[[organisation]]\nid = "o-{sensor}"\ncountry = "{country}"\nname = "{sensor}"\n'
    f'[[organisation.sensor]]\nid = "{sensor}"\n'
    for sensor, country in PARTIES.items()
)
RULES = files.rules_of(None)
GEO = files.geo_of(Settings())
DAY = 86_400_000


def registry() -> Registry:
    found, _ = read_registry(REGISTRY)
    assert found is not None
    return found


def raised(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """What all default rules raise, in an order of its own."""
    run = OfflineRun(registry(), RULES, DAY, geo=GEO)
    rejected: list[object] = []
    told = [
        {
            "rule": alert.finding_info.title,
            "type": alert.observables[0].name,
            "value": alert.observables[0].value,
            "countries": list(alert.unmapped.countries),
            "organisations": list(alert.unmapped.organisations),
            "first_seen": alert.finding_info.first_seen_time,
            "last_seen": alert.finding_info.last_seen_time,
            "message": alert.message,
        }
        for alert in alerts(run.episodes(lines, lambda _, why: rejected.append(why)), GEO)
    ]
    assert rejected == []
    return sorted(told, key=json.dumps)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_rule_raises_what_it_should_and_a_near_miss_does_not(folder: Path) -> None:
    about = tomllib.loads((folder / "scenario.toml").read_text("utf-8"))
    expected = [json.loads(line) for line in lines_of(folder / "alerts.jsonl")]
    assert about["rule"] in {one["rule"] for one in expected}
    events = lines_of(folder / "events.jsonl")
    assert raised(events) == expected
    Random(folder.name).shuffle(events)
    assert raised(events * 2) == expected
    missed = raised(lines_of(folder / "near_miss.jsonl"))
    assert about["rule"] not in {one["rule"] for one in missed}


def test_every_rule_that_asks_more_has_a_scenario() -> None:
    titles = {tomllib.loads((folder / "scenario.toml").read_text())["rule"] for folder in FOLDERS}
    plain = {rule.title for rule in RULES if rule.kind == rule.indicator_type}
    assert titles == {rule.title for rule in RULES} - plain


if __name__ == "__main__":
    for folder in FOLDERS:
        told = raised(lines_of(folder / "events.jsonl"))
        lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in told]
        (folder / "alerts.jsonl").write_text("".join(lines), "utf-8")
