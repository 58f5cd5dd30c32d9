"""What Prometheus sees. Names are `sightline_<what>_<unit>`; labels are from bounded sets.

Workers are several processes; they share their values through files in the folder that
`PROMETHEUS_MULTIPROC_DIR` names, and the supervisor serves the sum of them. A counter survives
the restart of the process that counts: a stage's next process goes on in the files of the last.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from heapq import nlargest

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

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
"""Buckets of what takes time; 2 s is what the objective says of an alert."""

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
EVENTS_DISCARDED = Counter(
    "sightline_events_discarded",
    "What a stage let fall, and why: events in intake, what was made of them in the others. "
    "Intentional is what a setting asks for; anything else is a fault of somebody's.",
    ["stage", "reason", "intentional"],
)
RECORDS_RECEIVED = Counter(
    "sightline_records_received", "Kafka records that a stage has read.", ["stage"]
)
ALERTS = Counter(
    "sightline_alerts",
    "Alert revisions, by severity and by what became of the alert.",
    ["severity", "action"],
)
EVICTIONS = Counter(
    "sightline_evictions",
    "What a stage no longer remembers: it has expired, or was shed to stay under a bound.",
    ["stage", "cause"],
)
REBALANCES = Counter(
    "sightline_rebalances", "Times a stage was assigned partitions anew.", ["stage"]
)
PRODUCE_ERRORS = Counter(
    "sightline_produce_errors", "Records that the broker did not take: the stage ends.", ["stage"]
)
ASSIGNED = Gauge(
    "sightline_assigned_partitions",
    "Partitions that a stage has; none where it stands by.",
    ["stage"],
    multiprocess_mode="livemostrecent",
)
LAG = Gauge(
    "sightline_consumer_lag_records",
    "Records of a partition that are not yet done.",
    ["stage", "topic", "partition"],
    multiprocess_mode="livemostrecent",
)
LAG_SECONDS = Gauge(
    "sightline_consumer_lag_seconds",
    "How long the oldest record of a partition that is not yet done has waited, at most.",
    ["stage", "topic", "partition"],
    multiprocess_mode="livemostrecent",
)
WATERMARK_AGE = Gauge(
    "sightline_watermark_age_seconds",
    "How far event time is behind the clock, by partition of sightings.",
    ["partition"],
    multiprocess_mode="livemostrecent",
)
WATERMARK = Gauge(
    "sightline_watermark_timestamp_seconds",
    "How far event time has come, by partition of sightings.",
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
SENSOR_LAST_EVENT = Gauge(
    "sightline_sensor_last_event_timestamp_seconds",
    "When a sensor was last heard, by the broker's clock; of those heard longest ago.",
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
LIVE_INDICATORS_LIMIT = Gauge(
    "sightline_live_indicators_limit",
    "Indicators that may be remembered, over all partitions and workers.",
    multiprocess_mode="livemostrecent",
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
STATE_BYTES = Gauge(
    "sightline_state_bytes",
    "Memory that a stage's process has taken since it began, before it knew anything.",
    ["stage"],
    multiprocess_mode="livemostrecent",
)
STATE_LIMIT = Gauge(
    "sightline_state_limit_bytes",
    "What that may come to: the container's memory limit, or the machine's memory.",
    ["stage"],
    multiprocess_mode="livemostrecent",
)
LOOP_BEAT = Gauge(
    "sightline_event_loop_timestamp_seconds",
    "When a stage's event loop last came round.",
    ["stage"],
    multiprocess_mode="livemostrecent",
)
LOOP_LAG_SECONDS = Histogram(
    "sightline_event_loop_lag_seconds",
    "How much later than asked a stage's event loop came round.",
    ["stage"],
    buckets=SECONDS,
)
RESTORE_SECONDS = Histogram(
    "sightline_restore_duration_seconds",
    "Reading back the state of what a stage was assigned.",
    ["stage"],
    buckets=(*SECONDS, 120, 300, 600),
)
COMMIT_SECONDS = Histogram(
    "sightline_commit_duration_seconds",
    "Making durable what was done, and committing its offsets.",
    ["stage"],
    buckets=SECONDS,
)
GEOIP_LOOKUPS = Counter(
    "sightline_geoip_lookups",
    "Addresses looked up in a GeoIP database.",
    ["database", "result"],
)
GEOIP_BUILD = Gauge(
    "sightline_geoip_build_timestamp_seconds",
    "When the GeoIP database that is in use was built.",
    ["database"],
    multiprocess_mode="livemostrecent",
)
BATCH_SECONDS = Histogram(
    "sightline_batch_duration_seconds", "Work on one fetched batch.", ["stage"], buckets=SECONDS
)
ALERT_SECONDS = Histogram(
    "sightline_alert_latency_seconds",
    "From the broker's time of the completing batch of events to its alert being sent.",
    buckets=SECONDS,
)
CHECKPOINT_SECONDS = Histogram(
    "sightline_checkpoint_duration_seconds", "Writing one checkpoint.", buckets=SECONDS
)
CHECKPOINT_BLOCK_SECONDS = Histogram(
    "sightline_checkpoint_block_seconds",
    "How long one step of a checkpoint kept the correlator waiting.",
    buckets=SECONDS,
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
    buckets=SECONDS,
)

DELIVERIES = Counter("sightline_deliveries", "Letters that arrived.", ["way"])
DELIVERY_FAILURES = Counter(
    "sightline_delivery_failures", "Tries to deliver a letter that failed.", ["way", "reason"]
)
DELIVERIES_WAITING = Gauge(
    "sightline_deliveries_waiting",
    "Letters that have still to arrive.",
    ["way"],
    multiprocess_mode="livemostrecent",
)
ALLIANCE_RELEASES = Counter(
    "sightline_alliance_releases", "Revisions that alliances were told, and days of numbers."
)
ALLIANCES_REFUSED = Gauge(
    "sightline_alliances_refused",
    "Alliances that do not verify: nothing is released to them.",
    multiprocess_mode="livemostrecent",
)
DELIVERIES_SUPPRESSED = Counter(
    "sightline_deliveries_suppressed", "Times a suppression kept something from a subscriber."
)
REPLIES = Counter("sightline_replies", "What recipients wrote back.", ["type"])
REPLIES_IGNORED = Counter(
    "sightline_replies_ignored", "Of these, about what their sender was not told, or no reply."
)
OPEN_QUESTIONS = Gauge(
    "sightline_open_questions",
    "Victims of campaigns for whom a person is to say who is told.",
    ["reason"],
    multiprocess_mode="livemostrecent",
)


MOST_SENSORS = 500
"""Sensors of a worker that a metric shows by name."""


class Partitions:
    """A gauge by partition, or by what lies in one, of a process that gains and loses them.

    Of more than `most` those are shown whose values are the largest, by `by`.
    """

    def __init__(
        self, gauge: Gauge, most: int | None = None, by: Callable[[float], float] = float
    ) -> None:
        self._gauge = gauge
        self._most = most
        self._by = by
        self._shown: set[tuple[str | int, ...]] = set()

    def show(self, values: Mapping[tuple[str | int, ...], float]) -> None:
        """These and no others, by the gauge's labels. What is no number is not served."""
        if self._most is not None and len(values) > self._most:
            largest = nlargest(self._most, values.items(), key=lambda of: self._by(of[1]))
            values = dict(largest)
        for labels in self._shown - values.keys():
            self._gauge.labels(*labels).set(math.nan)
        for labels, value in values.items():
            self._gauge.labels(*labels).set(value)
        self._shown = set(values)
