"""Topics that were made by hand: workers run on them, and all is said that is wrong with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from pipeline.shell.topics import wanted
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline
from tests.integration.rules import THREE_COUNTRIES

pytestmark = pytest.mark.kafka


def sightline_topics(pipeline: Pipeline, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "topics", *options],
        env=os.environ | pipeline.settings.environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_topics_made_by_hand(broker: Broker, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(THREE_COUNTRIES)
    pipeline = Pipeline(broker.bootstrap, "byhand.", rules)
    if broker.kind == "embedded":
        done = sightline_topics(pipeline)
        assert (done.returncode, "could not be checked" in done.stderr) == (0, True)
        return
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    topics = wanted(pipeline.registry, pipeline.settings)
    made = admin.create_topics(
        [NewTopic(t.name, t.partitions, 1, config={"segment.bytes": "20000000"}) for t in topics]
    )
    for done_ in made.values():
        done_.result(30)

    with pipeline.worker() as worker:  # it starts, and warns
        said = worker.tail()
        assert "byhand.alerts: cleanup.policy is delete" in said
        assert "sightline topics" in said
    checked = sightline_topics(pipeline)
    assert checked.returncode == 1
    assert "wrong    byhand.checkpoints: cleanup.policy is delete, not compact" in checked.stderr
    assert "message.timestamp.type is CreateTime, not LogAppendTime" in checked.stderr
    assert "--entity-name byhand.alerts --add-config cleanup.policy=compact" in checked.stderr
    mended = sightline_topics(pipeline, "--apply")
    assert mended.returncode == 0
    assert "mended   byhand.checkpoints: cleanup.policy=compact" in mended.stdout
    again = sightline_topics(pipeline)
    assert again.returncode == 0
    assert "wrong" not in again.stderr

    (now,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, "byhand.alerts")]).values()
    config = now.result(30)
    assert config["cleanup.policy"].value == "compact"
    assert config["segment.bytes"].value == "20000000"  # nothing else was changed


def test_nothing_is_said_of_topics_that_are_ours(broker: Broker, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(THREE_COUNTRIES)
    pipeline = Pipeline(broker.bootstrap, "ours.", rules)
    first, second = sightline_topics(pipeline), sightline_topics(pipeline)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "wrong" not in first.stderr + second.stderr
    assert "unwise" not in first.stderr + second.stderr
