"""What is wrong with what comes in, or with who sends it."""

from __future__ import annotations

from typing import Final

from pipeline.shell.monitoring.rule import AlertRule, fires, quiet

ALERTS: Final = (
    AlertRule(
        "SightlineForeignSensor",
        'sum(increase(sightline_events_rejected_total{reason="foreign-sensor"}[15m])) > 0',
        "0m",
        "page",
        "Somebody speaks for somebody else",
        (
            fires({'sightline_events_rejected_total{reason="foreign-sensor"}': "0x20 1x20"}),
            quiet({'sightline_events_rejected_total{reason="schema"}': "0+1x40"}),
        ),
    ),
    AlertRule(
        "SightlineManyRejected",
        "sum(rate(sightline_events_rejected_total[15m])) > "
        "0.05 * sum(rate(sightline_events_received_total[15m]))",
        "15m",
        "ticket",
        "More than one event in twenty cannot be used",
        (
            fires(
                {
                    'sightline_events_rejected_total{reason="schema"}': "0+1x60",
                    "sightline_events_received_total": "0+10x60",
                },
                at="40m",
            ),
            quiet(
                {
                    'sightline_events_rejected_total{reason="schema"}': "0+1x60",
                    "sightline_events_received_total": "0+100x60",
                },
                at="40m",
            ),
        ),
    ),
    AlertRule(
        "SightlineLate",
        "sum(increase(sightline_events_late_total[1h])) + "
        "sum(increase(sightline_sightings_late_total[1h])) > 0",
        "0m",
        "ticket",
        "Events came too late to count: possible misses",
        (
            fires(
                {
                    "sightline_events_late_total": "0x20 1x50",
                    "sightline_sightings_late_total": "0x70",
                },
                at="60m",
            ),
            quiet(
                {"sightline_events_late_total": "3x70", "sightline_sightings_late_total": "0x70"},
                at="60m",
            ),
        ),
    ),
    AlertRule(
        "SightlineNotOurs",
        "sum(increase(sightline_records_not_ours_total[15m])) > 0",
        "0m",
        "page",
        "Somebody else writes to an internal topic",
        (
            fires({"sightline_records_not_ours_total": "0x20 2x20"}),
            quiet({"sightline_records_not_ours_total": "2x40"}),
        ),
    ),
    AlertRule(
        "SightlineSetAside",
        "sum by (stage) (increase(sightline_records_set_aside_total[15m])) > 0",
        "0m",
        "page",
        "A record ended a stage twice and was set aside: a bug of Sightline's",
        (
            fires(
                {'sightline_records_set_aside_total{stage="correlate"}': "0x20 1x20"},
                {"stage": "correlate"},
            ),
            quiet({'sightline_records_set_aside_total{stage="correlate"}': "1x40"}),
        ),
    ),
    AlertRule(
        "SightlineSensorSilent",
        "time() - max by (sensor) (sightline_sensor_last_event_timestamp_seconds) > 86400",
        "15m",
        "ticket",
        "A sensor has said nothing for a day",
        (
            fires(
                {'sightline_sensor_last_event_timestamp_seconds{sensor="s"}': "-90000x40"},
                {"sensor": "s"},
            ),
            quiet({'sightline_sensor_last_event_timestamp_seconds{sensor="s"}': "0+60x40"}),
        ),
    ),
    AlertRule(
        "SightlineStraggler",
        'max(sightline_sources{state="straggling"}) > 0',
        "10m",
        "ticket",
        "A source's clock stands still: what it says is late",
        (
            fires({'sightline_sources{state="straggling"}': "1x40"}),
            quiet({'sightline_sources{state="straggling"}': "0x40"}),
        ),
    ),
    AlertRule(
        "SightlineClockAdrift",
        "sum(sightline_sensors_adrift) > 0",
        "15m",
        "ticket",
        "A sensor's clock is off by more than the bound",
        (
            fires({"sightline_sensors_adrift": "1x40"}),
            quiet({"sightline_sensors_adrift": "0x40"}),
        ),
    ),
)
