"""What is worth somebody's attention. Thresholds are a start, to be set by what is usual."""

from __future__ import annotations

from typing import Final

from pipeline.shell.monitoring import objective, what_comes
from pipeline.shell.monitoring.rule import AlertRule, fires, quiet
from pipeline.shell.worker import STAGES

_ASSIGNED = {f'sightline_assigned_partitions{{stage="{stage}"}}': "8x40" for stage in STAGES}

WORKERS: Final = (
    AlertRule(
        "SightlineWorkerDown",
        'up{job="sightline"} == 0',
        "2m",
        "page",
        "A worker does not answer",
        (
            fires(
                {'up{job="sightline",instance="a"}': "0x40"}, {"job": "sightline", "instance": "a"}
            ),
            quiet({'up{job="sightline",instance="a"}': "1x40"}),
            quiet({'up{job="other",instance="a"}': "0x40"}),
        ),
    ),
    AlertRule(
        "SightlineStageDown",
        " or ".join(
            f'absent(sightline_assigned_partitions{{stage="{stage}"}})' for stage in STAGES
        ),
        "2m",
        "page",
        "Nobody runs a stage",
        (
            fires(dict([*_ASSIGNED.items()][1:]), {"stage": STAGES[0]}),
            quiet(_ASSIGNED),
        ),
    ),
    AlertRule(
        "SightlineStageStuck",
        "time() - max by (instance, stage) (sightline_event_loop_timestamp_seconds) > 60",
        "1m",
        "page",
        "The event loop of a stage stands still",
        (
            fires(
                {'sightline_event_loop_timestamp_seconds{stage="correlate",instance="a"}': "60x40"},
                {"stage": "correlate", "instance": "a"},
            ),
            quiet({'sightline_event_loop_timestamp_seconds{stage="correlate"}': "0+60x40"}),
        ),
    ),
    AlertRule(
        "SightlineStageRestarts",
        "sum by (stage) (increase(sightline_stage_restarts_total[15m])) > 3",
        "0m",
        "page",
        "A stage ends again and again",
        (
            fires(
                {'sightline_stage_restarts_total{stage="intake"}': "0+1x40"}, {"stage": "intake"}
            ),
            quiet({'sightline_stage_restarts_total{stage="intake"}': "0x20 1x20"}),
        ),
    ),
    AlertRule(
        "SightlineLoopSlow",
        "histogram_quantile(0.99, sum by (stage, le) "
        "(rate(sightline_event_loop_lag_seconds_bucket[10m]))) > 5",
        "10m",
        "ticket",
        "A stage keeps its event loop waiting for seconds",
        (
            fires(
                {
                    'sightline_event_loop_lag_seconds_bucket{stage="campaign",le="5.0"}': "0+1x40",
                    'sightline_event_loop_lag_seconds_bucket{stage="campaign",le="10.0"}': "0+9x40",
                    'sightline_event_loop_lag_seconds_bucket{stage="campaign",le="+Inf"}': "0+9x40",
                },
                {"stage": "campaign"},
            ),
            quiet(
                {
                    'sightline_event_loop_lag_seconds_bucket{stage="campaign",le="0.05"}': "0+9x40",
                    'sightline_event_loop_lag_seconds_bucket{stage="campaign",le="+Inf"}': "0+9x40",
                }
            ),
        ),
    ),
    AlertRule(
        "SightlineRebalances",
        "sum by (stage) (increase(sightline_rebalances_total[15m])) > 10",
        "0m",
        "ticket",
        "Partitions are dealt out again and again",
        (
            fires({'sightline_rebalances_total{stage="intake"}': "0+1x40"}, {"stage": "intake"}),
            quiet({'sightline_rebalances_total{stage="intake"}': "1x20 2x20"}),
        ),
    ),
)

