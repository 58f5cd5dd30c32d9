"""The command line as a user meets it: exit status, one readable line, nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SENSORS = """
[[organisation]]
id = "a"
country = "CZ"
name = "A"
[[organisation.sensor]]
id = "a-1"
[[organisation]]
id = "b"
country = "AT"
name = "B"
[[organisation.sensor]]
id = "b-1"
"""
RULE = """
title: Twice
id: 5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10
correlation:
  type: value_count
  rules: [any_event]
  group-by: [ip]
  timespan: 1h
  condition: {field: country, gte: 2}
"""
NOON = 1_767_268_800_000


def event(sensor: str, time: int = NOON, ip: str = "198.41.0.4") -> str:
    return json.dumps(
        {
            "time": time,
            "metadata": {"uid": "u"},
            "device": {"uid": sensor},
            "src_endpoint": {"ip": ip},
        }
    )


def sightline(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=cwd, input=stdin, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sensors.toml").write_text(SENSORS)
    (tmp_path / "rule.yml").write_text(RULE)
    return tmp_path


def test_correlate_rejects_line_by_line(folder: Path) -> None:
    lines = [
        event("a-1"),
        "not json",
        event("nobody"),
        "",
        event("b-1", time=NOON + 60_000),
        event("b-1", time=4_000_000_000_000),
        event("b-1", ip="10.0.0.1"),
        event("a-1", time=NOON - 2 * 86_400_000),
        '{"time": "noon"}',
        "[" * 200,
        '{"x": "' + "y" * 300_000 + '"}',
    ]
    done = sightline(
        *("correlate", "--sensors", "sensors.toml", "--rules", "rule.yml"),
        *("--rejects", "rejects"),
        cwd=folder,
        stdin="\n".join(lines) + "\n",
    )
    assert done.returncode == 0
    (alert,) = map(json.loads, done.stdout.splitlines())
    assert alert["unmapped"]["countries"] == ["AT", "CZ"]
    assert (alert["activity_id"], alert["status_id"]) == (3, 4)
    rejects = [json.loads(line) for line in (folder / "rejects").read_text().splitlines()]
    assert [(one["line"], one["reason"]) for one in rejects] == [
        (2, "not-json"),
        (3, "unknown-sensor"),
        (6, "from-the-future"),
        (8, "too-late"),
        (9, "schema"),
        (10, "too-deep"),
        (11, "too-large"),
    ]
    assert "$" in rejects[4]["detail"]
    assert "10 events: 2 correlated, 1 without indicators, 6 rejected, 1 late" in done.stderr


def test_correlate_watches_for_what_a_partner_shared(folder: Path) -> None:
    """The bundle becomes watches, what is none of it is told, and one sighting is enough."""
    given = [
        {
            "type": "indicator",
            "id": f"indicator--{number:08d}-0000-4000-8000-000000000000",
            "pattern": pattern,
            "valid_from": "2026-01-01T00:00:00Z",
            "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
        }
        for number, pattern in enumerate(
            [
                "[ipv4-addr:value = '198.41.0.4']",
                "[ipv4-addr:value = '199.7.83.42']",
                "[a:b LIKE 'c']",
            ]
        )
    ]
    (folder / "bundle.json").write_text(json.dumps({"type": "bundle", "objects": given}))
    read = sightline(
        *("intel", "import", "bundle.json", "--source", "CERT-X", "--pap", "GREEN"),
        *("--out", "watches.jsonl"),
        cwd=folder,
    )
    assert read.stdout == "2 watches\n"
    assert read.stderr == (
        "1 not read, operator: indicator--00000002-0000-4000-8000-000000000000 a:b LIKE 'c'\n"
    )
    done = sightline(
        *("correlate", "--sensors", "sensors.toml", "--rules", "rule.yml"),
        *("--watches", "watches.jsonl"),
        cwd=folder,
        stdin=event("a-1") + "\n",
    )
    (alert,) = map(json.loads, done.stdout.splitlines())
    assert alert["finding_info"]["analytic"]["name"] == "Watched indicator"
    assert alert["message"] == "the ip that CERT-X shared seen by 1 organisation in CZ"
    assert alert["unmapped"]["watch"]["tlp"] == "GREEN"
    assert alert["unmapped"]["tlp"] == "AMBER+STRICT"  # who saw it said nothing
    assert alert["unmapped"]["may_block"] is False


def test_correlate_says_the_same_again(folder: Path) -> None:
    stdin = "\n".join([event("a-1"), event("b-1")])
    arguments = ("correlate", "--sensors", "sensors.toml", "--rules", "rule.yml")
    first, second = (sightline(*arguments, cwd=folder, stdin=stdin) for _ in range(2))
    assert first.stdout == second.stdout != ""


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("correlate",), 2, "--sensors"),
        (("correlate", "--sensors", "absent", "--rules", "rule.yml"), 2, "absent"),
        (("correlate", "--sensors", "sensors.toml", "--rules", "sensors.toml"), 2, "sensors.toml:"),
        (("label", "x", "confirmed", "--confidence", "101"), 2, "--confidence"),
        (("label", "x", "guilty"), 2, "false-positive"),
        (("check", "absent.yml"), 2, "absent.yml"),
        (("nothing",), 2, "nothing"),
        (("dead-letters", "resend"), 2, "which letters?"),
        (("dead-letters", "show", "7"), 2, "PARTITION/OFFSET"),
        (("dead-letters", "list", "--since", "yesterday"), 2, "--since is 'yesterday'"),
        (("dead-letters", "list", "--reason", "bad"), 2, "not-json"),
        (("intel", "add", "ip", "10.0.0.1", "--source", "x"), 2, "no ip that a sensor could see"),
        (("intel", "add", "ip", "8.8.8.8", "--source", "x", "--tlp", "RED"), 2, "tlp-red"),
        (("intel", "import", "--source", "x"), 2, "give files, or --taxii"),
    ],
)
def test_wrong_use(folder: Path, arguments: tuple[str, ...], status: int, says: str) -> None:
    done = sightline(*arguments, cwd=folder)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    ["topics", "dead-letters list", "dead-letters show 0/1", "label x benign", "intel list"],
)
def test_no_broker_is_one_line(folder: Path, command: str) -> None:
    (folder / "s.toml").write_text('broker = "127.0.0.1:1"\nsensors = "sensors.toml"\n')
    done = sightline(*command.split(), "--config", "s.toml", cwd=folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "no Kafka answers at 127.0.0.1:1" in line


@pytest.mark.parametrize("command", ["suppress list", "sensor status"])
def test_wherever_it_is_noticed_no_broker_is_one_line(folder: Path, command: str) -> None:
    (folder / "s.toml").write_text('broker = "127.0.0.1:1"\nsensors = "sensors.toml"\n')
    done = sightline(*command.split(), "--config", "s.toml", cwd=folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("sightline: ")
    assert "127.0.0.1" in line


def test_check_names_the_line(folder: Path) -> None:
    (folder / "events.jsonl").write_text(f"{event('a-1')}\n{{\n{event('b-1')}\n")
    (folder / "bad.yml").write_text(RULE.replace("1h", "1w"))
    done = sightline(*("check", "sensors.toml", "rule.yml", "events.jsonl", "bad.yml"), cwd=folder)
    assert done.returncode == 1
    assert "events.jsonl:2: not-json" in done.stdout
    assert "bad.yml:8:" in done.stdout
    assert "sensors.toml: good" in done.stdout
    assert "rule.yml: good" in done.stdout
    assert sightline("check", "sensors.toml", "rule.yml", cwd=folder).returncode == 0
