"""The topics that a registry and the settings call for."""

from __future__ import annotations

import asyncio
import tomllib
from enum import StrEnum
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from pipeline import canary
from pipeline.registry import Registry
from pipeline.share.alliance import counts_topic, topic
from pipeline.share.retention import Retention, read_retention
from pipeline.shell.files import read_text
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import FailedError, Settings, WrongUseError

COMPACTED = {"cleanup.policy": "compact"}
# Segments that are rolled and cleaned soon: a checkpoint is written anew all the time.
CHECKPOINTED = {
    "cleanup.policy": "compact",
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.2",
    "delete.retention.ms": "60000",
}
# The broker's own time: what a sensor says of itself is no measure of what is from the future.
STAMPED = {"message.timestamp.type": "LogAppendTime"}
PASSING = {"retention.ms": "3600000"}
ALERT_PARTITIONS = 4


class Kind(StrEnum):
    """What a topic is for."""

    EVENTS = "events"
    SIGHTINGS = "sightings"
    CHECKPOINTS = "checkpoints"
    ALERTS = "alerts"
    CAMPAIGNS = "campaigns"
    LABELS = "labels"
    WATCHES = "watches"
    DEAD_LETTERS = "dead-letters"
    SENSORS = "sensors"
    CONTROL = "control"
    """Of an exercise: whether it runs, and what its truth was sealed with."""
    NOTIFY = "notify"
    REPLIES = "replies"
    DELIVERIES = "deliveries"
    QUESTIONS = "questions"
    RULINGS = "rulings"
    SUPPRESSIONS = "suppressions"
    ALLIANCE = "alliance"
    CANARY_EVENTS = canary.EVENTS
    CANARY_ALERTS = canary.ALERTS


CANARIES = (
    (Kind.CANARY_EVENTS, 1, STAMPED | PASSING),
    (Kind.CANARY_ALERTS, 1, PASSING),
)


class Wanted(Struct, frozen=True):
    """A topic as it ought to be made."""

    kind: Kind
    name: str
    partitions: int
    config: dict[str, str]
    least_kept_ms: int = 0
    """How long what is on it is read again, at the least."""


def retention_of(settings: Settings) -> Retention:
    """How long topics keep what is on them, by the file that the settings name."""
    if not settings.retention:
        return Retention()
    try:
        document = tomllib.loads(read_text(Path(settings.retention)))
    except tomllib.TOMLDecodeError as error:
        raise WrongUseError(f"{settings.retention}: {error}") from None
    horizon = settings.campaign_horizon_ms if settings.campaigns == "on" else 0
    read = read_retention(document, horizon)
    if isinstance(read, str):
        raise WrongUseError(f"{settings.retention}: {read}")
    return read


def wanted(registry: Registry, settings: Settings) -> list[Wanted]:
    """Every topic, those of events first."""
    sightings = settings.sightings_partitions
    evidence_ms = settings.campaign_horizon_ms if settings.campaigns == "on" else 0
    kept = retention_of(settings)
    return [
        *(
            Wanted(
                Kind.EVENTS,
                name,
                settings.events_partitions,
                STAMPED | kept.config(Kind.EVENTS, party.country),
            )
            for name, party in registry.topics(settings.topic_prefix).items()
        ),
        *(
            Wanted(
                kind,
                settings.topic(kind),
                partitions,
                config | kept.config(kind),
                evidence_ms if kind is Kind.SIGHTINGS else 0,
            )
            for kind, partitions, config in (
                (Kind.SIGHTINGS, sightings, {}),
                (Kind.CHECKPOINTS, sightings, CHECKPOINTED),
                (Kind.ALERTS, ALERT_PARTITIONS, COMPACTED),
                (Kind.CAMPAIGNS, ALERT_PARTITIONS, COMPACTED),
                (Kind.LABELS, 1, COMPACTED),
                (Kind.WATCHES, 1, COMPACTED),
                (Kind.DEAD_LETTERS, 1, {}),
                (Kind.SENSORS, 1, COMPACTED),
                *([(Kind.CONTROL, 1, COMPACTED)] if settings.exercise else []),
                *(CANARIES if settings.canary_interval_s else ()),
            )
        ),
        *_of_notifying(settings),
        *_of_alliances(settings),
    ]