FLOW: Final = (
    AlertRule(
        "SightlineNoEvents",
        "sum(rate(sightline_events_received_total[15m])) == 0",
        "15m",
        "page",
        "No sensor sends anything",
        (
            fires({"sightline_events_received_total": "7x60"}, at="40m"),
            quiet({"sightline_events_received_total": "0+1x60"}, at="40m"),
        ),
    ),
    AlertRule(
        "SightlineFallingBehind",
        "max by (stage) (sightline_consumer_lag_seconds) > 60",
        "10m",
        "page",
        "What comes in waits for more than a minute",
        (
            fires(
                {'sightline_consumer_lag_seconds{stage="intake",partition="0"}': "0+30x40"},
                {"stage": "intake"},
            ),
            quiet({'sightline_consumer_lag_seconds{stage="intake",partition="0"}': "5x40"}),
        ),
    ),
    AlertRule(
        "SightlineSlowAlerts",
        "histogram_quantile(0.99, sum by (le) "
        "(rate(sightline_alert_latency_seconds_bucket[15m]))) > 10",
        "15m",
        "ticket",
        "Alerts take more than ten seconds",
        (
            fires(
                {
                    'sightline_alert_latency_seconds_bucket{le="10.0"}': "0+1x60",
                    'sightline_alert_latency_seconds_bucket{le="30.0"}': "0+9x60",
                    'sightline_alert_latency_seconds_bucket{le="+Inf"}': "0+9x60",
                },
                at="40m",
            ),
            quiet(
                {
                    'sightline_alert_latency_seconds_bucket{le="0.1"}': "0+9x60",
                    'sightline_alert_latency_seconds_bucket{le="+Inf"}': "0+9x60",
                },
                at="40m",
            ),
        ),
    ),
    AlertRule(
        "SightlineTimeStandsStill",
        "time() - min(sightline_watermark_timestamp_seconds) > 3600",
        "15m",
        "ticket",
        "Event time does not go on: alerts are raised, but none is closed",
        (
            fires({'sightline_watermark_timestamp_seconds{partition="0"}': "60x120"}, at="90m"),
            quiet({'sightline_watermark_timestamp_seconds{partition="0"}': "0+60x120"}, at="90m"),
        ),
    ),
    AlertRule(
        "SightlineNoCheckpoints",
        "sum(rate(sightline_checkpoint_duration_seconds_count[10m])) == 0",
        "10m",
        "page",
        "State is not made durable: a restart replays more and more",
        (
            fires({"sightline_checkpoint_duration_seconds_count": "7x40"}),
            quiet({"sightline_checkpoint_duration_seconds_count": "0+30x40"}),
        ),
    ),
    AlertRule(
        "SightlineProduceErrors",
        "sum by (stage) (increase(sightline_produce_errors_total[15m])) > 0",
        "0m",
        "page",
        "The broker does not take what a stage sends",
        (
            fires(
                {'sightline_produce_errors_total{stage="intake"}': "0x20 1x20"}, {"stage": "intake"}
            ),
            quiet({'sightline_produce_errors_total{stage="intake"}': "1x40"}),
        ),
    ),
)

ROOM: Final = (
    AlertRule(
        "SightlineShedding",
        'sum by (stage) (increase(sightline_evictions_total{cause="shed"}[15m])) > 0',
        "0m",
        "page",
        "Things are forgotten before their time: possible misses",
        (
            fires(
                {'sightline_evictions_total{stage="correlate",cause="shed"}': "0x20 9x20"},
                {"stage": "correlate"},
            ),
            quiet({'sightline_evictions_total{stage="correlate",cause="expired"}': "0+9x40"}),
        ),
    ),
    AlertRule(
        "SightlineIndicatorsNearLimit",
        "sum(sightline_live_indicators) > 0.8 * max(sightline_live_indicators_limit)",
        "15m",
        "ticket",
        "Nearly as many indicators are remembered as may be",
        (
            fires(
                {
                    'sightline_live_indicators{type="ip"}': "90x40",
                    "sightline_live_indicators_limit": "100x40",
                }
            ),
            quiet(
                {
                    'sightline_live_indicators{type="ip"}': "70x40",
                    "sightline_live_indicators_limit": "100x40",
                }
            ),
        ),
    ),
    AlertRule(
        "SightlineMemoryNearLimit",
        "sum by (instance) (sightline_state_bytes) > "
        "0.8 * min by (instance) (sightline_state_limit_bytes)",
        "10m",
        "page",
        "A worker's memory is nearly all taken",
        (
            fires(
                {
                    'sightline_state_bytes{instance="a",stage="correlate"}': "60x40",
                    'sightline_state_bytes{instance="a",stage="campaign"}': "30x40",
                    'sightline_state_limit_bytes{instance="a",stage="correlate"}': "100x40",
                },
                {"instance": "a"},
            ),
            quiet(
                {
                    'sightline_state_bytes{instance="a",stage="correlate"}': "60x40",
                    'sightline_state_limit_bytes{instance="a",stage="correlate"}': "100x40",
                }
            ),
        ),
    ),
    AlertRule(
        "SightlineDashboardBehind",
        "sightline_dashboard_behind_records > 10000 or "
        "time() - sightline_dashboard_broker_heard_timestamp_seconds > 60",
        "10m",
        "ticket",
        "The dashboard shows what was, not what is",
        (
            fires(
                {
                    "sightline_dashboard_behind_records": "20000x60",
                    "sightline_dashboard_broker_heard_timestamp_seconds": "0+60x60",
                }
            ),
            fires(
                {
                    "sightline_dashboard_behind_records": "0x60",
                    "sightline_dashboard_broker_heard_timestamp_seconds": "0x60",
                }
            ),
            quiet(
                {
                    "sightline_dashboard_behind_records": "20000x3 0x60",
                    "sightline_dashboard_broker_heard_timestamp_seconds": "0+60x60",
                }
            ),
        ),
    ),
    AlertRule(
        "SightlineGeoIpOld",
        "time() - min by (database) (sightline_geoip_build_timestamp_seconds) > 200 * 86400",
        "1h",
        "ticket",
        "The GeoIP database is more than half a year old",
        (
            fires(
                {'sightline_geoip_build_timestamp_seconds{database="country"}': "-17290000x120"},
                {"database": "country"},
                at="90m",
            ),
            quiet(
                {'sightline_geoip_build_timestamp_seconds{database="country"}': "-9000000x120"},
                at="90m",
            ),
        ),
    ),
)

GROUPS: Final = {
    "sightline-objective": objective.ALERTS,
    "sightline-workers": WORKERS,
    "sightline-flow": FLOW,
    "sightline-what-comes": what_comes.ALERTS,
    "sightline-room": ROOM,
}
ALERTS: Final = tuple(alert for group in GROUPS.values() for alert in group)
