"""Events in, alerts out, by real workers on the broker: what the offline run says, exactly."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from pipeline.shell import marx, observe
from pipeline.shell.ports import free_port
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline
from tests.integration.rules import THREE_COUNTRIES

pytestmark = pytest.mark.kafka


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yml"
    path.write_text(THREE_COUNTRIES)
    return path


def events(count: int) -> tuple[list[str], list[bytes]]:
    """The first events of the carried attacks: their sensors, and they."""
    rows = list(islice(marx.carried(), count))
    return [row.host for row in rows], list(marx.events(rows))


def test_alerts_equal_the_offline_run(broker: Broker, rules: Path) -> None:
    pipeline = Pipeline(broker.bootstrap, "plain.", rules)
    pipeline.create_topics()
    hosts, lines = events(20_000)
    port = free_port()
    with pipeline.worker(metrics_port=port):
        pipeline.produce(zip((pipeline.topic_of[host] for host in hosts), lines, strict=True))
        pipeline.caught_up()
        seen = observe.metrics(port)
    assert pipeline.alerts() == pipeline.offline(lines)
    assert seen["sightline_events_received_total"] == len(lines)
    assert seen["sightline_events_received_total"] == (
        seen["sightline_events_correlated_total"]
        + seen["sightline_events_without_indicators_total"]
        + seen.get("sightline_events_rejected_total", 0)
        + seen["sightline_events_late_total"]
    )
    assert seen["sightline_sightings_received_total"] == seen["sightline_sightings_sent_total"]
    assert seen["sightline_sightings_late_total"] == 0


def test_two_workers_and_a_kill(broker: Broker, rules: Path) -> None:
    pipeline = Pipeline(broker.bootstrap, "killed.", rules)
    pipeline.create_topics()
    hosts, lines = events(200_000)
    addressed = list(zip((pipeline.topic_of[host] for host in hosts), lines, strict=True))
    port = free_port()
    with pipeline.worker(metrics_port=port), pipeline.worker() as second:
        pipeline.produce(addressed[:100_000])
        second.kill()
        with pipeline.worker():
            pipeline.produce(addressed[100_000:])
            pipeline.caught_up()
    assert pipeline.alerts() == pipeline.offline(lines)
