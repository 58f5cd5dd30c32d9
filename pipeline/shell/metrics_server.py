"""One endpoint for all processes of a worker: metrics, and whether it lives and is ready."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from pipeline.shell import exemplars
from pipeline.shell.health import Health
from pipeline.shell.metrics import ALERT_SECONDS, STAGE_RESTARTS
from pipeline.shell.settings import FailedError, Settings

Ask = Callable[[], Sequence[str]]
"""What is wrong, a line each; nothing if nothing is."""


class StageMetrics(Collector):
    """What the stages' processes share, without what they have taken back.

    The client library cannot remove a value that is shared between processes; see `Partitions`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shared = MultiProcessCollector(None, str(folder))

    def collect(self) -> Iterable[Metric]:
        latency = ALERT_SECONDS._name  # noqa: SLF001 - the library does not say it otherwise
        for metric in self._shared.collect():
            metric.samples = [s for s in metric.samples if not math.isnan(s.value)]
            if metric.name == latency:
                exemplars.put_back(metric, exemplars.read(self._folder))
            if metric.samples:
                yield metric


def serve(settings: Settings, folder: Path, health: Health) -> None:
    """Serve what the stages of a worker share from now on, if that is wanted."""
    registry = CollectorRegistry()
    registry.register(StageMetrics(folder))
    registry.register(STAGE_RESTARTS)
    serve_registry(settings, registry, {"/livez": health.ill, "/readyz": health.unready})


def serve_registry(
    settings: Settings, registry: CollectorRegistry, probes: Mapping[str, Ask]
) -> None:
    """Serve `/metrics` and the probes, if that is wanted; a `FailedError` if it cannot be."""
    if not settings.metrics_port:
        return

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # who connects and says nothing keeps no thread for ever

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, kind, encode(registry))
            elif path in probes:
                wrong = probes[path]()
                text = "\n".join(wrong or ["ok"]) + "\n"
                self._answer(503 if wrong else 200, "text/plain; charset=utf-8", text.encode())
            else:
                known = " ".join(["/metrics", *probes])
                self._answer(404, "text/plain; charset=utf-8", known.encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def version_string(self) -> str:
            return "sightline"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """A scrape is no news."""

    try:
        server = ThreadingHTTPServer((settings.metrics_host, settings.metrics_port), Handler)
    except OSError as error:
        raise FailedError(
            f"metrics cannot be served on {settings.metrics_host}:{settings.metrics_port}: "
            f"{error.strerror}; set SIGHTLINE_METRICS_PORT (0 for none)"
        ) from None
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
