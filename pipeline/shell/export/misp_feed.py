"""A MISP feed: a folder that web servers hand out and MISP fetches from.

Each file is replaced whole; an event's before the two lists, so that what these name is there. The
folder is the only state: what was exported before tells which timestamp must be passed.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from pipeline.campaign.campaign import Campaign
from pipeline.share import misp
from pipeline.share.misp import FeedEvent
from pipeline.share.outward import Producer, named
from pipeline.share.tlp import Tlp
from pipeline.shell.export.writing import folder, write
from pipeline.shell.settings import FailedError

_EVENT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.json", re.ASCII).fullmatch
_LOCK = ".lock"


def shareable(campaign: Campaign) -> bool:
    """What is RED is for named people, never for a feed or a server."""
    return campaign.tlp is not Tlp.RED


class Feed:
    """The folder, ours alone while it is open."""

    def __init__(self, path: Path, producer: Producer) -> None:
        self._path = folder(path)
        self._producer = producer
        self._events: dict[str, FeedEvent] = {}
        self._lists: dict[str, bytes] = {}
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._lock = (self._path / _LOCK).open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FailedError(f"{self._path}: another export is writing this feed") from None
        except OSError as error:
            raise FailedError(f"{self._path}: {error.strerror}") from None
        for path in sorted(self._path.iterdir()):
            if _EVENT(path.name):
                event = _read(path)
                self._events[event.uuid] = event
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def update(self, campaigns: Iterable[Campaign], gone: Iterable[str] = ()) -> list[str]:
        """Bring the feed up to date; ids of the campaigns whose events were written.

        `gone`: ids of campaigns of which nothing may be left.
        """
        changed: list[str] = []
        left = {named("event", identity) for identity in gone}
        for campaign in campaigns:
            if not shareable(campaign):
                left.add(named("event", campaign.id))
                continue
            made = misp.event(campaign, self._producer)
            known = self._events.get(made["uuid"])
            before = None if known is None else msgspec.json.decode(known.content)["Event"]
            event = misp.of_feed(misp.newer(made, before))
            if known is None or event.content != known.content:
                write(self._path / f"{event.uuid}.json", event.content)
                self._events[event.uuid] = event
                changed.append(campaign.id)
        for uuid in left:
            self._events.pop(uuid, None)
        for name, content in (
            ("hashes.csv", misp.hashes(self._events.values())),
            ("manifest.json", misp.manifest(self._events.values())),
        ):
            if self._lists.get(name) != content:
                write(self._path / name, content)
                self._lists[name] = content
        for uuid in left:
            (self._path / f"{uuid}.json").unlink(missing_ok=True)
        return changed


def _read(path: Path) -> FeedEvent:
    try:
        content = path.read_bytes()
        event = misp.of_feed(msgspec.json.decode(content)["Event"])
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise FailedError(f"{path}: no event of a feed of ours; move it away") from None
    if path.name != f"{event.uuid}.json":
        raise FailedError(f"{path}: holds another event; move it away")
    return event
