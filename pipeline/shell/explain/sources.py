"""Where what is to be explained is read: recorded events, or the topics of a running pipeline.

Both answer the same questions: which alerts and campaigns there are, what belongs together, and
what is known of some indicators.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from pipeline import dead_letter
from pipeline.alert import Alert, alert
from pipeline.aspects import Asked
from pipeline.benign import Benign
from pipeline.campaign import campaign as campaigns_
from pipeline.campaign import label as labels_
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.desk import Desk
from pipeline.campaign.group import Grouping
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.explain.inquiry import Inquiry
from pipeline.geo import Geo
from pipeline.indicator import Indicator
from pipeline.intake import Intake
from pipeline.registry import Registry
from pipeline.rule import Rule
from pipeline.shell.files import events_in, open_events
from pipeline.shell.observe import decode_alert
from pipeline.shell.offline import BATCH, OfflineRun
from pipeline.shell.past import Past
from pipeline.shell.settings import Settings
from pipeline.sight import Sightings, decode_sightings, every_length
from pipeline.surprise import background


class Known(Struct):
    """What rules, registry and settings say."""

    settings: Settings
    registry: Registry
    rules: Sequence[Rule]
    benign: Benign
    geo: Geo


class Reading(Protocol):
    """Where what is to be explained is read."""

    async def alerts(self) -> Mapping[str, Alert]: ...

    async def campaigns(self) -> Mapping[str, Campaign]: ...

    async def groups(self) -> list[Grouping]: ...

    async def inquire(self, asked: Collection[Indicator]) -> Inquiry: ...

    def shortcomings(self) -> list[str]: ...


class Recorded:
    """Events of a file, in order of arrival: alerts and campaigns are those of an offline run."""

    def __init__(self, known: Known, events: Path) -> None:
        self._known = known
        self._events = events
        self._grouped: OfflineRun | None = None
        self._alerts: dict[str, Alert] = {}

    async def alerts(self) -> Mapping[str, Alert]:
        return self._alerts or self._run(self._new_run(grouping=False))

    async def campaigns(self) -> Mapping[str, Campaign]:
        run = self._grouped = self._new_run(grouping=True)
        self._run(run)
        return campaigns_.by_id(run.campaigns())

    async def groups(self) -> list[Grouping]:
        run = self._grouped
        return [] if run is None or run.desk is None else run.desk.groups()

    async def inquire(self, asked: Collection[Indicator]) -> Inquiry:
        known = self._known
        sensors = known.registry.sensors
        inquiry = Inquiry(known.rules, background(known.registry.parties), asked, sensors)
        intake = Intake(
            "offline",
            sensors,
            sensors,
            every_length(known.rules),
            known.settings.lateness_ms,
            asked=Asked(known.rules, known.geo),
            exercise=known.settings.exercise,
        )
        now = time.time_ns() // 1_000_000
        with open_events(str(self._events)) as file:
            for number, line in enumerate(events_in(file, str(self._events)), 1):
                if not line.strip():
                    continue
                where = f"line {number}"
                refused = dict(intake.read(line, now))
                for place, event in enumerate(decode(line)):
                    if place in refused:
                        why = refused[place]
                        inquiry.refused(why.reason, why.detail, why.raw, where)
                    elif isinstance(event, Event):
                        inquiry.heard(event, where)
                if number % BATCH == 0:
                    _pack(intake, inquiry)
        _pack(intake, inquiry)
        return inquiry

    def shortcomings(self) -> list[str]:
        return []

    def _new_run(self, *, grouping: bool) -> OfflineRun:
        known = self._known
        return OfflineRun(
            known.registry,
            known.rules,
            known.settings.lateness_ms,
            grouping=grouping,
            benign=known.benign,
            horizon_ms=known.settings.campaign_horizon_ms,
            least_countries=known.settings.campaign_countries,
            geo=known.geo,
            exercise=known.settings.exercise,
        )

    def _run(self, run: OfflineRun) -> Mapping[str, Alert]:
        known = self._known
        with open_events(str(self._events)) as file:
            lines = events_in(file, str(self._events))
            made = (
                alert(episode, known.geo, known.benign, known.settings.exercise)
                for episode in run.episodes(lines, lambda *_: None)
            )
            self._alerts = {one.finding_info.uid: one for one in made}
        return self._alerts


def _pack(intake: Intake, inquiry: Inquiry) -> None:
    for packed in intake.pack(1, 0).values():
        for sightings in packed:
            inquiry.sighted(sightings)


class Topics:
    """The topics of a running pipeline, as far back as is asked."""

    def __init__(self, known: Known, past: Past) -> None:
        self._known = known
        self._past = past
        self._alerts: dict[str, Alert] | None = None

    async def alerts(self) -> Mapping[str, Alert]:
        """The newest revision of each."""
        if self._alerts is None:
            # Compacted: all there are, however old.
            self._alerts = {}
            async for value in self._values("alerts"):
                try:
                    one = decode_alert(value)
                except msgspec.DecodeError:
                    continue
                self._alerts[one.finding_info.uid] = one
        return self._alerts

    async def campaigns(self) -> Mapping[str, Campaign]:
        found: dict[str, Campaign] = {}
        async for value in self._values("campaigns"):
            try:
                one = campaigns_.decode(value)
            except msgspec.DecodeError:
                continue
            found[one.id] = one
        return found

    async def _values(self, name: str) -> AsyncIterator[bytes]:
        everything = Past(self._known.settings)
        async for record in everything.records([self._known.settings.topic(name)]):
            if record.value is not None:
                yield record.value
        self._past.refused += everything.refused

    async def groups(self) -> list[Grouping]:
        known = self._known
        desk = Desk(
            every_length(known.rules),
            known.benign,
            known.registry.terms,
            known.settings.campaign_horizon_ms,
            known.settings.campaign_facts_max,
            exercise=known.settings.exercise,
            least_countries=known.settings.campaign_countries,
        )
        async for sightings in self._sightings():
            desk.observe(sightings)
        for one in (await self.alerts()).values():
            desk.raise_(one)
        async for value in self._values("labels"):
            try:
                desk.label(labels_.decode(value))
            except msgspec.DecodeError:
                continue
        return desk.groups()

    async def inquire(self, asked: Collection[Indicator]) -> Inquiry:
        known = self._known
        registry, settings = known.registry, known.settings
        inquiry = Inquiry(known.rules, background(registry.parties), asked, registry.sensors)
        async for sightings in self._sightings():
            inquiry.sighted(sightings)
        refused: set[str] = set()
        async for record in self._past.records([settings.topic("dead-letters")]):
            try:
                letter = dead_letter.decode(record.value or b"")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            refused.add(letter.key)
            inquiry.refused(letter.reason, letter.detail, letter.raw, letter.key)
        async for record in self._past.records(sorted(registry.topics(settings.topic_prefix))):
            for number, event in enumerate(decode(record.value or b"")):
                place = f"{record.topic}/{record.partition}/{record.offset}/{number}"
                if isinstance(event, Event) and place not in refused:
                    inquiry.heard(event, place)
        return inquiry

    async def _sightings(self) -> AsyncIterator[Sightings]:
        topic = self._known.settings.topic("sightings")
        async for record in self._past.records([topic]):
            try:
                found = decode_sightings(record.key, record.value or b"")
            except msgspec.DecodeError:
                continue
            if isinstance(found, Sightings):
                yield found

    def shortcomings(self) -> list[str]:
        return self._past.shortcomings()
