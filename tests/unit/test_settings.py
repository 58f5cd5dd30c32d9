"""Settings: the file, over it the environment, over that the options; a slip is said in words."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pipeline.shell.settings import Settings, WrongUseError, load, milliseconds


def config(folder: Path, text: str) -> Path:
    path = folder / "sightline.toml"
    path.write_text(text, "utf-8")
    return path


def wrong(path: Path | None = None, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(WrongUseError) as caught:
        load(path, environment or {})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_setting_has_a_default() -> None:
    assert load(environment={}) == Settings()
    assert load(environment={"PATH": "/bin"}) == Settings()


def test_a_file_sets(tmp_path: Path) -> None:
    path = config(tmp_path, 'broker = "kafka:9092"\nmetrics_port = 0\nlateness = "2h"\n')
    settings = load(path, {})
    assert (settings.broker, settings.metrics_port) == ("kafka:9092", 0)
    assert settings.lateness_ms == 7_200_000
    assert settings.sensors == Settings().sensors


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    path = config(tmp_path, 'topic_prefix = "x-"')
    assert load(environment={"SIGHTLINE_CONFIG": str(path)}).topic("alerts") == "x-alerts"
    assert load(environment={"SIGHTLINE_CONFIG": ""}).topic("alerts") == "alerts"


def test_the_environment_goes_before_the_file_and_an_option_before_both(tmp_path: Path) -> None:
    path = config(tmp_path, 'broker = "file:1"\nsensors = "file"\nrules = "file"')
    environment = {"SIGHTLINE_BROKER": "environment:1", "SIGHTLINE_SENSORS": "environment"}
    settings = load(path, environment, sensors="option", rules=None)
    assert (settings.broker, settings.sensors, settings.rules) == (
        "environment:1",
        "option",
        "file",
    )


def test_the_named_file_goes_before_the_environment_s(tmp_path: Path) -> None:
    path = config(tmp_path, 'broker = "named:1"')
    assert load(path, {"SIGHTLINE_CONFIG": "/nowhere"}).broker == "named:1"


@pytest.mark.parametrize(
    ("name", "value", "field", "read"),
    [
        ("SIGHTLINE_BROKER", "a:1,b:2", "broker", "a:1,b:2"),
        ("SIGHTLINE_SENSORS", "s.toml", "sensors", "s.toml"),
        ("SIGHTLINE_RULES", "rules", "rules", "rules"),
        ("SIGHTLINE_GEOIP_DB", "a.mmdb", "geoip_db", "a.mmdb"),
        ("SIGHTLINE_GEOIP_ASN_DB", "b.mmdb", "geoip_asn_db", "b.mmdb"),
        ("SIGHTLINE_TOPIC_PREFIX", "drill.", "topic_prefix", "drill."),
        ("SIGHTLINE_METRICS_PORT", "9000", "metrics_port", 9000),
        ("SIGHTLINE_SIGHTINGS_PARTITIONS", "16", "sightings_partitions", 16),
    ],
)
def test_the_names_of_the_environment(name: str, value: str, field: str, read: object) -> None:
    assert getattr(load(environment={name: value}), field) == read


def test_an_unknown_key_is_an_error_with_a_hint(tmp_path: Path) -> None:
    path = config(tmp_path, 'brocker = "a:1"')
    assert wrong(path) == f"{path}: there is no setting brocker; did you mean broker?"
    assert wrong(environment={"SIGHTLINE_BROKR": "a:1"}) == (
        "the environment: there is no setting SIGHTLINE_BROKR; did you mean SIGHTLINE_BROKER?"
    )
    path = config(tmp_path, "zzz = 1")
    assert wrong(path) == f"{path}: there is no setting zzz"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metrics_port = 65536", "metrics_port"),
        ("metrics_port = -1", "metrics_port"),
        ('metrics_port = "x"', "metrics_port"),
        ("events_partitions = 0", "events_partitions"),
        ('topic_prefix = "a/b"', "topic_prefix"),
        ("broker = 3", "broker"),
        ('lateness = "1 day"', "lateness is '1 day': write a number and ms, s, m, h or d"),
        ('source_idle_after = "30"', "source_idle_after is '30'"),
        ('checkpoint_interval = ""', "checkpoint_interval is ''"),
        ("a = ", "Invalid value"),
    ],
)
def test_a_wrong_value_is_said_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    assert said in wrong(config(tmp_path, text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.toml") in wrong(tmp_path / "none.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b'broker = "\xff"')
    assert str(path) in wrong(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0s", 0), ("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("24h", 86_400_000), ("7d", 604_800_000)],
)  # fmt: skip
def test_durations(text: str, expected: int) -> None:
    assert milliseconds("x", text) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1.5h", "1H", " 1h", "1h30m", "1w"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(WrongUseError, match="^x is "):
        milliseconds("x", text)


def test_durations_are_read_in_their_units() -> None:
    settings = load(
        environment={
            "SIGHTLINE_LATENESS": "90s",
            "SIGHTLINE_SOURCE_IDLE_AFTER": "1500ms",
            "SIGHTLINE_CHECKPOINT_INTERVAL": "2m",
        }
    )
    assert settings.lateness_ms == 90_000
    assert settings.source_idle_after_s == 1.5
    assert settings.checkpoint_interval_s == 120.0


def test_settings_travel_to_a_child_through_the_environment(tmp_path: Path) -> None:
    text = 'broker = "a:1"\nmetrics_port = 0\ntopic_prefix = "x."\nsightings_partitions = 3\n'
    assert tomllib.loads(text)
    settings = load(config(tmp_path, text), {})
    assert load(environment=settings.environment()) == settings
