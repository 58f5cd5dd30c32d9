"""One process at a time has what one process must have alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.shell.erasing import local
from pipeline.shell.held import holding, is_held, lock_of
from pipeline.shell.settings import FailedError, Settings
from pipeline.shell.ship.state import State


def test_what_is_held_is_held_by_one_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "in" / "s.sqlite"
    assert not is_held(lock_of(path))
    with holding(path, "sightline serve"):
        assert is_held(lock_of(path))
        with pytest.raises(FailedError, match="another `sightline serve` has it"):
            holding(path, "sightline serve").__enter__()
    assert not is_held(lock_of(path))
    assert lock_of(path).stat().st_mode & 0o777 == 0o600


def test_erasure_sees_who_is_at_work_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = Settings(serve_store=str(tmp_path / "s.sqlite"))
    state = tmp_path / "state" / "sightline" / "ship-a-1.json"
    state.with_suffix(".spool").mkdir(parents=True)
    assert local.at_work(settings) == []
    with holding(Path(settings.serve_store), "sightline serve"), State(state, "a-1"):
        assert local.at_work(settings) == ["sightline serve", "sightline ship (ship-a-1.json)"]
    assert local.at_work(settings) == []
