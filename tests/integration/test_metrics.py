"""What a worker's metrics say of restarts, and of partitions that went to another worker."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Container, Iterable
from pathlib import Path

import msgspec
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics

from pipeline import canary
from pipeline.campaign.campaign import Status
from pipeline.decode import Reason
from pipeline.episode import Change
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.shell import observe, topics
from pipeline.shell.correlating import SEVERITIES
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child, until
from pipeline.shell.worker import STAGES
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline
from tests.integration.rules import THREE_COUNTRIES
from tests.unit.test_metrics import BOUNDED

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


def checked(text: str) -> None:
    """`promtool check metrics` has nothing to say of it."""
    promtool = shutil.which("promtool")
    if promtool is None:
        assert os.environ.get("REQUIRE_PROMTOOL") != "1", "promtool is missing"
        return  # the summary says so
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def answer(port: int, path: str, accept: str = "") -> tuple[int, str]:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(asked, timeout=10) as given:  # noqa: S310
            return given.status, given.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


STRANGE = b'{"time":1,"metadata":{"uid":"\\"}\\n"},"device":{"uid":"{stage=\\"no\\"} 1\\n"}}'
"""What would make series of its own, if what sensors say were ever a label."""


def attack(pipeline: Pipeline, address: str) -> list[tuple[str, bytes]]:
    """One address at three organisations of three countries, now."""
    by_country = {of.country: sensor for sensor, of in pipeline.registry.sensors.items()}
    now = time.time_ns() // 1_000_000
    return [
        (
            pipeline.topic_of[sensor],
            msgspec.json.encode(
                {
                    "time": now,
                    "metadata": {"uid": f"{address}-{sensor}"},
                    "device": {"uid": sensor},
                    "src_endpoint": {"ip": address},
                }
            ),
        )
        for sensor in [*by_country.values()][:3]
    ]


def test_canaries_fly_and_nobody_else_sees_them(broker: Broker, tmp_path: Path) -> None:
    """… and the real beside them is what it would be without. What is served meanwhile is sound."""
    rules = tmp_path / "rules.yml"
    rules.write_text(
        THREE_COUNTRIES.replace("[ip]", "[domain]")
        + "---"
        + THREE_COUNTRIES.replace("0a4a7a1e", "0a4a7a1f")
    )
    pipeline = Pipeline(broker.bootstrap, "canaries.", rules, canary_interval="500ms")
    pipeline.create_topics()
    port, canary_port = free_port(), free_port()
    environment = pipeline.settings.environment() | {"SIGHTLINE_METRICS_PORT": str(canary_port)}
    with (
        pipeline.worker(metrics_port=port),
        Child("-m", "pipeline", "canary", environment=environment),
    ):
        until(lambda: answer(port, "/readyz") == (200, "ok\n"), "it is ready", 60)
        assert answer(port, "/livez") == (200, "ok\n")
        assert answer(port, "/elsewhere")[0] == 404

        def flown() -> int:
            return int(observe.metrics(canary_port)["sightline_canary_latency_seconds_count"])

        until(lambda: flown() >= 3, "three canaries are back", 60)
        seen = observe.metrics(port)
        for counted in ("events_received", "sightings_received", "sightings_sent"):
            assert seen[f"sightline_{counted}_total"] == 0
        assert seen["sightline_open_episodes"] == 0
        assert seen["sightline_sources"] == 4 * len(pipeline.registry.topics())
        assert not [name for name in seen if "watermark" in name]
        assert not [name for name in seen if "canary" in name or "xa" in name]

        pipeline.produce(attack(pipeline, "218.237.65.47"))
        pipeline.produce([(next(iter(pipeline.registry.topics("canaries."))), STRANGE)])
        after = flown()
        pipeline.caught_up()
        until(lambda: flown() >= after + 2, "more canaries are back", 60)
        (alert,) = pipeline.alerts()
        assert alert[2] == "218.237.65.47"
        assert len(asyncio.run(letters(pipeline))) == 1  # the strange one
        assert observe.metrics(port)["sightline_events_received_total"] == 4
        assert all(
            party.startswith("groucho")
            for one in asyncio.run(observe.campaigns(pipeline.settings))
            for party in one.organisations
        )

        checked(answer(port, "/metrics")[1])
        checked(answer(canary_port, "/metrics")[1])
        open_metrics = until(lambda: exemplar(port), "the alert is an exemplar")
        assert answer(canary_port, "/livez") == (200, "ok\n")
        (told,) = asyncio.run(ids(pipeline))
        assert f'# {{alert="{told}"}}' in open_metrics
        families = list(openmetrics.text_string_to_metric_families(open_metrics))  # type: ignore[no-untyped-call]
        assert len(families) > 40
    bounded(families, pipeline)


def bounded(families: Iterable[Metric], pipeline: Pipeline) -> None:
    """Each label is one of those that are bounded, and its value one of a set that is known."""
    # Not those of canaries: that they wait is shown nowhere.
    real = {t.name for t in topics.wanted(pipeline.registry, pipeline.settings)} - {
        pipeline.settings.topic(name) for name in (canary.EVENTS, canary.ALERTS)
    }
    reasons = {*map(str, Reason), "not-ours"}
    known: dict[str, Container[str]] = {
        "stage": STAGES,
        "reason": reasons,
        "intentional": {"true", "false"},
        "severity": {*SEVERITIES.values()},
        "action": {*Change},
        "cause": {"expired", "shed"},
        "database": {"country", "asn"},
        "result": {"found", "unknown"},
        "status": {*Status},
        "state": {"live", "idle", "straggling"},
        "type": INDICATOR_TYPES,
        "topic": real,
        "partition": {*map(str, range(8))},
        "sensor": pipeline.registry.sensors,
    }
    assert known.keys() == BOUNDED - {"way"}  # that is of a stage which does not run here
    strange = [
        (sample.name, label, value)
        for family in families
        for sample in family.samples
        for label, value in sample.labels.items()
        if label != "le" and value not in known[label]
    ]
    assert strange == []


def exemplar(port: int) -> str:
    text = answer(port, "/metrics", "application/openmetrics-text; version=1.0.0")[1]
    return text if "# {alert=" in text else ""


async def letters(pipeline: Pipeline) -> list[bytes]:
    topic = pipeline.settings.topic("dead-letters")
    return [value async for value in observe.read_topic(pipeline.settings, topic)]


async def ids(pipeline: Pipeline) -> set[str]:
    return {alert.finding_info.uid for alert in await observe.alerts(pipeline.settings)}


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

                def shared(metric: str, stage: str = stage, every: int = every) -> bool:
                    mine = partitions(first_port, metric, stage)
                    yours = partitions(second_port, metric, stage)
                    return bool(mine and yours) and not mine & yours and len(mine | yours) == every

                for metric in (lag, "sightline_consumer_lag_seconds"):
                    until(lambda metric=metric: shared(metric), f"{metric} of {stage} by one", 60)  # type: ignore[misc]
            dealt = 'sightline_rebalances_total{stage="correlate"}'
            assert observe.metrics(first_port)[dealt] >= 2
            has = 'sightline_assigned_partitions{stage="correlate"}'
            both = (observe.metrics(port)[has] for port in (first_port, second_port))
            assert sum(both) == 4
