"""What is said of topics that somebody else made."""

from __future__ import annotations

import base64
import shlex
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.registry import read_registry
from pipeline.share import dsse
from pipeline.share.alliance import Alliance, Extender, signed
from pipeline.shell.alliances.folder import add
from pipeline.shell.settings import Settings
from pipeline.shell.topic_config import NEEDS, command, compare
from pipeline.shell.topics import Kind, Wanted, wanted

KAFKA = {  # Kafka's own defaults
    "cleanup.policy": "delete",
    "message.timestamp.type": "CreateTime",
    "retention.ms": "604800000",
    "retention.bytes": "-1",
    "max.message.bytes": "1048588",
    "segment.ms": "604800000",
    "min.cleanable.dirty.ratio": "0.5",
    "delete.retention.ms": "86400000",
}
REGISTRY, _ = read_registry('[[organisation]]\nid = "a"\ncountry = "CZ"\nname = "A"\n')
assert REGISTRY is not None
SETTINGS = Settings()
TOPICS = wanted(REGISTRY, SETTINGS)


def said(topic: str, **changes: str) -> dict[str, bool]:
    """What is said of one topic that is made as we make it, but for the changes."""
    (one,) = (each for each in TOPICS if each.name == topic)
    config = KAFKA | one.config | {key.replace("_", "."): value for key, value in changes.items()}
    return {mismatch.key: mismatch.grave for mismatch in compare([one], {topic: config})}


def test_every_kind_has_its_needs(tmp_path: Path) -> None:
    assert REGISTRY is not None
    lane = wanted(REGISTRY, Settings(lane="exercise", topic_prefix="exercise.one."))
    made = (*TOPICS, *notifying(tmp_path), *allied(tmp_path), *lane)
    assert set(NEEDS) == set(Kind) == {topic.kind for topic in made}


def allied(folder: Path) -> list[Wanted]:
    """The topics where there is an alliance."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = base64.b64encode(dsse.raw(key.public_key())).decode()
    made = Alliance("v4", 1, 0, (), (Extender("lead", public),))
    settings = Settings(alliances=str(folder / "alliances"))
    add(settings, [], made, signed(made, key))
    assert REGISTRY is not None
    return wanted(REGISTRY, settings)


def test_an_alliance_has_two_topics_and_one_that_does_not_verify_none(tmp_path: Path) -> None:
    new = {topic.name for topic in allied(tmp_path)} - {topic.name for topic in TOPICS}
    assert new == {"alliance.v4", "alliance.v4.counts"}
    version = tmp_path / "alliances" / "v4" / "1.json"
    version.write_bytes(version.read_bytes().replace(b'"sig":"', b'"sig":"AA'))
    assert REGISTRY is not None
    assert wanted(REGISTRY, Settings(alliances=str(tmp_path / "alliances"))) == list(TOPICS)


def notifying(folder: Path) -> list[Wanted]:
    """The topics where somebody is to be told of something."""
    at = folder / "directory.toml"
    at.write_text('[[csirt]]\nid = "cz"\nname = "n"\ncountry = "CZ"\nrole = "national"\n')
    assert REGISTRY is not None
    return wanted(REGISTRY, Settings(directory=str(at)))


def test_each_csirt_has_two_topics(tmp_path: Path) -> None:
    new = {topic.name for topic in notifying(tmp_path)} - {topic.name for topic in TOPICS}
    assert new == {
        *("notify.cz", "replies.cz", "replies.operator"),
        *("deliveries", "questions", "rulings", "suppressions"),
    }


def test_nothing_is_said_of_topics_as_they_are_made() -> None:
    found = {topic.name: KAFKA | topic.config for topic in TOPICS}
    assert compare(TOPICS, found) == []


def test_of_topics_with_the_broker_s_defaults_all_that_matters_is_said() -> None:
    found = compare(TOPICS, {topic.name: KAFKA for topic in TOPICS})
    assert {(one.topic, one.key) for one in found if one.grave} == {
        ("events.cz.a", "message.timestamp.type"),
        ("checkpoints", "cleanup.policy"),
        ("alerts", "cleanup.policy"),
        ("campaigns", "cleanup.policy"),
        ("sensors", "cleanup.policy"),
        ("labels", "cleanup.policy"),
        ("watches", "cleanup.policy"),
    }


def test_sightings_are_kept_as_long_as_campaigns_read_them_again() -> None:
    assert REGISTRY is not None
    for horizon, campaigns, fits in (("7d", "on", True), ("8d", "on", False), ("8d", "off", True)):
        settings = msgspec.convert({"campaign_horizon": horizon, "campaigns": campaigns}, Settings)
        (one,) = (each for each in wanted(REGISTRY, settings) if each.kind is Kind.SIGHTINGS)
        found = compare([one], {one.name: KAFKA | one.config})
        assert [each.key for each in found] == ([] if fits else ["retention.ms"])


@pytest.mark.parametrize(
    ("topic", "key", "value", "grave"),
    [
        ("events.cz.a", "message_timestamp_type", "CreateTime", True),
        ("events.cz.a", "cleanup_policy", "compact,delete", True),
        ("events.cz.a", "retention_ms", "3600000", False),
        ("events.cz.a", "retention_bytes", "1000000", False),
        ("sightings", "cleanup_policy", "compact", True),
        ("sightings", "retention_ms", "60000", False),
        ("sightings", "max_message_bytes", "100000", True),
        ("checkpoints", "cleanup_policy", "compact, delete", True),
        ("checkpoints", "max_message_bytes", "999999", True),
        ("checkpoints", "segment_ms", "604800000", False),
        ("alerts", "cleanup_policy", "delete", True),
        ("dead-letters", "max_message_bytes", "700000", True),
    ],
)
def test_what_does_not_fit_is_said(topic: str, key: str, value: str, grave: bool) -> None:
    assert said(topic, **{key: value}) == {key.replace("_", "."): grave}


@pytest.mark.parametrize(
    ("topic", "key", "value"),
    [
        ("alerts", "cleanup_policy", "compact,delete"),  # closed alerts may expire
        ("events.cz.a", "retention_ms", "-1"),
        ("sightings", "max_message_bytes", "4194304"),
        ("dead-letters", "retention_ms", "3600000"),
        ("dead-letters", "cleanup_policy", "compact"),
    ],
)
def test_what_is_somebody_s_choice_is_not(topic: str, key: str, value: str) -> None:
    assert said(topic, **{key: value}) == {}


def test_a_topic_that_could_not_be_read_is_left_out() -> None:
    assert compare(TOPICS, {}) == []
    assert compare(TOPICS, {"alerts": {}}) == []


def test_the_command_holds_together_in_a_shell() -> None:
    found = compare(TOPICS, {topic.name: KAFKA for topic in TOPICS})
    words = shlex.split(command(SETTINGS, "alerts", found))
    assert words[-4:] == ["--entity-name", "alerts", "--add-config", "cleanup.policy=compact"]
    odd = Settings(broker="$(x):1;y")
    assert "$(x):1;y" in shlex.split(command(odd, "alerts", found))
