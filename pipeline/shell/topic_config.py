"""How the topics that are there are configured, held against what Sightline needs of them.

Topics may have been made by somebody else, or by the broker itself when a producer named them. What
does not fit is told with what follows from it; nothing is changed unless that is asked for.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, for_code
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ResourceType,
)
from confluent_kafka.admin import ConfigResource as AlteredResource
from msgspec import Struct

from pipeline.shell.security import for_aiokafka, for_librdkafka
from pipeline.shell.settings import FailedError, Settings
from pipeline.shell.topics import CHECKPOINTED, Kind, Wanted

DAY_MS = 86_400_000
RECORD_BYTES = 1_000_000
"""What a record of ours may come to: a segment, sightings or a dead letter, and its frame."""
REQUEST_TIMEOUT_S = 15.0

Config = Mapping[str, str]


class Need(Struct, frozen=True):
    """What one key of a topic's configuration must be.

    `else_` is what follows where it is not. `grave`: alerts are missed or wrong then, or a worker
    stops; otherwise it is only worth saying.
    """

    key: str
    fits: Callable[[str], bool]
    value: str
    """What mends it."""
    else_: str
    grave: bool = True


class Mismatch(Struct, frozen=True):
    """One key of one topic that does not fit."""

    topic: str
    key: str
    found: str
    value: str
    else_: str
    grave: bool
    """What is not is for whoever runs the cluster to decide: `mend` is not asked for it."""

    def __str__(self) -> str:
        return f"{self.topic}: {self.key} is {self.found}, not {self.value}: {self.else_}"


def _at_least(least: int) -> Callable[[str], bool]:
    def fits(value: str) -> bool:
        return value == "-1" or (value.isdecimal() and int(value) >= least)

    return fits


def _only(policy: str) -> Callable[[str], bool]:
    return lambda value: _policies(value) == {policy}


def _policies(value: str) -> set[str]:
    return {part.strip() for part in value.split(",")}


_KEPT = (
    Need("retention.ms", _at_least(DAY_MS), str(7 * DAY_MS),
         "what a worker that is down has not read by then is lost", grave=False),
    Need("retention.bytes", lambda value: value == "-1", "-1",
         "a flood pushes out what has not been read", grave=False),
)  # fmt: skip
_LARGE = Need(
    "max.message.bytes", _at_least(RECORD_BYTES), "1048588",
    "a worker stops at a record that the broker refuses",
)  # fmt: skip
_COMPACTED = Need(
    "cleanup.policy", lambda value: "compact" in _policies(value), "compact",
    "the newest revision is lost when its segment expires",
)  # fmt: skip

NEEDS: Mapping[Kind, Sequence[Need]] = {
    Kind.EVENTS: (
        Need("message.timestamp.type", lambda value: value == "LogAppendTime", "LogAppendTime",
             "a sender decides what is from the future"),
        Need("cleanup.policy", _only("delete"), "delete", "events are thrown away unread"),
        *_KEPT,
    ),
    Kind.SIGHTINGS: (
        Need("cleanup.policy", _only("delete"), "delete", "sightings have no key and are refused"),
        _LARGE,
        *_KEPT,
    ),
    Kind.CHECKPOINTS: (
        Need("cleanup.policy", _only("compact"), "compact", "state expires, and alerts are missed"),
        _LARGE,
        *(
            Need(key, lambda value, wanted=value: value == wanted, value,  # type: ignore[misc]
                 "the topic takes more room, and a restart longer", grave=False)
            for key, value in CHECKPOINTED.items()
            if key != "cleanup.policy"
        ),
    ),
    Kind.ALERTS: (_COMPACTED, _LARGE),
    Kind.CAMPAIGNS: (_COMPACTED,),
    Kind.LABELS: (_COMPACTED,),
    Kind.WATCHES: (_COMPACTED,),
    Kind.DEAD_LETTERS: (_LARGE,),
    Kind.SENSORS: (_COMPACTED, _LARGE),
    Kind.CONTROL: (_COMPACTED,),
    Kind.NOTIFY: (_COMPACTED, _LARGE),
    Kind.REPLIES: (_COMPACTED,),
    Kind.DELIVERIES: (_COMPACTED, _LARGE),
    Kind.QUESTIONS: (_COMPACTED,),
    Kind.RULINGS: (_COMPACTED,),
    Kind.SUPPRESSIONS: (_COMPACTED,),
    Kind.ALLIANCE: (_COMPACTED, _LARGE),
    Kind.CANARY_EVENTS: (),
    Kind.CANARY_ALERTS: (),
}  # fmt: skip


def _asked(topic: Wanted) -> Iterable[Need]:
    """How long it is to keep what is on it: as a policy says, and as long as it is read again."""
    if topic.least_kept_ms:
        yield Need(
            "retention.ms", _at_least(topic.least_kept_ms), str(topic.least_kept_ms),
            "after a restart, campaigns do not know what was seen in campaign_horizon", grave=False,
        )  # fmt: skip
    kept = topic.config.get("retention.ms")
    if kept is None or topic.kind in {Kind.CANARY_EVENTS, Kind.CANARY_ALERTS}:
        return
    yield Need(
        "retention.ms", lambda value: value == kept, kept, "it is kept as long as nobody asked for",
        grave=False,
    )  # fmt: skip
    if "cleanup.policy" in topic.config:
        policy = topic.config["cleanup.policy"]
        if "delete" in policy:
            yield Need(
                "cleanup.policy", lambda value: "delete" in _policies(value), policy,
                "nothing of it is ever forgotten", grave=False,
            )  # fmt: skip


def compare(topics: Iterable[Wanted], found: Mapping[str, Config]) -> list[Mismatch]:
    """What does not fit, in the order of the topics. A topic that is not in `found` is left out."""
    return [
        Mismatch(topic.name, need.key, value, need.value, need.else_, need.grave)
        for topic in topics
        for need in (*NEEDS[topic.kind], *_asked(topic))
        if (value := found.get(topic.name, {}).get(need.key)) is not None and not need.fits(value)
    ]


async def describe(settings: Settings, names: Iterable[str]) -> dict[str, Config] | str:
    """The configuration of topics by name, or why it cannot be told: the embedded broker has no
    answer, and a worker's principal need not be allowed to ask.
    """
    admin = AIOKafkaAdminClient(
        **for_aiokafka(settings), request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000)
    )
    try:
        await admin.start()
        answers = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        )
    except IncompatibleBrokerVersion:
        return "the broker does not tell topics' configuration"
    except KafkaError as error:
        return repr(error)
    finally:
        await admin.close()
    found: dict[str, Config] = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code:
                return f"{name}: {message or for_code(code).__name__}"
            found[name] = {key: value for key, value, *_ in entries if value is not None}
    return found


def mend(settings: Settings, mismatches: Iterable[Mismatch]) -> None:
    """Set what does not fit, and nothing else of these topics; a `FailedError` if that is refused.

    By librdkafka: aiokafka can only set a topic's whole configuration, which would undo the rest.
    """
    admin = AdminClient(for_librdkafka(settings))
    by_topic: dict[str, list[ConfigEntry]] = {}
    for one in mismatches:
        entry = ConfigEntry(one.key, one.value, incremental_operation=AlterConfigOpType.SET)
        by_topic.setdefault(one.topic, []).append(entry)
    resources = [
        AlteredResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for name, entries in by_topic.items()
    ]
    if not resources:
        return
    for resource, done in admin.incremental_alter_configs(
        resources, request_timeout=REQUEST_TIMEOUT_S
    ).items():
        try:
            done.result(REQUEST_TIMEOUT_S * 2)
        except KafkaException as error:
            raise FailedError(f"{resource.name}: {error.args[0].str()}") from None


def command(settings: Settings, topic: str, mismatches: Iterable[Mismatch]) -> str:
    """What an administrator of the cluster runs to mend a topic."""
    config = ",".join(f"{one.key}={one.value}" for one in mismatches if one.topic == topic)
    quoted = [shlex.quote(text) for text in (settings.broker, topic, config)]
    return (
        f"kafka-configs.sh --bootstrap-server {quoted[0]} --alter --entity-type topics "
        f"--entity-name {quoted[1]} --add-config {quoted[2]}"
    )


def check(settings: Settings, topics: Sequence[Wanted]) -> list[Mismatch] | str:
    """What does not fit, or why that cannot be told."""
    found = asyncio.run(describe(settings, [topic.name for topic in topics]))
    return found if isinstance(found, str) else compare(topics, found)
