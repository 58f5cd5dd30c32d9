"""Rules, dashboards and runbooks are what their source says, and speak of what there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.shell.monitoring import objective, write
from pipeline.shell.monitoring.alerts import ALERTS
from pipeline.shell.monitoring.dashboards import DASHBOARDS
from pipeline.shell.monitoring.rule import AlertRule
from tests.unit.test_metrics import ALL

RUNBOOKS = write.ROOT / write.RUNBOOKS
SECTIONS = ["Meaning", "Impact", "Check", "Fix", "Verify"]
PROMTOOL = shutil.which("promtool")
LABELS = {metric._name: {*metric._labelnames, "le", "instance", "job"} for metric in ALL}
OF_PROMETHEUS = {"up"}


def exprs() -> list[tuple[str, str]]:
    panels = [
        (f"{dashboard.title}: {panel.title}", expr)
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
        for expr, _ in panel.queries
    ]
    return [
        *((alert.name, alert.expr) for alert in ALERTS),
        *((one.record, one.expr) for one in objective.RECORDINGS),
        *panels,
    ]


def metric_of(name: str) -> str:
    return re.sub(r"_(total|bucket|count|sum)$", "", name)


def test_what_is_committed_is_what_is_written() -> None:
    """`make monitoring` writes it anew."""
    written = {
        str(path.relative_to(write.FOLDER)): path.read_text("utf-8")
        for path in write.FOLDER.rglob("*")
        if path.is_file() and path.name != "prometheus.yml"
    }
    assert written == write.files()
    carried = {path.name: path.read_text("utf-8") for path in write.CHART.iterdir()}
    assert carried == write.chart_files()
    assert (RUNBOOKS / "README.md").read_text("utf-8") == write.index()


def test_no_alert_is_there_twice() -> None:
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_its_runbook(alert: AlertRule) -> None:
    page = (RUNBOOKS / f"{alert.name}.md").read_text("utf-8")
    title, summary, *_ = [line for line in page.splitlines() if line]
    assert title == f"# {alert.name}"
    assert summary.startswith(
        f"{alert.severity.capitalize()}. {alert.summary}".rstrip(".").split(":")[0]
    )
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == SECTIONS
    for section in ("Check", "Verify"):
        told = page.partition(f"## {section}\n")[2].partition("\n## ")[0]
        assert "```sh\n" in told, section


def test_there_is_no_runbook_of_no_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")}
    assert pages == {alert.name for alert in ALERTS} | {"README"}


@pytest.mark.parametrize(("where", "expr"), exprs())
def test_every_metric_and_label_exists(where: str, expr: str) -> None:
    recorded = {one.record for one in objective.RECORDINGS}
    bare = re.sub(r'"[^"]*"', "", expr)
    names = set(re.findall(r"\bsightline[a-z0-9_:]*\b", bare))
    assert names or "up" in bare
    assert {metric_of(name) for name in names - recorded} <= LABELS.keys(), where
    known = set[str]().union(*(LABELS[metric_of(name)] for name in names - recorded), {"job"})
    used = {
        label
        for listed in re.findall(r"by \(([^)]*)\)", bare)
        for label in re.split(r",\s*", listed)
    } | set(re.findall(r"[{,]\s*([a-z_]+)=", bare))
    assert used <= known, where


def test_every_alert_fires_somewhere_and_is_quiet_somewhere() -> None:
    for alert in ALERTS:
        assert any(trial.labels for trial in alert.trials), alert.name
        assert any(not trial.labels for trial in alert.trials), alert.name


@pytest.mark.parametrize("what", ["check", "test"])
def test_promtool_agrees(what: str) -> None:
    """The rules are rules, and each does on its series what it says. Where there is no promtool the
    summary says so, and REQUIRE_PROMTOOL=1 makes it a failure."""
    if PROMTOOL is None:
        assert os.environ.get("REQUIRE_PROMTOOL") != "1", "apt-get install prometheus"
        return
    file = write.RULES if what == "check" else write.TRIALS
    done = subprocess.run(
        [PROMTOOL, what, "rules", file],
        cwd=write.FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_the_bucket_of_the_objective_is_there() -> None:
    from pipeline.shell.metrics import SECONDS

    assert float(objective.WITHIN) in SECONDS
    assert Path(write.FOLDER, write.RULES).read_text("utf-8").count('le="2.0"') >= len(
        objective.WINDOWS
    )
