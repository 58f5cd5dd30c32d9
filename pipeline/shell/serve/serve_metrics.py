"""What Prometheus sees of `sightline serve`; served on a port of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from pipeline.shell.metrics import SECONDS

REGISTRY = CollectorRegistry()

DASHBOARD_REQUESTS = Counter(
    "sightline_dashboard_requests",
    "Requests that were answered, by the first digit of the answer's status.",
    ["status"],
    registry=REGISTRY,
)
DASHBOARD_REQUEST_SECONDS = Histogram(
    "sightline_dashboard_request_seconds",
    "From a request to the beginning of its answer.",
    buckets=SECONDS,
    registry=REGISTRY,
)
DASHBOARD_VIEWERS = Gauge(
    "sightline_dashboard_viewers", "Pages that hear of changes as they come.", registry=REGISTRY
)
DASHBOARD_BEHIND = Gauge(
    "sightline_dashboard_behind_records",
    "Records on the topics that are not shown yet; NaN before the broker was reached.",
    registry=REGISTRY,
)
DASHBOARD_HEARD = Gauge(
    "sightline_dashboard_broker_heard_timestamp_seconds",
    "When the broker last answered.",
    registry=REGISTRY,
)
DASHBOARD_STORE = Gauge(
    "sightline_dashboard_store_bytes", "What the read store takes on disk.", registry=REGISTRY
)
DASHBOARD_NOT_OURS = Counter(
    "sightline_dashboard_records_not_ours",
    "Records on the topics that nobody of ours wrote.",
    registry=REGISTRY,
)
# The process itself: memory, CPU, open files. On Linux; elsewhere there is nothing to read.
ProcessCollector(registry=REGISTRY)
