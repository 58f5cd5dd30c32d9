"""What changes in the registry's file is taken once, whenever it changes, and when it is good."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline.registry import Registry
from pipeline.shell import files, registry_watch, topics
from pipeline.shell.registry_watch import RegistryWatch
from pipeline.shell.settings import Settings

ONE = (
    '[[organisation]]\nid = "a"\ncountry = "CZ"\nname = "A"\n[[organisation.sensor]]\nid = "a-1"\n'
)
TWO = ONE + '[[organisation.sensor]]\nid = "a-2"\n'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    async def ensure(*_: Any) -> None:
        """As on a broker that has all topics."""

    monkeypatch.setattr(topics, "ensure", ensure)
    monkeypatch.setattr(registry_watch, "LOOK_S", 0.0)
    monkeypatch.setattr(registry_watch, "AGAIN_S", 0.0)
    path = tmp_path / "sensors.toml"
    path.write_text(ONE)
    return path


def test_a_change_is_taken_once(path: Path) -> None:
    watch = RegistryWatch(Settings(sensors=str(path)))
    assert watch.changed() is None
    path.write_text(TWO)
    assert sensors(watch.changed()) == {"a-1", "a-2"}
    assert sensors(watch.registry) == {"a-1", "a-2"}
    assert watch.changed() is None
    path.write_text("# the same\n" + TWO)
    assert watch.changed() is None


def test_what_is_written_while_it_is_read_is_a_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = files.registry_of

    def read_slowly(*given: Any) -> Registry:
        found = read(*given)
        path.write_text(TWO)
        return found

    monkeypatch.setattr(files, "registry_of", read_slowly)
    watch = RegistryWatch(Settings(sensors=str(path)))
    assert sensors(watch.registry) == {"a-1"}
    monkeypatch.setattr(files, "registry_of", read)
    assert sensors(watch.changed()) == {"a-1", "a-2"}


def test_a_broken_file_is_said_once_and_not_taken(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = RegistryWatch(Settings(sensors=str(path)))
    path.write_text(TWO[:-3])
    with caplog.at_level(logging.WARNING, "sightline"):
        assert watch.changed() is None
        assert watch.changed() is None
    assert len(caplog.records) == 1
    assert sensors(watch.registry) == {"a-1"}
    path.unlink()
    assert watch.changed() is None
    path.write_text(TWO)
    assert sensors(watch.changed()) == {"a-1", "a-2"}


def sensors(registry: Registry | None) -> set[str]:
    return set(registry.sensors) if registry is not None else set()
