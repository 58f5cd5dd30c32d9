"""Metrics keep their names' law, forget partitions that are gone, and leave nothing behind."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from pipeline.shell import canary_metrics, metrics
from pipeline.shell.metrics_folder import LOCK, PREFIX, metrics_folder, remove_left_over
from pipeline.shell.metrics_server import StageMetrics
from pipeline.shell.serve import serve_metrics

ALL = [
    metric
    for metric in (
        *vars(metrics).values(),
        *vars(canary_metrics).values(),
        *vars(serve_metrics).values(),
    )
    if isinstance(metric, MetricWrapperBase)
]
BOUNDED = {
    *("reason", "stage", "topic", "partition", "type", "sensor", "state", "status", "way"),
    *("intentional", "severity", "action", "cause", "database", "result"),
}
"""Labels whose values are from closed sets, or from the registry: nothing that a sensor says."""


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric._name)
def test_names_are_as_prometheus_has_them(metric: MetricWrapperBase) -> None:
    """What `promtool check metrics` would say."""
    name = metric._name
    assert re.fullmatch(r"sightline(_[a-z]+)+", name)
    words = set(name.split("_"))
    assert not words & {"milliseconds", "ms", "minutes", "hours", "kb", "mb", "percent"}
    assert not words & {"counter", "gauge", "histogram", "count", "sum", "bucket", "info"}
    if isinstance(metric, Histogram):
        assert name.endswith("_seconds")
    if "seconds" in words or "bytes" in words:
        assert name.endswith(("_seconds", "_bytes"))
    assert isinstance(metric, Counter | Gauge | Histogram)
    assert "total" not in words  # the client adds it to a counter's
    assert metric._documentation.endswith(".")
    assert set(metric._labelnames) <= BOUNDED


def in_stage(folder: Path, code: str) -> None:
    """Run code in a process as a stage's is."""
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        metrics.STAGE_VARIABLE: "intake",
    }
    program = f"from pipeline.shell import metrics\nimport os, signal\n{code}"
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert done.returncode in {0, -9}


def shown(folder: Path) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for metric in StageMetrics(folder).collect()
        for sample in metric.samples
        if "histogram" not in metric.type
    }


def test_a_partition_that_is_gone_is_not_shown(tmp_path: Path) -> None:
    in_stage(
        tmp_path,
        "lag = metrics.Partitions(metrics.LAG)\n"
        "lag.show({('intake', 't', 0): 5, ('intake', 't', 1): 7})\n"
        "lag.show({('intake', 't', 1): 8})",
    )
    assert [(name, value) for name, value in shown(tmp_path).items() if "lag" in name] == [
        (
            "sightline_consumer_lag_records[('partition', '1'), ('stage', 'intake'), ('topic', 't')]",
            8,
        )
    ]
    in_stage(
        tmp_path,
        "lag = metrics.Partitions(metrics.LAG)\nlag.show({('intake', 't', 0): 1})\nlag.show({})",
    )
    assert not [name for name in shown(tmp_path) if "partition', '0'" in name]


def test_of_many_sensors_no_more_are_shown_than_may_be(tmp_path: Path) -> None:
    """However many there are, and whoever comes and goes: those that tell most."""
    in_stage(
        tmp_path,
        "heard = metrics.Partitions(metrics.SENSOR_LAST_EVENT, 5, lambda at: -at)\n"
        "heard.show({(f's{n}',): n for n in range(1000)})\n"
        "heard.show({(f's{n}',): n for n in range(3, 2000)})\n"
        "off = metrics.Partitions(metrics.SENSOR_CLOCK_OFFSET, 2, abs)\n"
        "off.show({('a',): -9.0, ('b',): 3.0, ('c',): 1.0})\n",
    )
    sensors = [name for name in shown(tmp_path) if "'sensor'" in name]
    assert sorted(re.findall(r"'sensor', '(\w+)'", str(sensors))) == [
        "a", "b", "s3", "s4", "s5", "s6", "s7"
    ]  # fmt: skip


def test_counters_go_on_after_a_kill_in_as_many_files(tmp_path: Path) -> None:
    for _ in range(3):
        in_stage(
            tmp_path,
            "metrics.EVENTS_RECEIVED.inc(2)\n"
            "metrics.EVENTS_REJECTED.labels('schema').inc()\n"
            "os.kill(os.getpid(), signal.SIGKILL)",
        )
    assert shown(tmp_path)["sightline_events_received_total[]"] == 6
    assert shown(tmp_path)["sightline_events_rejected_total[('reason', 'schema')]"] == 3
    assert sorted(path.name for path in tmp_path.glob("counter*")) == ["counter_intake.db"]


def test_a_fork_writes_to_files_of_its_own(tmp_path: Path) -> None:
    in_stage(
        tmp_path,
        "metrics.EVENTS_RECEIVED.inc(2)\n"
        "child = os.fork()\n"
        "metrics.EVENTS_RECEIVED.inc()\n"
        "os.waitpid(child, 0) if child else os._exit(0)\n",
    )
    assert len(list(tmp_path.glob("counter*"))) == 2
    assert shown(tmp_path)["sightline_events_received_total[]"] == 4


def test_left_over_folders_are_removed_and_no_others(tmp_path: Path) -> None:
    held, left, older, young, other = (
        tmp_path / name
        for name in (f"{PREFIX}h", f"{PREFIX}l", f"{PREFIX}o", f"{PREFIX}y", "other")
    )
    for folder in (held, left, older, young, other):
        folder.mkdir()
        (folder / "counter_1.db").write_bytes(b"")
    for folder in (held, left, young):
        (folder / LOCK).write_bytes(b"")
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    for folder in (held, left, older, other):
        os.utime(folder, (0, 0))
    with (held / LOCK).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_left_over(tmp_path)
    assert [folder.exists() for folder in (held, left, older, young, other)] == [
        True, False, False, True, True,
    ]  # fmt: skip
    assert (other / "counter_1.db").exists()


def test_the_folder_is_held_while_it_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with metrics_folder() as folder:
        os.utime(folder, (0, 0))
        remove_left_over(tmp_path)
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []
