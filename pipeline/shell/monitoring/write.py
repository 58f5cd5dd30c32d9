"""`make monitoring`: writes what of deploy/ is made from code anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from pipeline.shell.monitoring import chart
from pipeline.shell.monitoring.alerts import GROUPS
from pipeline.shell.monitoring.dashboards import DASHBOARDS, model
from pipeline.shell.monitoring.objective import RECORDINGS
from pipeline.shell.monitoring.rule import AlertRule

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = ROOT / "deploy" / "monitoring"
CHART: Final = ROOT / "deploy" / "helm" / "sightline" / "files"
RUNBOOKS: Final = "docs/runbooks"
RULES: Final = "sightline.rules.yml"
TRIALS: Final = "sightline.rules.test.yml"
_HEAD: Final = (
    "# Written by `make monitoring` from pipeline/shell/monitoring: change that instead.\n"
)


def files() -> dict[str, str]:
    """Each file's content by its name under deploy/monitoring."""
    made = {RULES: _yaml(rules()), TRIALS: _yaml(trials())}
    for dashboard in DASHBOARDS:
        text = json.dumps(model(dashboard), indent=1, sort_keys=True)
        made[f"dashboards/{dashboard.uid}.json"] = text + "\n"
    return made


def chart_files() -> dict[str, str]:
    """Each file's content by its name under the chart's files."""
    return {
        RULES: files()[RULES],
        "topics.yaml": _yaml(chart.topics()),
        "users.yaml": _yaml(chart.users()),
    }


def index() -> str:
    """The page that lists the runbooks."""
    rows = [
        f"| [{alert.name}]({alert.name}.md) | {alert.severity} | {alert.summary} |"
        for group in GROUPS.values()
        for alert in group
    ]
    head = (
        "# Runbooks\n\nOne for each of [the alerts](../../deploy/monitoring/sightline.rules.yml): "
        "what it means, whom it\nharms, how to check, mend and verify. A page is for now, a ticket "
        "for the morning. The commands\nare those of one machine with the units of "
        "[deploy/systemd](../../deploy/systemd).\n\n| alert | severity | says |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def rules() -> dict[str, Any]:
    """As Prometheus reads it: what is recorded first, for alerts are of it."""
    recorded = [{"record": one.record, "expr": one.expr} for one in RECORDINGS]
    groups: list[dict[str, Any]] = [{"name": "sightline-recorded", "rules": recorded}]
    groups += [
        {"name": name, "rules": [_alert(alert) for alert in alerts]}
        for name, alerts in GROUPS.items()
    ]
    return {"groups": groups}


def _alert(alert: AlertRule) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.for_,
        "labels": {"severity": alert.severity},
        "annotations": _annotations(alert),
    }


def _annotations(alert: AlertRule) -> dict[str, str]:
    return {"summary": alert.summary, "runbook": f"{RUNBOOKS}/{alert.name}.md"}


def trials() -> dict[str, Any]:
    """Each rule's trials, as `promtool test rules` reads them."""
    return {
        "rule_files": [RULES],
        "evaluation_interval": "5m",  # each trial evaluates all rules
        "tests": [
            trial for group in GROUPS.values() for alert in group for trial in _trials(alert)
        ],
    }


def _trials(alert: AlertRule) -> Iterator[dict[str, Any]]:
    for trial in alert.trials:
        yield {
            "interval": "1m",
            "input_series": [
                {"series": series, "values": values} for series, values in trial.series.items()
            ],
            "alert_rule_test": [
                {
                    "eval_time": trial.at,
                    "alertname": alert.name,
                    "exp_alerts": [
                        {
                            "exp_labels": labels | {"severity": alert.severity},
                            "exp_annotations": _annotations(alert),
                        }
                        for labels in trial.labels
                    ],
                }
            ],
        }


def _yaml(content: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, width=96, allow_unicode=True)
    return _HEAD + text


if __name__ == "__main__":
    (ROOT / RUNBOOKS / "README.md").write_text(index(), "utf-8")
    every = {FOLDER / name: content for name, content in files().items()}
    every |= {CHART / name: content for name, content in chart_files().items()}
    for path, content in every.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
