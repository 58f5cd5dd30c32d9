"""A topic of campaigns, from its beginning and on as it grows.

Nothing is committed: what follows it knows by what it has written itself how far it is, and reads
everything once more after a restart. The topic is compacted: it holds little but what stands.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from pipeline.campaign.campaign import Campaign, decode
from pipeline.lane import crossing
from pipeline.shell.printable import printable
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import FailedError, Settings

_FETCHED = 500
_MOST = 20_000
"""Campaigns handed on at once, at the beginning."""
_PAUSE_S = 1.0
_WITHIN_S = 15.0


@dataclass(slots=True)
class Told:
    """What came since the last time: the newest revisions, and ids of which nothing may be left."""

    campaigns: dict[str, Campaign] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


def until_stopped() -> threading.Event:
    """Set by SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def follow(settings: Settings, stop: threading.Event, name: str = "campaigns") -> Iterator[Told]:
    """What is told, in the order in which it was, until `stop` is set; at most a second late.

    `name`: the topic's, without the prefix.
    """
    topic = settings.topic(name)
    consumer = Consumer(
        for_librdkafka(settings)
        | {
            "group.id": settings.topic("sightline-export"),
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.assign(_from_the_beginning(consumer, topic))
        while not stop.is_set():
            told = Told()
            fetched = _FETCHED
            while fetched == _FETCHED and len(told.campaigns) < _MOST and not stop.is_set():
                messages = consumer.consume(_FETCHED, _PAUSE_S)
                for message in messages:
                    _take(message, told, settings.exercise)
                fetched = len(messages)
            if told.campaigns or told.gone:
                yield told
    except KafkaException as error:
        raise FailedError(f"{topic}: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _from_the_beginning(consumer: Consumer, topic: str) -> list[TopicPartition]:
    found = consumer.list_topics(topic, timeout=_WITHIN_S).topics[topic]
    if found.error is not None or not found.partitions:
        raise FailedError(f"{topic}: no such topic, or no right to read it")
    return [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in found.partitions]


def _take(message: Message, told: Told, exercise: str) -> None:
    if (error := message.error()) is not None:
        if error.retriable():
            return
        raise KafkaException(error)
    key, value = message.key(), message.value()
    if value is None:
        identity = (key or b"").decode("utf-8", "replace")
        told.campaigns.pop(identity, None)
        told.gone.add(identity)
        return
    try:
        campaign = decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        where = f"{message.topic()} {message.partition()}/{message.offset()}"
        print(printable(f"sightline: {where}: no campaign: {problem}"), file=sys.stderr)
        return
    if why := crossing(campaign.exercise, exercise):
        print(printable(f"sightline: campaign {campaign.id} is left out: {why}"), file=sys.stderr)
        return
    told.gone.discard(campaign.id)
    told.campaigns[campaign.id] = campaign
