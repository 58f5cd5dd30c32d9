"""A sensor whose clock stands in 1970 neither stops nor slows what others have to say."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from pipeline.shell import observe
from pipeline.shell.ports import free_port
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline
from tests.integration.rules import THREE_COUNTRIES
from tests.integration.test_bad_input import NOON, event

pytestmark = pytest.mark.kafka

SENSORS = ("groucho-tokyo", "groucho-sydney", "groucho-sa")
STOPPED = "groucho-eu"
HOUR_MS = 3_600_000


def test_a_clock_that_stands_in_1970(broker: Broker, tmp_path: Path) -> None:
    """Under a rule of one second, slices are 17 ms: 1970 is 10^11 of them away."""
    rules = tmp_path / "rules.yml"
    rules.write_text(THREE_COUNTRIES.replace("timespan: 1h", "timespan: 1s"))
    pipeline = Pipeline(broker.bootstrap, "clocks.", rules)
    pipeline.settings = msgspec.structs.replace(
        pipeline.settings, lateness="1h", source_idle_after="2s", straggler_after="1s"
    )
    pipeline.create_topics()
    port = free_port()
    with pipeline.worker(metrics_port=port):
        # Before it is known what time it is, everybody says 1970, and then noon.
        pipeline.produce((pipeline.topic_of[one], event(one, 1)) for one in (*SENSORS, STOPPED))
        pipeline.caught_up()
        pipeline.produce((pipeline.topic_of[one], event(one)) for one in SENSORS)
        pipeline.caught_up()
        assert len(pipeline.alerts()) == 2
        # Hours later. One clock has not moved, and its sensor is never silent.
        deadline = time.monotonic() + 60
        straggling = 0.0
        while not (closed(pipeline) and straggling) and time.monotonic() < deadline:
            hours_later = NOON + 2 * HOUR_MS
            pipeline.produce(
                [
                    (pipeline.topic_of[one], event(one, hours_later, "1.1.1.1"))
                    for one in SENSORS[:2]
                ]
                + [(pipeline.topic_of[STOPPED], event(STOPPED, 1))] * 20
            )
            seen = observe.metrics(port)
            straggling = max(straggling, seen['sightline_sources{state="straggling"}'])
    assert closed(pipeline)
    assert straggling
    assert seen["sightline_sensors_adrift"] == len((*SENSORS, STOPPED))
    behind = seen[f'sightline_sensor_clock_offset_seconds{{sensor="{STOPPED}"}}']
    assert behind > 50 * 365 * 86_400


def closed(pipeline: Pipeline) -> bool:
    """Whether the alert of noon is closed."""
    newest = {
        alert.finding_info.uid: alert for alert in asyncio.run(observe.alerts(pipeline.settings))
    }
    return any(
        alert.activity_id == 3 and alert.finding_info.first_seen_time == NOON
        for alert in newest.values()
    )
