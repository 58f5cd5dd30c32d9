"""What `sightline check` says of files and folders."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from pipeline.decode import MAX_MESSAGE_BYTES
from pipeline.problem import LISTED
from pipeline.registry import Registry, read_registry
from pipeline.shell.checking import Checker, listed
from pipeline.shell.settings import Settings, WrongUseError
from tests.unit.test_cli import NOON, RULE, SENSORS, event, sightline


@pytest.fixture
def registry() -> Registry:
    registry, _ = read_registry(SENSORS)
    assert registry is not None
    return registry


def said(path: Path, registry: Registry | None = None, **settings: str) -> list[str]:
    checked = Checker(Settings(**settings), registry).check(path)  # type: ignore[arg-type]
    return [str(problem).removeprefix(f"{path}:") for problem in checked.problems]


def test_events_are_held_against_the_registry(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "events"
    ahead = time.time_ns() // 1_000_000 + 600_000
    lines = [
        event("a-1"),
        event("nobody"),
        "[" + event("b-1", ip="10.0.0.1") + "," + event("nobody") + "]",
        "",
        event("a-1", NOON - 2 * 86_400_000),
        event("a-1", ahead),
        "{",
    ]
    path.write_text("\n".join(lines))
    found = said(path, registry)
    assert [line.split(":")[:2] for line in found] == [
        ["2", " unknown-sensor"],
        ["3", " unknown-sensor"],
        ["5", " too-late"],
        ["6", " from-the-future"],
        ["7", " not-json"],
    ]
    assert [line.split(":")[:2] for line in said(path)] == [
        ["6", " from-the-future"],
        ["7", " not-json"],
    ]
    checked = Checker(Settings(), registry).check(path)
    assert checked.kind == ("7 events, 1 without indicators, 1 values without a canonical form")


def test_a_line_without_end_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"x":"' + b"y" * (3 * MAX_MESSAGE_BYTES) + b"\n" + event("a-1").encode())
    (problem,) = said(path)
    assert problem.startswith("1: too-large")


def test_of_many_problems_the_first_are_told(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("{\n" * (LISTED + 7))
    checked = Checker(Settings()).check(path)
    assert (len(checked.problems), checked.more) == (LISTED, 7)


def test_a_rule_that_is_there_twice_in_two_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yml", tmp_path / "b.yaml"
    first.write_text(RULE)
    second.write_text(RULE + "---" + RULE.replace("5d0b6e0e", "5d0b6e0f"))
    checker = Checker(Settings())
    assert checker.check(first).good
    (problem,) = checker.check(second).problems
    assert str(problem).startswith(f"{second}: rule id 5d0b6e0e")
    assert str(first) in str(problem)


def test_a_file_without_a_rule(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("# nothing\n")
    assert said(path) == [" no rule in it"]


def test_settings_are_not_taken_for_sensors(tmp_path: Path) -> None:
    path = tmp_path / "sightline.toml"
    path.write_text('broker = "x:1"\nlateness = "24h"\n')
    assert Checker(Settings()).check(path).kind == "settings"
    assert said(path) == []
    path.write_text('broker = "x:1"\nlatenes = "24h"\n')
    assert said(path) == [" there is no setting latenes; did you mean lateness?"]
    path.write_text('broker = "x:1"\nlateness = "24"\n')
    (problem,) = said(path)
    assert "lateness is '24'" in problem


def test_a_folder_is_its_files(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / ".git").mkdir()
    wanted = [tmp_path / name for name in ("events.jsonl", "rules/a.YML", "sensors.toml")]
    others = [tmp_path / name for name in (".git/config.toml", "notes.txt", ".hidden.yml")]
    for path in (*wanted, *others):
        path.write_text("")
    assert list(listed([tmp_path])) == wanted
    assert list(listed([tmp_path / "notes.txt"])) == [tmp_path / "notes.txt"]


def test_a_mistyped_name_is_told_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("")
    with pytest.raises(WrongUseError, match=r"no such file.*did you mean 'events.jsonl'"):
        list(listed([tmp_path / "event.jsonl"]))
    with pytest.raises(WrongUseError, match="no folder"):
        list(listed([tmp_path / "absent" / "event.jsonl"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(WrongUseError, match="no file to check"):
        list(listed([tmp_path / "empty"]))


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "sensors.toml").write_text(SENSORS)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rule.yml").write_text(RULE)
    (tmp_path / "events.jsonl").write_text(event("nobody") + "\n" + event("a-1"))
    done = sightline("check", ".", cwd=tmp_path)
    assert done.returncode == 0
    assert "events.jsonl: good (2 events)" in done.stdout
    assert "rule.yml: good (1 rule)" in done.stdout
    done = sightline("check", "--sensors", "sensors.toml", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert "events.jsonl:1: unknown-sensor: 'nobody' is not in the registry" in done.stdout
    done = sightline("check", "--sensors", "sensor.toml", "events.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_what_it_prints_steers_no_terminal(tmp_path: Path) -> None:
    name = "ev\x1b[2Jents\n.jsonl"
    (tmp_path / name).write_text(json.dumps({"time": 1, "device": {"uid": "\x1b[31m\u202e"}}))
    (tmp_path / "sensors.toml").write_text(SENSORS)
    for arguments in ((name,), (name, "--sensors", "sensors.toml"), (name + "x",)):
        done = sightline("check", *arguments, cwd=tmp_path)
        for text in (done.stdout, done.stderr):
            assert text.replace("\n", "").isprintable() or text == ""
