"""What Prometheus sees. Names are `sightline_<what>_<unit>`; labels are from bounded sets.

Workers are several processes; they share their values through files in the folder that
`PROMETHEUS_MULTIPROC_DIR` names, and the supervisor serves the sum of them. A counter survives
the restart of the process that counts: a stage's next process goes on in the files of the last.
"""

from __future__ import annotations

import math
import os
import resource
import sys
from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram, values

STAGE_VARIABLE = "METRICS_OF_STAGE"
"""Set by the supervisor for each of its processes, to the stage's name."""


def _writer() -> str:
    """Whose files these are: a stage's, so that there are not more with every restart."""
    process = os.getpid()
    return _STAGE if process == _IMPORTED_BY else f"{_STAGE}-{process}"  # a fork has its own


if _STAGE := os.environ.get(STAGE_VARIABLE, ""):
    _IMPORTED_BY = os.getpid()
    values.ValueClass = values.MultiProcessValue(_writer)  # type: ignore[no-untyped-call]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

EVENTS_RECEIVED = Counter(
    "sightline_events_received",
    "Events read from events topics, of whatever kind: the sum of the four below.",
)
EVENTS_CORRELATED = Counter(
    "sightline_events_correlated", "Events with at least one indicator, sent on as sightings."
)
EVENTS_WITHOUT_INDICATORS = Counter(
    "sightline_events_without_indicators", "Good events with no value that is an indicator."
)
EVENTS_REJECTED = Counter(
    "sightline_events_rejected", "Events that were sent to dead letters.", ["reason"]
)
EVENTS_LATE = Counter(
    "sightline_events_late", "Events later than the lateness allowed, sent to dead letters."
)
EVENTS_RESENT = Counter(
    "sightline_events_resent",
    "Of the events received, those that were sent in again from dead letters.",
)
VALUES_UNCANONICAL = Counter(
    "sightline_values_uncanonical", "Values of events without a canonical form."
)
SIGHTINGS_SENT = Counter("sightline_sightings_sent", "Folded sightings sent on by intake.")
SIGHTINGS_RECEIVED = Counter("sightline_sightings_received", "Sightings read by the correlator.")
SIGHTINGS_LATE = Counter(
    "sightline_sightings_late", "Sightings dropped: they came after their time was settled."
)
RECORDS_NOT_OURS = Counter(
    "sightline_records_not_ours", "Records on internal topics that no worker of ours wrote."
)
RECORDS_SET_ASIDE = Counter(
    "sightline_records_set_aside",
    "Records that a stage failed on twice, sent to dead letters for a bug of ours.",
    ["stage"],
)
ALERTS = {
    change: Counter(f"sightline_alerts_{change}", f"Alert revisions: {change}.")
    for change in ("opened", "updated", "closed", "merged")
}
LAG = Gauge(
    "sightline_consumer_lag_records",
    "Records of a partition that are not yet done.",
    ["stage", "topic", "partition"],
    multiprocess_mode="livemostrecent",
)
WATERMARK_AGE = Gauge(
    "sightline_watermark_age_seconds",
    "How far event time is behind the clock, by partition of sightings.",
    ["partition"],
    multiprocess_mode="livemostrecent",
)
SOURCES = Gauge(
    "sightline_sources",
    "Partitions of events topics: live, idle, or straggling (time goes on without them).",
    ["state"],
    multiprocess_mode="livemax",
)
SENSOR_CLOCK_OFFSET = Gauge(
    "sightline_sensor_clock_offset_seconds",
    "How far a sensor's clock was behind the broker's, of late; at most, for delays are in it.",
    ["sensor"],
    multiprocess_mode="livemostrecent",
)
SENSORS_ADRIFT = Gauge(
    "sightline_sensors_adrift",
    "Sensors whose clock is further off than the bound.",
    multiprocess_mode="livesum",
)
STAGE_RESTARTS = Counter(
    "sightline_stage_restarts", "Times a stage was started again after it had ended.", ["stage"]
)
LIVE_INDICATORS = Gauge(
    "sightline_live_indicators",
    "Indicators remembered, by type.",
    ["type"],
    multiprocess_mode="livesum",
)
INDICATORS_SHED = Counter(
    "sightline_indicators_shed",
    "Indicators that one party had seen, given up to stay under the bound: possible misses.",
    ["type"],
)
OPEN_EPISODES = Gauge(
    "sightline_open_episodes", "Alerts that may still change.", multiprocess_mode="livesum"
)
PEAK_RESIDENT = Gauge(
    "sightline_peak_resident_bytes",
    "The most memory that a stage's process has had.",
    ["stage"],
    multiprocess_mode="livemax",
)
BATCH_SECONDS = Histogram(
    "sightline_batch_duration_seconds", "Work on one fetched batch.", ["stage"], buckets=_SECONDS
)
ALERT_SECONDS = Histogram(
    "sightline_alert_latency_seconds",
    "From the broker's time of the completing batch of events to its alert being sent.",
    buckets=_SECONDS,
)
CHECKPOINT_SECONDS = Histogram(
    "sightline_checkpoint_duration_seconds", "Writing one checkpoint.", buckets=_SECONDS
)
CHECKPOINT_BLOCK_SECONDS = Histogram(
    "sightline_checkpoint_block_seconds",
    "How long one step of a checkpoint kept the correlator waiting.",
    buckets=_SECONDS,
)


CAMPAIGNS = Counter("sightline_campaigns", "Campaign revisions that were told.", ["status"])
OPEN_CAMPAIGNS = Gauge(
    "sightline_live_campaigns",
    "Campaigns that are open, growing or dormant.",
    multiprocess_mode="livemostrecent",
)
FACTS = Gauge(
    "sightline_campaign_facts",
    "Who saw what in which slice, remembered for campaigns.",
    multiprocess_mode="livemostrecent",
)
FACTS_SHED = Counter(
    "sightline_campaign_facts_shed",
    "Facts that were given up before their time, to stay under the bound.",
)
WATCHES = Gauge(
    "sightline_watches",
    "Indicators of partners that are watched for.",
    multiprocess_mode="livemostrecent",
)
WATCHES_LEFT_OUT = Counter(
    "sightline_watches_left_out", "Watches that were not taken, to stay under the bound."
)
LOOK_SECONDS = Histogram(
    "sightline_campaign_look_seconds",
    "Working out what campaigns there are.",
    buckets=_SECONDS,
)


class Partitions:
    """A gauge by partition, or by what lies in one, of a process that gains and loses them."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._shown: set[tuple[str | int, ...]] = set()

    def show(self, values: Mapping[tuple[str | int, ...], float]) -> None:
        """These and no others, by the gauge's labels. What is no number is not served."""
        for labels in self._shown - values.keys():
            self._gauge.labels(*labels).set(math.nan)
        for labels, value in values.items():
            self._gauge.labels(*labels).set(value)
        self._shown = set(values)


def note_memory(stage: str) -> None:
    """Note the most memory this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    PEAK_RESIDENT.labels(stage).set(peak)
