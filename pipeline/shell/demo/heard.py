"""What the topics say while the demo runs: alerts and campaigns, and how far the workers are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from msgspec import UNSET

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign, Status
from pipeline.campaign.campaign import decode as decode_campaign
from pipeline.registry import Registry
from pipeline.shell.embedded import PARTITIONS
from pipeline.shell.observe import decode_alert
from pipeline.shell.settings import FailedError, Settings

Ends = dict[tuple[str, int], int]
"""By topic and partition, an offset."""

_ASK_S = 10.0
_LOOK_S = 0.1


class Heard:
    """Every alert and campaign told so far. `check` is asked whether all that should run does."""

    def __init__(self, settings: Settings, registry: Registry, check: Callable[[], None]) -> None:
        self.revisions: list[Alert] = []
        self.newest: dict[str, Alert] = {}
        self.campaigns: dict[str, Campaign] = {}
        self.opened = 0
        self.check = check
        self._alerts, self._told = settings.topic("alerts"), settings.topic("campaigns")
        events = list(registry.topics(settings.topic_prefix))
        sightings = settings.topic("sightings")
        self._settings = settings
        self._stages = {
            "intake": events,
            "correlate": [sightings],
        }
        self._consumer = self._client("demo")
        self._consumer.assign(
            [
                TopicPartition(topic, partition, OFFSET_BEGINNING)
                for topic in (self._alerts, self._told)
                for partition in range(PARTITIONS)
            ]
        )
        self._groups = {
            stage: self._client(settings.topic(f"sightline-{stage}")) for stage in self._stages
        }

    def _client(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._settings.broker,
                "group.id": group,  # asked what it has committed, never joined
                "enable.auto.commit": False,
                "log_level": 2,  # that the broker goes when all is done is no news
                "fetch.wait.max.ms": 20,
            }
        )

    def close(self) -> None:
        for one in (self._consumer, *self._groups.values()):
            one.close()

    def read(self, within: float = 0.0) -> list[Alert]:
        """Take in what has come; of it, the alerts that are new."""
        new: list[Alert] = []
        for message in self._consumer.consume(1_000, max(within, 0.01)):
            value: Any = message.value()
            if message.error() or value is None:
                continue
            if message.topic() == self._told:
                campaign = decode_campaign(value)
                self.campaigns[campaign.id] = campaign
                continue
            alert = decode_alert(value)
            self.revisions.append(alert)
            name = alert.finding_info.uid
            if name not in self.newest:
                self.opened += 1
                new.append(alert)
            self.newest[name] = alert
        return new

    def until(self, done: Callable[[], bool], what: str, within: float = 60.0) -> Iterator[Alert]:
        """Read until it is done, handing on new alerts; a `FailedError` after so long."""
        end = monotonic() + within
        while not done():
            self.check()
            if monotonic() > end:
                raise FailedError(f"{what}: not within {within:.0f} s")
            yield from self.read(_LOOK_S)

    def standing(self) -> list[Campaign]:
        """The campaigns that are, those that were merged or withdrawn left out."""
        return [
            one
            for one in self.campaigns.values()
            if one.status is not Status.MERGED and one.withdrawn is UNSET
        ]

    def behind(self, stages: Sequence[str] = ("intake",)) -> int:
        """Records that these stages have not committed yet."""
        return sum(self._behind(stage) for stage in stages)

    def _behind(self, stage: str) -> int:
        ends = self.ends(stage)
        return sum(max(0, ends[at] - done) for at, done in self._committed(stage).items())

    def ends(self, stage: str = "intake") -> Ends:
        """How far the topics that a stage reads go now."""
        client = self._groups[stage]
        found = {}
        for one in self._read_by(stage):
            _, end = client.get_watermark_offsets(one, _ASK_S, cached=False)
            found[one.topic, one.partition] = end
        return found

    def reached(self, ends: Ends, stage: str = "intake") -> bool:
        """Whether the stage has committed all up to there."""
        committed = self._committed(stage)
        return all(committed[at] >= end for at, end in ends.items())

    def _committed(self, stage: str) -> Ends:
        asked = self._groups[stage].committed(self._read_by(stage), _ASK_S)
        return {(one.topic, one.partition): max(one.offset, 0) for one in asked}

    def _read_by(self, stage: str) -> list[TopicPartition]:
        return [
            TopicPartition(topic, partition)
            for topic in self._stages[stage]
            for partition in range(PARTITIONS)
        ]

    def partitions(self) -> int:
        """Of events."""
        return len(self._stages["intake"]) * PARTITIONS

    def caught_up(self, within: float = 120.0) -> Iterator[Alert]:
        """Read until all that was sent has led to its alerts. Campaigns come in their own time."""
        for stage in self._stages:
            yield from self.until(
                lambda stage=stage: not self._behind(stage),  # type: ignore[misc]
                f"{stage} has not caught up",
                within,
            )
        while new := self.read(0.3):
            yield from new
