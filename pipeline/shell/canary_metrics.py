"""What Prometheus sees of canaries; served by `sightline canary`, not by workers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.shell.metrics import SECONDS

REGISTRY = CollectorRegistry()

CANARIES_SENT = Counter(
    "sightline_canaries_sent", "Synthetic attacks that were begun.", registry=REGISTRY
)
CANARIES_LOST = Counter(
    "sightline_canaries_lost",
    "Synthetic attacks of which no alert came, nor will.",
    registry=REGISTRY,
)
CANARY_SECONDS = Histogram(
    "sightline_canary_latency_seconds",
    "From the sending of a synthetic attack to the reading of its alert: the objective is of it.",
    buckets=SECONDS,
    registry=REGISTRY,
)
CANARY_SEEN = Gauge(
    "sightline_canary_last_success_timestamp_seconds",
    "When the alert of a synthetic attack was last read.",
    registry=REGISTRY,
)
