"""The process: a server, and a reader of the topics. If one of them ends, all does: crash-only."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import uvicorn

from pipeline.shell import files
from pipeline.shell.serve.app import application
from pipeline.shell.serve.reader import TopicReader
from pipeline.shell.serve.site import Site
from pipeline.shell.serve.store import Store
from pipeline.shell.settings import FailedError, Settings

log = logging.getLogger(__name__)
_GRACE_S = 2


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    sectors = {of.id: of.sector for of in registry.organisations if of.sector}
    store = Store(Path(settings.serve_store), sectors, settings.topic_prefix)
    try:
        return asyncio.run(_serve(Site(store, settings, registry)))
    finally:
        store.close()


async def _serve(site: Site) -> int:
    settings = site.settings
    listening = _listen(settings)
    app = application(site.store, settings, site=site)
    reader = TopicReader(settings, site.store, lambda _: None)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    tasks = [
        asyncio.create_task(reader.run(), name="reader"),
        asyncio.create_task(server.serve([listening]), name="server"),
    ]
    host, port = listening.getsockname()[:2]
    print(f"ready http://{host}:{port}/", flush=True)
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for task in done:
        if error := task.exception():
            log.error("%s ended", task.get_name(), exc_info=error)
            return 1
    return 0


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.serve_host else socket.AF_INET
        return socket.create_server((settings.serve_host, settings.serve_port), family=family)
    except OSError as error:
        raise FailedError(
            f"cannot serve on {settings.serve_host}:{settings.serve_port}: {error.strerror}; "
            "set SIGHTLINE_SERVE_PORT (0 for a free one)"
        ) from None
