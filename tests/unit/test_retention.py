"""How long topics keep what is on them, and the page that says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.registry import read_registry
from pipeline.share.retention import Retention, read_retention
from pipeline.shell import topic_config, topics
from pipeline.shell.settings import WrongUseError, load
from tests.unit.inside import sightline
from tests.unit.test_cli import SENSORS

DAY = 86_400_000
POLICY = """
[topics]
events = "7d"
alerts = "365d"
[countries.CZ]
events = "72h"
"""


def configured(tmp_path: Path, text: str = POLICY) -> dict[str, topics.Wanted]:
    (tmp_path / "retention.toml").write_text(text)
    registry, _ = read_registry(SENSORS)
    assert registry is not None
    settings = load(environment={}, retention=str(tmp_path / "retention.toml"))
    return {one.name: one for one in topics.wanted(registry, settings)}


def test_a_country_stands_over_the_others(tmp_path: Path) -> None:
    wanted = configured(tmp_path)
    assert wanted["events.cz.a"].config["retention.ms"] == str(3 * DAY)
    assert wanted["events.at.b"].config["retention.ms"] == str(7 * DAY)
    assert wanted["events.cz.a"].config["message.timestamp.type"] == "LogAppendTime"
    assert wanted["alerts"].config == {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(365 * DAY),
    }
    assert "retention.ms" not in wanted["dead-letters"].config


def test_a_topic_that_keeps_longer_is_told_and_mended(tmp_path: Path) -> None:
    wanted = configured(tmp_path)
    there = {
        "events.cz.a": {"retention.ms": str(7 * DAY), "cleanup.policy": "delete"},
        "events.at.b": {"retention.ms": str(7 * DAY)},
        "alerts": {"cleanup.policy": "compact", "retention.ms": str(365 * DAY)},
    }
    told = topic_config.compare(wanted.values(), there)
    assert [(one.topic, one.key, one.value) for one in told] == [
        ("events.cz.a", "retention.ms", str(3 * DAY)),
        ("alerts", "cleanup.policy", "compact,delete"),
    ]
    assert not any(one.grave for one in told)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"topics": {"checkpoints": "7d"}}, "'checkpoints' is none of"),
        ({"topics": {"events": "1w"}}, "write hours or days"),
        ({"topics": {"events": "0h"}}, "1h at least"),
        ({"topics": {"sightings": "6d"}}, "shorter than `campaign_horizon`"),
        ({"countries": {"UK": {"events": "1d"}}}, "did you mean 'GB'"),
        ({"countries": {"CZ": {"sightings": "9d"}}}, "'sightings' is none of events"),
        ({"topic": {}}, "unknown field `topic`"),
    ],
)
def test_what_cannot_be_kept_so_is_refused(
    document: dict[str, Any], said: str, tmp_path: Path
) -> None:
    read = read_retention(document, 7 * DAY)
    assert isinstance(read, str)
    assert said in read
    assert read_retention({"topics": {"sightings": "6d"}}, 0) == Retention({"sightings": "6d"})
    with pytest.raises(WrongUseError, match=r"retention\.toml"):
        configured(tmp_path, "[topics]\nevents = 7\n")


def test_the_page_says_what_is_set_and_asks_the_rest(tmp_path: Path) -> None:
    (tmp_path / "sensors.toml").write_text(SENSORS + 'country = "KE"\n')
    (tmp_path / "retention.toml").write_text(POLICY)
    (tmp_path / "a.toml").write_text(
        'organisation = "a"\nbasis = "Art. 6(1)(f) | recital 49"\npurpose = "<b>detection</b>"\nkeys = "ring"\n'
        '[types]\nip = "pseudonymous"\ndomain = "clear"\n[fields]\n"user.name" = "drop"\n'
    )
    (tmp_path / "sightline.toml").write_text('retention = "retention.toml"\n')
    run = sightline(
        "processing-records", "--policy", "a.toml", "--config", "sightline.toml", cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    page = run.stdout
    assert "| a | \\<b\\>detection\\</b\\> | Art. 6(1)(f) \\| recital 49 |" in page
    assert "| b | **to be answered by a person** | **to be answered by a person** |" in page
    assert "| src_endpoint.ip | as a pseudonym |" in page
    assert "| query.hostname | in clear |" in page
    assert "| user.name | not at all |" in page
    assert "| all else | not at all |" in page
    assert "| events.cz.a | events as sensors sent them | 3 days |" in page
    assert "| KE | b |" in page
    assert "There are **no** logins" in page
    assert "No policy was given for it" in page