def _of_notifying(settings: Settings) -> list[Wanted]:
    """One topic to each recipient and one from it, and what the stage and the operator write."""
    from pipeline.shell.notify.sources import are_set, topics_of

    if not are_set(settings):
        return []
    out, back = topics_of(settings)
    ours = (Kind.DELIVERIES, Kind.QUESTIONS, Kind.RULINGS, Kind.SUPPRESSIONS)
    return [
        Wanted(kind, settings.topic(name), 1, COMPACTED)
        for kind, names in ((Kind.NOTIFY, out), (Kind.REPLIES, back))
        for name in names
    ] + [Wanted(kind, settings.topic(kind), 1, COMPACTED) for kind in ours]


def _of_alliances(settings: Settings) -> list[Wanted]:
    """What each alliance is told, and by how many of its members what was seen."""
    from pipeline.shell.alliances import folder

    return [
        Wanted(Kind.ALLIANCE, settings.topic(name), 1, COMPACTED)
        for one in folder.read(settings).current.values()
        for name in (topic(one.id), counts_topic(one.id))
    ]


class Checked(Struct):
    """What `ensure` found: partitions by topic that there are now, and which of them it made."""

    partitions: dict[str, int]
    created: list[str]


async def ensure(registry: Registry, settings: Settings) -> Checked:
    """Create what is missing, check the rest; a `FailedError` says what does not fit."""
    topics = wanted(registry, settings)
    admin = AIOKafkaAdminClient(**for_aiokafka(settings), request_timeout_ms=15_000)
    try:
        await admin.start()
    except KafkaError as error:
        await admin.close()
        raise FailedError(
            f"no Kafka answers at {settings.broker}{_or_else(settings)}: start one (`sightline "
            f"broker`), or set SIGHTLINE_BROKER ({type(error).__name__})"
        ) from None
    try:
        there = await _partitions(admin, [topic.name for topic in topics])
        missing = [topic for topic in topics if topic.name not in there]
        if missing:
            await _create(admin, missing, settings.replication_factor)
            there = await _partitions(admin, [topic.name for topic in topics])
    except KafkaError as error:
        raise FailedError(f"topics at {settings.broker}: {error}") from None
    finally:
        await admin.close()
    absent = [topic.name for topic in topics if topic.name not in there]
    if absent:
        raise FailedError(f"topics could not be created: {', '.join(absent)}")
    sightings, checkpoints = settings.topic("sightings"), settings.topic("checkpoints")
    if there[sightings] != there[checkpoints]:
        raise FailedError(
            f"{sightings} has {there[sightings]} partitions and {checkpoints} has "
            f"{there[checkpoints]}: they must have the same number"
        )
    return Checked(there, [topic.name for topic in missing])


def _or_else(settings: Settings) -> str:
    """What looks the same as silence from here."""
    if settings.security_protocol == "PLAINTEXT":
        return " in plain text"
    return f", or not to {settings.sasl_username}" if settings.sasl_username else " by TLS"


async def _partitions(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    described = await admin.describe_topics(names)
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in described
        if topic["error_code"] == 0 and topic["partitions"]
    }


async def _create(
    admin: AIOKafkaAdminClient, missing: list[Wanted], replication_factor: int
) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(
                name=topic.name,
                num_partitions=topic.partitions,
                replication_factor=replication_factor,
                topic_configs=topic.config,
            )
            for topic in missing
        ]
    )
    for name, code, *detail in answer.topic_errors:
        if code not in {0, TopicAlreadyExistsError.errno}:
            why = detail[0] if detail and detail[0] else for_code(code).__name__
            raise FailedError(f"topic {name} could not be created: {why}")
    # The brokers hear of new topics a moment later.
    names = [topic.name for topic in missing]
    for _ in range(100):
        if len(await _partitions(admin, names)) == len(names):
            return
        await asyncio.sleep(0.1)
