"""One endpoint for all processes of a worker: the stages' metrics, and the supervisor's own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from pipeline.shell.metrics import STAGE_RESTARTS
from pipeline.shell.settings import FailedError, Settings


class StageMetrics(Collector):
    """What the stages' processes share, without what they have taken back.

    The client library cannot remove a value that is shared between processes; see `Partitions`.
    """

    def __init__(self, folder: Path) -> None:
        self._shared = MultiProcessCollector(None, str(folder))

    def collect(self) -> Iterable[Metric]:
        for metric in self._shared.collect():
            metric.samples = [s for s in metric.samples if not math.isnan(s.value)]
            if metric.samples:
                yield metric


def serve(settings: Settings, folder: Path) -> None:
    """Serve `/metrics` from now on, if that is wanted; a `FailedError` if it cannot be."""
    if not settings.metrics_port:
        return
    registry = CollectorRegistry()
    registry.register(StageMetrics(folder))
    registry.register(STAGE_RESTARTS)
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        raise FailedError(
            f"metrics cannot be served on {settings.metrics_host}:{settings.metrics_port}: "
            f"{error.strerror}; set SIGHTLINE_METRICS_PORT (0 for none)"
        ) from None
