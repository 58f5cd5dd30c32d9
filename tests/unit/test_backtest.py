"""`sightline backtest`, on events whose alerts are told elsewhere."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.scenarios.test_default_rules import FOLDERS, REGISTRY
from tests.unit.test_cli import sightline

RULES = Path(__file__).parents[2] / "deploy" / "rules"
DAYS = {"staged_intrusion", "industrial_scan"}


def test_it_sums_up_what_correlate_raises(tmp_path: Path) -> None:
    (tmp_path / "sensors.toml").write_text(REGISTRY)
    folders = [folder for folder in FOLDERS if folder.name in DAYS]
    events = b"".join((folder / "events.jsonl").read_bytes() for folder in folders)
    (tmp_path / "events.jsonl").write_bytes(events + b"{\n")
    arguments = (
        "--sensors", "sensors.toml", "--rules", str(RULES), "--input", "events.jsonl",
    )  # fmt: skip
    correlated = sightline("correlate", *arguments, cwd=tmp_path)
    alerts = [json.loads(line) for line in correlated.stdout.splitlines()]
    assert alerts
    told = sightline("backtest", *arguments, "--json", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    count = len(events.splitlines())
    assert found["events"] == {
        "received": count + 1, "correlated": count, "without_indicators": 0, "rejected": 1, "late": 0,
    }  # fmt: skip
    assert found["alerts"] == len(alerts) == sum(found["days"].values())
    assert found["days"] == {"2025-03-01": len(alerts)}
    by_rule = {rule["rule"]: rule["alerts"] for rule in found["rules"]}
    for alert in alerts:
        by_rule[alert["finding_info"]["analytic"]["uid"]] -= 1
    assert set(by_rule.values()) == {0}
    assert len(by_rule) > 20  # those that raised nothing are told, too
    assert sum(found["severities"].values()) == len(alerts)
    assert (found["top"][0]["value"], found["top"][0]["countries"]) == ("218.237.65.47", 3)

    plain = sightline("backtest", *arguments, cwd=tmp_path)
    assert plain.stdout.startswith(f"{count + 1} events: {count} correlated")
    assert "Industrial protocols scanned from one source" in plain.stdout
    assert "2025-03-01" in plain.stdout


def test_wrong_use_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "sensors.toml").write_text(REGISTRY)
    (tmp_path / "as.yml").write_text(
        "title: t\nid: 5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10\ncorrelation:\n  type: value_count\n"
        "  rules: any_event\n  group-by: credential\n  timespan: 1h\n"
        "  condition: {field: origin_as, gte: 3}\n"
    )
    arguments = ("--sensors", "sensors.toml", "--rules", "as.yml")
    said = sightline("backtest", *arguments, cwd=tmp_path)
    assert said.returncode == 2
    assert said.stderr == "sightline: as.yml: 't' counts origin_as: set geoip_asn_db\n"
    none = ("--sensors", "sensors.toml", "--rules", str(RULES), "--input", "none.jsonl")
    said = sightline("backtest", *none, cwd=tmp_path)
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)


def test_a_compressed_file_is_read_and_a_broken_one_or_another_world_s_is_one_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "sensors.toml").write_text(REGISTRY)
    (tmp_path / "others.toml").write_text(REGISTRY.replace('id = "', 'id = "other-'))
    (folder,) = (folder for folder in FOLDERS if folder.name == "industrial_scan")
    whole = gzip.compress((folder / "events.jsonl").read_bytes())
    for name, content in (("whole.gz", whole), ("cut.gz", whole[:-9]), ("bad.gz", whole + b"x")):
        (tmp_path / name).write_bytes(content)

    def said(name: str, sensors: str = "sensors.toml") -> tuple[int, str, str]:
        arguments = ("--sensors", sensors, "--rules", str(RULES), "--input", name)
        done = sightline("backtest", *arguments, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr

    plain = said(str(folder / "events.jsonl"))
    assert plain[0] == 0
    assert said("whole.gz") == plain
    for name in ("cut.gz", "bad.gz"):
        status, _, error = said(name)
        assert (status, error.count("\n")) == (2, 1)
        assert error.startswith(f"sightline: {name}: ")
    status, _, error = said("whole.gz", "others.toml")
    assert (status, error.count("\n")) == (1, 1)
    assert "unknown-sensor: are they of these sensors?" in error
    checked = sightline("check", "whole.gz", "cut.gz", cwd=tmp_path)
    first, second = checked.stdout.splitlines()
    assert first.startswith("whole.gz: good (")
    assert "cannot be read on from here" in second
