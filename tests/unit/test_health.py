"""A worker lives while each loop comes round, and is ready when each stage has all it needs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.shell import exemplars, health
from pipeline.shell.health import Health, State


def told(folder: Path, **stages: State) -> Health:
    for stage, state in stages.items():
        health.write(folder, stage, state)
    return Health(folder, [*stages])


def test_ready_is_assigned_and_recovered(tmp_path: Path) -> None:
    now = time.time()
    of = told(
        tmp_path,
        intake=State(now, assigned=True, recovered=True),
        correlate=State(now, assigned=True),
        campaign=State(now),
    )
    assert of.ill() == []
    assert of.unready() == [
        "correlate: reads back what was known",
        "campaign: has not been told its partitions",
    ]
    health.write(tmp_path, "correlate", State(now, assigned=True, recovered=True))
    health.write(tmp_path, "campaign", State(now, assigned=True, recovered=True))
    assert of.unready() == []


def test_a_loop_that_stands_still_is_told(tmp_path: Path) -> None:
    of = told(tmp_path, intake=State(time.time() - 31, assigned=True, recovered=True))
    assert of.ill() == ["intake: its event loop stands still for 31 s"]
    assert of.unready() == of.ill()


def test_who_starts_is_not_expected_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = Health(tmp_path, ["intake"])
    assert of.ill() == []  # nothing was told yet
    health.starts(tmp_path, "intake", in_s=30)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 30 + health.START_S - 1)
    of.watched_at = time.time()
    assert of.ill() == []
    monkeypatch.setattr(time, "time", lambda: now + 30 + health.START_S + 1)
    of.watched_at = time.time()
    assert of.ill() == ["intake: its event loop stands still for 31 s"]


def test_a_supervisor_that_stands_still_is_told(tmp_path: Path) -> None:
    of = told(tmp_path, intake=State(time.time(), assigned=True, recovered=True))
    of.watched_at -= 40
    assert of.ill() == ["supervisor: stands still for 40 s"]


def test_an_exemplar_for_each_bucket_the_latest_of_all_stages(tmp_path: Path) -> None:
    kept = exemplars.Exemplars([0.1, 1.0])
    for alert, seconds in (("a", 0.05), ("b", 0.1), ("c", 0.5), ("d", 7.0)):
        kept.note(alert, seconds)
    kept.write(tmp_path, "correlate")
    other = exemplars.Exemplars([0.1, 1.0])
    other.note("e", 0.7)
    other.write(tmp_path, "other")
    assert {le: of.alert for le, of in exemplars.read(tmp_path).items()} == {
        "0.1": "b", "1.0": "e", "+Inf": "d"
    }  # fmt: skip
