"""What a worker's metrics say of restarts, and of partitions that went to another worker."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from pipeline.shell import observe
from pipeline.shell.ports import free_port
from pipeline.shell.processes import until
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline
from tests.integration.rules import THREE_COUNTRIES

pytestmark = pytest.mark.kafka


def process_of(supervisor: int, stage: str) -> int:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    (pid,) = (int(r[0]) for r in rows if r[1] == str(supervisor) and r[2].endswith(stage))
    return pid


def partitions(port: int, metric: str, stage: str) -> set[str]:
    """The labels of a metric that are shown."""
    return {
        name
        for name in observe.metrics(port)
        if name.startswith(f"{metric}{{") and (f'stage="{stage}"' in name or not stage)
    }


def test_a_restart_is_counted_and_what_moved_away_is_not_shown(
    broker: Broker, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(THREE_COUNTRIES)
    pipeline = Pipeline(broker.bootstrap, "gauges.", rules)
    pipeline.create_topics()
    first_port, second_port = free_port(), free_port()
    lag = "sightline_consumer_lag_records"
    with pipeline.worker(metrics_port=first_port) as first:
        sources = len(pipeline.registry.topics()) * 4
        until(lambda: len(partitions(first_port, lag, "intake")) == sources, "all sources shown")
        until(lambda: len(partitions(first_port, lag, "correlate")) == 4, "all shards shown")
        assert observe.metrics(first_port)["sightline_stage_restarts_total"] == 0

        os.kill(process_of(first.pid, "intake"), signal.SIGKILL)
        restarts = 'sightline_stage_restarts_total{stage="intake"}'
        until(lambda: observe.metrics(first_port)[restarts] == 1, "the restart is counted")
        assert observe.metrics(first_port)["sightline_stage_restarts_total"] == 1

        if broker.kind == "embedded":
            return  # its groups do not get over a member that was killed
        with pipeline.worker(metrics_port=second_port):
            for stage, every in (("intake", sources), ("correlate", 4)):

                def shared(stage: str = stage, every: int = every) -> bool:
                    mine = partitions(first_port, lag, stage)
                    yours = partitions(second_port, lag, stage)
                    return bool(mine and yours) and not mine & yours and len(mine | yours) == every

                until(shared, f"each partition of {stage} is shown by one worker", 60)
