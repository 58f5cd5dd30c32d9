"""The topic `sensors`: what came of each sensor's events, by source; and what is read from it.

An intake tells it before it commits, and reads it back when a partition becomes its own: so counts
go on over restarts. What is read again after a crash may be counted again.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable
from typing import Any

import msgspec

from pipeline import feedback
from pipeline.alert import Alert
from pipeline.decode import Rejection
from pipeline.feedback import SourceFigures
from pipeline.registry import Party
from pipeline.shell import observe
from pipeline.shell.app import Outbox
from pipeline.shell.restoring import read_to_end
from pipeline.shell.settings import Settings


class Feedback:
    """Of the sources of one intake."""

    def __init__(self, settings: Settings, sensors: Container[str]) -> None:
        self._settings = settings
        self._topic = settings.topic("sensors")
        self._sensors = sensors
        self._sources: dict[str, SourceFigures] = {}
        self._changed: set[str] = set()
        self.restored = False

    def begin(self, sources: Iterable[str]) -> None:
        """These are our sources now, and no others."""
        now = time.time_ns() // 1_000_000
        self._sources = {source: SourceFigures(source, now) for source in sources}
        self._changed = set()
        self.restored = False

    async def restore(self) -> None:
        """Add what was told of our sources before; nothing is told until then."""
        sources = self._sources
        told = await read_figures(self._settings)
        if sources is not self._sources:
            return  # they are others meanwhile
        for before in told:
            if before.source in sources:
                sources[before.source].add(before)
        self.restored = True

    def of(self, source: str) -> SourceFigures:
        return self._sources[source]

    def reject(self, source: str, record: Any, rejection: Rejection) -> None:
        """Count it for the sensor that the event names, or the message's key, if either is one."""
        key = (record.key or b"").decode("utf-8", "replace")
        names = (feedback.sensor_of(rejection.raw), key)
        sensor = next((name for name in names if name and name in self._sensors), "")
        self.of(source).reject(sensor, rejection.reason, record.timestamp)

    def heard(self) -> list[tuple[int, str]]:
        """When each sensor of ours was last heard, ms by the broker's clock; once it is known."""
        if not self.restored:
            return []
        last: dict[str, int] = {}
        for source in self._sources.values():
            for sensor, figures in source.sensors.items():
                if figures.heard_at and sensor in self._sensors:
                    last[sensor] = max(figures.heard_at, last.get(sensor, 0))
        return [(at, sensor) for sensor, at in last.items()]

    def changed(self, source: str) -> None:
        self._changed.add(source)

    async def tell(self, outbox: Outbox) -> bool:
        """Send what has changed since the last time; False where that cannot be said yet."""
        if not self.restored:
            return False
        changed, self._changed = self._changed, set()
        for source in changed & self._sources.keys():
            record = feedback.encode(self._sources[source])
            await outbox.send(self._topic, source.encode(), record, 0)
        return True


async def read_figures(settings: Settings) -> list[SourceFigures]:
    """The newest record of each source; one that is none of ours is passed over."""
    found = []
    for _, value in await read_to_end(settings, settings.topic("sensors"), 0):
        try:
            found.append(feedback.decode(value or b""))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found


class Helped(msgspec.Struct):
    """What a party's sightings are part of: alerts and campaigns of more than one country."""

    alerts: int = 0
    campaigns: int = 0


class _Grouped(msgspec.Struct):
    """What is read of a campaign."""

    id: str
    countries: list[str]
    organisations: list[str]
    status: str = ""


async def read_helped(settings: Settings, parties: Iterable[Party]) -> dict[Party, Helped]:
    helped = {party: Helped() for party in parties}
    alerts: dict[str, Alert] = {}
    for alert in await observe.alerts(settings):
        alerts[alert.finding_info.uid] = alert
    campaigns: dict[str, _Grouped] = {}
    async for value in observe.read_topic(settings, settings.topic("campaigns")):
        campaign = msgspec.json.decode(value, type=_Grouped)
        campaigns[campaign.id] = campaign
    for party, of in helped.items():
        for alert in alerts.values():
            said = alert.unmapped
            if said.merged_into is msgspec.UNSET and _is_of(
                party, said.organisations, said.countries
            ):
                of.alerts += 1
        for campaign in campaigns.values():
            if campaign.status != "merged" and _is_of(
                party, campaign.organisations, campaign.countries
            ):
                of.campaigns += 1
    return helped


def _is_of(party: Party, organisations: Iterable[str], countries: Iterable[str]) -> bool:
    """Whether a party is among those who saw it, and another country, too."""
    seen = set(countries)
    return len(seen) > 1 and party.country in seen and party.organisation in organisations
