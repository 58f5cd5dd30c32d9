"""What erasure asks of the broker: settings of a topic, records deleted, who is still reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiokafka import TopicPartition
from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)

from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import FailedError, Settings

WITHIN_S: Final = 30.0
SWIFT: Final = {
    "segment.ms": "1000",
    "min.cleanable.dirty.ratio": "0.0",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "1000",
    "delete.retention.ms": "0",
    "file.delete.delay.ms": "1000",
}
"""While something is erased: a segment ends after a second, and is cleaned whenever it can be."""


class Cluster:
    """An administrator's client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = AdminClient(for_librdkafka(settings))

    def topics(self) -> list[str]:
        """All topics of this installation: those that begin with its prefix."""
        prefix = self._settings.topic_prefix
        there = self._admin.list_topics(timeout=WITHIN_S).topics
        return sorted(name for name in there if name.startswith(prefix) and name[:2] != "__")

    def at_work(self) -> list[str]:
        """The consumer groups of this installation that have members."""
        prefix = self._settings.topic("sightline-")
        listed = self._done(self._admin.list_consumer_groups(request_timeout=WITHIN_S))
        names = [one.group_id for one in listed.valid if one.group_id.startswith(prefix)]
        if not names:
            return []
        described = self._admin.describe_consumer_groups(names, request_timeout=WITHIN_S)
        return sorted(name for name, told in described.items() if self._done(told).members)

    def committed(self, group: str, partitions: Iterable[TopicPartition]) -> dict[Any, int]:
        """How far a group has come in some partitions; 0 where it has not begun."""
        from confluent_kafka import ConsumerGroupTopicPartitions

        asked = [Place(tp.topic, tp.partition) for tp in partitions]
        if not asked:
            return {}
        told = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(self._settings.topic(group), asked)]
        )
        answer = self._done(next(iter(told.values())))
        return {
            TopicPartition(one.topic, one.partition): max(one.offset, 0)
            for one in answer.topic_partitions
        }

    def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Say for a group, none of whose members is at work, how far it has come."""
        from confluent_kafka import ConsumerGroupTopicPartitions

        places = [Place(tp.topic, tp.partition, offset) for tp, offset in offsets.items()]
        if places:
            asked = ConsumerGroupTopicPartitions(self._settings.topic(group), places)
            for told in self._admin.alter_consumer_group_offsets([asked]).values():
                for one in self._done(told).topic_partitions:
                    if one.error is not None:
                        raise FailedError(f"{one.topic}: {one.error.str()}")

    def configuration(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """What is set for each topic itself."""
        asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        found: dict[str, dict[str, str]] = {}
        for resource, told in self._admin.describe_configs(asked).items():
            found[resource.name] = {
                name: entry.value
                for name, entry in self._done(told).items()
                if name == "cleanup.policy"
                or entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
            }
        return found

    def hasten(self, topics: Iterable[str]) -> None:
        self._alter({topic: dict(SWIFT) for topic in topics})

    def restore(self, before: Mapping[str, Mapping[str, str]]) -> None:
        """What `hasten` changed, as it was: set, or not set."""
        self._alter(
            {topic: {name: own.get(name) for name in SWIFT} for topic, own in before.items()}
        )

    def _alter(self, wanted: Mapping[str, Mapping[str, str | None]]) -> None:
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                topic,
                incremental_configs=[
                    ConfigEntry(
                        name,
                        value,
                        incremental_operation=AlterConfigOpType.DELETE
                        if value is None
                        else AlterConfigOpType.SET,
                    )
                    for name, value in entries.items()
                ],
            )
            for topic, entries in wanted.items()
        ]
        if resources:
            for told in self._admin.incremental_alter_configs(resources).values():
                self._done(told)

    def delete_before(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Delete all records before an offset, for each partition."""
        asked = [Place(tp.topic, tp.partition, offset) for tp, offset in offsets.items()]
        if asked:
            for told in self._admin.delete_records(asked).values():
                self._done(told)

    def _done(self, told: Any) -> Any:
        try:
            return told.result(WITHIN_S)
        except KafkaException as error:
            raise FailedError(f"{self._settings.broker}: {error.args[0].str()}") from None
