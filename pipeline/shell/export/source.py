"""What is to be written or pushed: campaigns of a file or a topic, as a recipient may see them.

Live ways out ask for whom they are; a file may be for the place where this runs. What an alliance
may see is told on a topic of its own, with its delay and the members of the time
(`pipeline.shell.alliances`): for it, that one is followed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from msgspec import Struct

from pipeline.lane import crossing
from pipeline.share.addressee import addressee
from pipeline.share.alliance import topic as alliance_topic
from pipeline.share.terms import ALLIANCE, grantee_problem
from pipeline.shell import files
from pipeline.shell.export.following import Told, follow
from pipeline.shell.export.outlet import Outlet
from pipeline.shell.export.reading import read_campaigns
from pipeline.shell.notify.sources import directory_of
from pipeline.shell.settings import Settings, WrongUseError

EVERYTHING = "*"
"""The place where this runs: it is shown everything."""


class Source(Struct, frozen=True):
    """`campaigns`: a file, or None for the topic, from its beginning and on until `stop`."""

    settings: Settings
    campaigns: Path | None
    to: str
    stop: Event

    def told(self) -> Iterator[Told]:
        """Of a file once; of the topic whenever something is told."""
        if self.to.startswith(ALLIANCE):
            yield from follow(self.settings, self.stop, alliance_topic(self.to[len(ALLIANCE) :]))
            return
        outlet = self._outlet()
        if self.campaigns is not None:
            found = {one.id: one for one in read_campaigns(self.campaigns)}
            for one in found.values():
                if why := crossing(one.exercise, self.settings.exercise):
                    raise WrongUseError(f"{self.campaigns}: campaign {one.id}: {why}")
            # A file has no now but what was seen last: the same file, the same views.
            latest = max((one.last_seen for one in found.values()), default=0)
            told = Told(found)
            yield told if outlet is None else outlet.take(told, latest)
            return
        for told in follow(self.settings, self.stop):
            yield told if outlet is None else outlet.take(told, time.time_ns() // 1_000_000)

    def _outlet(self) -> Outlet | None:
        if self.to == EVERYTHING:
            return None
        settings = self.settings
        registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
        whom = addressee(self.to, registry, directory_of(settings).csirts)
        if isinstance(whom, str):
            raise WrongUseError(f"{self.to!r} {whom}; nor {EVERYTHING!r}, which is everything")
        return Outlet(registry.terms, whom.recipient)


def source(
    settings: Settings, campaigns: Path | None, following: bool, to: str | None, stop: Event
) -> Source:
    """As the options say it; a `WrongUseError` says what is missing."""
    if following == (campaigns is not None):
        raise WrongUseError("name either a file, --campaigns FILE, or --follow")
    if to is not None and to.startswith(ALLIANCE):
        if problem := grantee_problem(to):
            raise WrongUseError(f"{to!r} {problem}")
        if not following:
            raise WrongUseError(f"what {to} may see is on its topic: --follow")
    return Source(settings, campaigns, to or EVERYTHING, stop)


def for_whom(to: str | None) -> None:
    """What leaves at once is for somebody."""
    if to is None:
        raise WrongUseError(
            "say for whom it is: --to public, community, alliance:ID, an organisation, a CSIRT, a "
            "country, or '*' for all, where only those may read it who may read the topic"
        )
