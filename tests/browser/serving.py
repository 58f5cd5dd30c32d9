"""The dashboard over a labelled world, without a broker: for screenshots, and to work on the pages.

The offline run's alerts and campaigns go into the read store as the topics would bring them.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn

from pipeline.alert import encode
from pipeline.campaign import label as labels
from pipeline.campaign.campaign import decode as decode_campaign
from pipeline.campaign.label import Label
from pipeline.shell import files
from pipeline.shell.observe import decode_alert
from pipeline.shell.ports import free_port
from pipeline.shell.serve.app import application
from pipeline.shell.serve.rows import Record
from pipeline.shell.serve.run import geo_name
from pipeline.shell.serve.site import Site
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import Hub
from pipeline.shell.settings import Settings

SEED = 11
DAY_MS = 86_400_000


def world(folder: Path) -> None:
    """`sensors.toml`, `alerts.jsonl` and `campaigns.jsonl` of a labelled world."""
    ours = (sys.executable, "-m", "pipeline")
    for command in (
        [
            *("generate", "--seed", str(SEED), "--out", str(folder), "--countries", "14"),
            *("--organisations", "34", "--days", "3", "--events", "12000", "--campaigns", "18"),
        ],
        [
            *("correlate", "--sensors", str(folder / "sensors.toml")),
            *("--rules", str(files.carried("rules")), "--input", str(folder / "events.jsonl")),
            *("--output", str(folder / "alerts.jsonl")),
            *("--campaigns", str(folder / "campaigns.jsonl")),
        ],
    ):
        subprocess.run([*ours, *command], check=True, timeout=600, capture_output=True)


def records(folder: Path) -> Iterator[Record]:
    """What the topics would hold, each as told when it was last seen.

    Offline all alerts end as closed; those of the last day still could change, and would be open.
    """
    alerts = list(map(decode_alert, (folder / "alerts.jsonl").read_bytes().splitlines()))
    latest = max(alert.time for alert in alerts)
    for one in alerts:
        is_open = latest - one.time < DAY_MS
        changes = {"activity_id": 2, "type_uid": 200402, "status_id": 2} if is_open else {}
        told = encode(msgspec.structs.replace(one, **changes))
        yield Record("alerts", one.finding_info.uid.encode(), told, one.time)
    for line in (folder / "campaigns.jsonl").read_bytes().splitlines():
        campaign = decode_campaign(line)
        yield Record("campaigns", campaign.id.encode(), line, campaign.last_seen)


def site(folder: Path, settings: Settings) -> Site:
    """All of it but a broker; a label goes straight into the store."""
    registry = files.registry_of(folder / "sensors.toml")
    sectors = {of.id: of.sector for of in registry.organisations if of.sector}
    store = Store(folder / "serve.sqlite", sectors)
    store.apply(records(folder), {})
    hub = Hub(store)

    async def say(label: Label) -> None:
        key = labels.key(label).encode()
        hub.changed(store.apply([Record("labels", key, labels.encode(label), label.at)], {}))

    made = Site(
        store, settings, hub, registry, files.geo_of(settings), geo_name(settings),
        files.benign_of(settings), say=say,
    )  # fmt: skip
    made.freshness.behind = 0
    return made


@contextmanager
def served(of: Site, port: int) -> Iterator[str]:
    """The address it is served at, from a thread of its own."""
    app = application(of.store, of.settings, site=of)
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1)
    )

    async def run() -> None:
        serving = asyncio.create_task(server.serve())
        while not serving.done():
            of.freshness.heard = time.monotonic()
            await asyncio.wait([serving], timeout=1)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)
        of.store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(name)
        if not (place / "campaigns.jsonl").exists():
            world(place)
        made = site(place, msgspec.convert({}, Settings))
        with served(made, int(sys.argv[2]) if len(sys.argv) > 2 else free_port()) as address:
            print(f"ready {address}", flush=True)
            threading.Event().wait()
