"""Metrics of `sightline serve`: what is measured of requests, and what of the site is asked for."""

from __future__ import annotations

import time

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.shell.metrics_server import serve_registry
from pipeline.shell.serve.pages import STALE_S
from pipeline.shell.serve.serve_metrics import (
    DASHBOARD_BEHIND,
    DASHBOARD_HEARD,
    DASHBOARD_REQUEST_SECONDS,
    DASHBOARD_REQUESTS,
    DASHBOARD_STORE,
    DASHBOARD_VIEWERS,
    REGISTRY,
)
from pipeline.shell.serve.site import Site
from pipeline.shell.settings import Settings


class Measured:
    """Around the application, its guard included: what it refuses is an answer, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                DASHBOARD_REQUESTS.labels(f"{message['status'] // 100}xx").inc()
                DASHBOARD_REQUEST_SECONDS.observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, send_measured)


def serve_metrics(site: Site, settings: Settings) -> None:
    """Serve what is known of a site from now on, if that is wanted."""
    DASHBOARD_VIEWERS.set_function(lambda: _viewers(site))
    DASHBOARD_BEHIND.set_function(lambda: _or_nan(site.freshness.behind))
    DASHBOARD_HEARD.set_function(lambda: _heard(site))
    DASHBOARD_STORE.set_function(lambda: _bytes(site))
    at = msgspec.structs.replace(settings, metrics_port=settings.serve_metrics_port)
    serve_registry(at, REGISTRY, {"/livez": lambda: (), "/readyz": lambda: _unready(site)})


def _viewers(site: Site) -> float:
    return site.hub.viewers + sum(part.hub.viewers for part in site.parts.values())


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _heard(site: Site) -> float:
    heard = site.freshness.heard
    return float("nan") if heard is None else time.time() - (time.monotonic() - heard)


def _bytes(site: Site) -> float:
    path = site.store.path
    return sum(
        each.stat().st_size
        for end in ("", "-wal", "-shm")
        if (each := path.with_name(path.name + end)).exists()
    )


def _unready(site: Site) -> tuple[str, ...]:
    heard = site.freshness.heard
    if heard is None or time.monotonic() - heard > STALE_S:
        return ("the broker does not answer",)
    return ()
