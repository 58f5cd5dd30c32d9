"""The process: a server, and a reader of the topics. If one of them ends, all does: crash-only."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
import ssl
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import maxminddb
import uvicorn
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.campaign import label as labels
from pipeline.campaign.label import Label
from pipeline.registry import Registry
from pipeline.share.addressee import Addressee, addressee
from pipeline.share.release import THE_PUBLIC, Recipient
from pipeline.shell import files
from pipeline.shell.alliances import folder
from pipeline.shell.held import holding
from pipeline.shell.notify.sources import directory_of
from pipeline.shell.security import for_aiokafka
from pipeline.shell.serve.app import application
from pipeline.shell.serve.beside import beside_topics
from pipeline.shell.serve.guard import LOOPBACK
from pipeline.shell.serve.measuring import serve_metrics
from pipeline.shell.serve.part import Parts, parts
from pipeline.shell.serve.people import Users, read_users
from pipeline.shell.serve.reader import TopicReader
from pipeline.shell.serve.site import Site
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import Hub
from pipeline.shell.settings import FailedError, Settings, WrongUseError
from pipeline.shell.taxii.service import Service

log = logging.getLogger(__name__)
_GRACE_S = 2
_SAY_WITHIN_S = 10.0


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    users = _users(settings)
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    sectors = {of.id: of.sector for of in registry.organisations if of.sector}
    geo, benign = files.geo_of(settings), files.benign_of(settings)
    with (
        holding(Path(settings.serve_store), "sightline serve"),
        closing(
            Store(Path(settings.serve_store), sectors, settings.topic_prefix, settings.exercise)
        ) as store,
    ):
        shown_to = _shown_a_part(settings, registry, users)
        with parts(settings.serve_store, registry, settings.exercise, shown_to) as shown:
            site = Site(
                store, settings, Hub(store), registry, geo, geo_name(settings), benign, users,
                parts=shown.views,
            )  # fmt: skip
            return asyncio.run(_serve(site, shown))


def _shown_a_part(
    settings: Settings, registry: Registry, users: Users | None
) -> list[tuple[str, Recipient, int]]:
    """As whom users see; of a name that means nobody (any more), what is for everybody."""
    found: list[tuple[str, Recipient, int]] = []
    csirts = directory_of(settings).csirts
    alliances = folder.read(settings).current
    for name in users.shown_a_part if users else ():
        whom = addressee(name, registry, csirts, alliances)
        if isinstance(whom, str):
            log.warning("a user sees as %r, which %s: only what is public", name, whom)
            whom = Addressee(THE_PUBLIC)
        found.append((name, whom.recipient, whom.delay_ms))
    return found


def _users(settings: Settings) -> Users | None:
    """Who may log in. Beyond loopback nobody is let in without."""
    if settings.serve_users:
        store = Path(settings.serve_store)
        store.parent.mkdir(parents=True, exist_ok=True)
        return read_users(Path(settings.serve_users), store.with_name(store.name + ".key"))
    if settings.serve_host not in LOOPBACK:
        raise WrongUseError(
            f"serve_host is {settings.serve_host}, which others can reach: then serve_users must "
            "name a file of who may log in; `sightline user NAME` makes one"
        )
    return None


def geo_name(settings: Settings) -> str:
    """The database of countries by its name and the day it was made."""
    path = Path(settings.geoip_db or files.carried("geoip", "geo-whois-asn-country.mmdb"))
    with maxminddb.open_database(path) as database:
        said = database.metadata()
    made = datetime.fromtimestamp(said.build_epoch, UTC)
    return f"{path.name} of {made:%Y-%m-%d}"


async def _serve(site: Site, shown: Parts) -> int:
    settings = site.settings
    listening = _listen(settings)
    serve_metrics(site, settings)
    beside = beside_topics(settings)
    site.answers = beside.answers
    reader = TopicReader(settings, site.store, site.hub.changed, site.freshness, beside)
    voice = _Voice(settings)
    site.say = voice.say
    secure = _tls(settings)
    taxii = Service(settings, site.registry, site.store)
    server = uvicorn.Server(
        uvicorn.Config(
            application(site.store, settings, taxii.routes, site),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=settings.serve_certificate or None,
            ssl_keyfile=settings.serve_key or None,
        )
    )
    tasks = [
        asyncio.create_task(reader.run(), name="reader"),
        asyncio.create_task(taxii.run(), name="taxii"),
        asyncio.create_task(shown.keep(site.store), name="parts"),
        asyncio.create_task(server.serve([listening]), name="server"),
    ]
    host, port = listening.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    print(f"ready {'https' if secure else 'http'}://{name}:{port}/", flush=True)
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    for task in tasks[:-1]:
        task.cancel()
    await asyncio.wait(tasks)
    await voice.stop()
    for task in done:
        if not task.cancelled() and (error := task.exception()):
            log.error("%s ended", task.get_name(), exc_info=error)
            if type(error) is sqlite3.DatabaseError:  # damaged, not full or locked
                site.store.remove()
            return 1
    return 0


class _Voice:
    """Writes labels. The producer is made for the first one: most who look say nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def say(self, label: Label) -> None:
        topic = self._settings.topic("labels")
        try:
            async with asyncio.timeout(_SAY_WITHIN_S):
                producer = await self._started()
                await producer.send_and_wait(
                    topic, labels.encode(label), labels.key(label).encode()
                )
        except (KafkaError, TimeoutError) as error:
            raise FailedError(f"{topic}: {error or 'not delivered in time'}") from None

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**for_aiokafka(self._settings), acks="all")
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()


def _tls(settings: Settings) -> bool:
    """Whether passwords and pages travel encrypted from here."""
    if bool(settings.serve_certificate) != bool(settings.serve_key):
        raise WrongUseError("serve_certificate and serve_key are set together, or not at all")
    if not settings.serve_certificate:
        if settings.serve_host not in LOOPBACK:
            log.warning("no serve_certificate: whoever stands between reads passwords and pages")
        return False
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.serve_certificate, settings.serve_key
        )
    except OSError as error:  # ssl.SSLError is one
        raise WrongUseError(f"serve_certificate, serve_key: {error}") from None
    return True


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.serve_host else socket.AF_INET
        return socket.create_server((settings.serve_host, settings.serve_port), family=family)
    except OSError as error:
        raise FailedError(
            f"cannot serve on {settings.serve_host}:{settings.serve_port}: {error.strerror}; "
            "set SIGHTLINE_SERVE_PORT (0 for a free one)"
        ) from None
