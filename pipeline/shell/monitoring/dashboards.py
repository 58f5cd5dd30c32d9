"""What Grafana shows: one page for whoever asks whether it works, one for whoever asks why not."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from pipeline.shell.monitoring import objective

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT = 8, 7  # of Grafana's 24 columns


class Panel(Struct, frozen=True):
    """One graph: what it is called, in what unit, and its queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    says: str = ""
    stat: bool = False


class Dashboard(Struct, frozen=True):
    """Panels, three abreast."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


def quantile(share: float, metric: str, by: str = "") -> str:
    """Of a histogram, over five minutes."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({labels}) (rate({metric}_bucket[5m])))"


OVERVIEW: Final = Dashboard(
    "sightline",
    "Sightline",
    (
        Panel(
            "Canaries late or lost, 30 days",
            "percentunit",
            ((objective.bad("30d"), "of 1 % allowed"),),
            "The objective: 99 % of synthetic attacks are told of within 2 s.",
            stat=True,
        ),
        Panel(
            "From attack to alert, by canaries",
            "s",
            (
                (quantile(0.5, "sightline_canary_latency_seconds"), "half"),
                (quantile(0.99, "sightline_canary_latency_seconds"), "99 %"),
            ),
        ),
        Panel(
            "Alerts, by severity",
            "short",
            (
                (
                    'sum by (severity) (increase(sightline_alerts_total{action="opened"}[5m]))',
                    "{{severity}}",
                ),
            ),
            "New alerts in five minutes.",
        ),
        Panel(
            "Events received",
            "ops",
            (("sum(rate(sightline_events_received_total[5m]))", "events"),),
        ),
        Panel(
            "Let fall, by reason",
            "ops",
            (
                (
                    "sum by (stage, reason) (rate(sightline_events_discarded_total[5m]))",
                    "{{stage}} {{reason}}",
                ),
            ),
        ),
        Panel(
            "Waiting",
            "s",
            (("max by (stage) (sightline_consumer_lag_seconds)", "{{stage}}"),),
            "How long the oldest record that is not done has waited.",
        ),
        Panel(
            "Live campaigns",
            "short",
            (("max(sightline_live_campaigns)", "campaigns"),),
            stat=True,
        ),
        Panel(
            "Alerts that may still change",
            "short",
            (("sum(sightline_open_episodes)", "alerts"),),
            stat=True,
        ),
        Panel(
            "Sensors silent for an hour or more",
            "short",
            (
                (
                    "count(time() - max by (sensor) "
                    "(sightline_sensor_last_event_timestamp_seconds) > 3600) or vector(0)",
                    "sensors",
                ),
            ),
            stat=True,
        ),
    ),
)

INSIDE: Final = Dashboard(
    "sightline-inside",
    "Sightline, inside",
    (
        Panel(
            "Records read",
            "ops",
            (("sum by (stage) (rate(sightline_records_received_total[5m]))", "{{stage}}"),),
        ),
        Panel(
            "Lag",
            "short",
            (("sum by (stage) (sightline_consumer_lag_records)", "{{stage}}"),),
        ),
        Panel(
            "Event time behind the clock",
            "s",
            (
                (
                    "time() - min by (partition) (sightline_watermark_timestamp_seconds)",
                    "partition {{partition}}",
                ),
            ),
        ),
        Panel(
            "Work on a batch, 99 %",
            "s",
            ((quantile(0.99, "sightline_batch_duration_seconds", "stage"), "{{stage}}"),),
        ),
        Panel(
            "Commits, 99 %",
            "s",
            (
                (quantile(0.99, "sightline_commit_duration_seconds", "stage"), "{{stage}}"),
                (quantile(0.99, "sightline_checkpoint_duration_seconds"), "checkpoint"),
                (quantile(0.99, "sightline_checkpoint_block_seconds"), "kept waiting"),
            ),
        ),
        Panel(
            "Event loop late, 99 %",
            "s",
            ((quantile(0.99, "sightline_event_loop_lag_seconds", "stage"), "{{stage}}"),),
        ),
        Panel(
            "From events to alert, 99 %",
            "s",
            ((quantile(0.99, "sightline_alert_latency_seconds"), "alerts"),),
            "Exemplars name an alert each.",
        ),
        Panel(
            "Memory taken by state",
            "bytes",
            (
                ("sum by (instance, stage) (sightline_state_bytes)", "{{instance}} {{stage}}"),
                ("min by (instance) (sightline_state_limit_bytes)", "{{instance}} limit"),
            ),
        ),
        Panel(
            "Indicators remembered",
            "short",
            (
                ("sum by (type) (sightline_live_indicators)", "{{type}}"),
                ("max(sightline_live_indicators_limit)", "limit"),
            ),
        ),
        Panel(
            "Forgotten",
            "ops",
            (
                (
                    "sum by (stage, cause) (rate(sightline_evictions_total[5m]))",
                    "{{stage}} {{cause}}",
                ),
            ),
        ),
        Panel(
            "Partitions, by stage",
            "short",
            (
                ("sum by (stage) (sightline_assigned_partitions)", "{{stage}}"),
                (
                    "sum by (stage) (increase(sightline_rebalances_total[5m]))",
                    "{{stage}} dealt anew",
                ),
            ),
        ),
        Panel(
            "Restarts and errors",
            "short",
            (
                (
                    "sum by (stage) (increase(sightline_stage_restarts_total[5m]))",
                    "{{stage}} restarts",
                ),
                (
                    "sum by (stage) (increase(sightline_produce_errors_total[5m]))",
                    "{{stage}} not taken",
                ),
            ),
        ),
        Panel(
            "Restores, 99 %",
            "s",
            ((quantile(0.99, "sightline_restore_duration_seconds", "stage"), "{{stage}}"),),
        ),
        Panel(
            "Looks for campaigns, 99 %",
            "s",
            ((quantile(0.99, "sightline_campaign_look_seconds"), "a look"),),
        ),
        Panel(
            "GeoIP",
            "ops",
            (
                (
                    "sum by (database, result) (rate(sightline_geoip_lookups_total[5m]))",
                    "{{database}} {{result}}",
                ),
            ),
        ),
    ),
)

DASHBOARDS: Final = (OVERVIEW, INSIDE)


def model(dashboard: Dashboard) -> dict[str, Any]:
    """As Grafana's file provider reads it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["sightline"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                }
            ]
        },
        "panels": [_panel(n, panel) for n, panel in enumerate(dashboard.panels)],
    }


def _panel(n: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": n + 1,
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "gridPos": {"x": n % 3 * _WIDTH, "y": n // 3 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": DATASOURCE,
                "expr": expr,
                "legendFormat": legend,
                "exemplar": "alert_latency" in expr,
            }
            for at, (expr, legend) in enumerate(panel.queries)
        ],
    }
