"""What can be seen of a running pipeline from outside: how far it is, what it says.

For the demo, the benchmark and the tests, which compare a run with the offline one.
"""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.campaign import decode as decode_campaign
from pipeline.registry import Registry
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import FailedError, Settings

decode_alert = msgspec.json.Decoder(Alert).decode

AlertKey = tuple[str, str, str, int, int, tuple[str, ...], tuple[str, ...]]
"""Rule, indicator type and value, first and last seen, countries, organisations: what an alert
says, whatever its id and revision."""

_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)


def key(alert: Alert) -> AlertKey:
    finding, indicator = alert.finding_info, alert.observables[0]
    return (
        finding.analytic.uid,
        indicator.name,
        indicator.value,
        finding.first_seen_time,
        finding.last_seen_time,
        alert.unmapped.countries,
        alert.unmapped.organisations,
    )


def final(revisions: Iterable[Alert]) -> list[AlertKey]:
    """What the newest revision of each alert says, merged ones left out; sorted.

    A list, not a set: the same episode under two ids shows.
    """
    newest = {alert.finding_info.uid: alert for alert in revisions}
    return sorted(key(a) for a in newest.values() if a.unmapped.merged_into is msgspec.UNSET)


def chances(revisions: Iterable[Alert]) -> list[tuple[AlertKey, float | None]]:
    """What `final` gives, each with its p-value."""
    newest = {alert.finding_info.uid: alert for alert in revisions}
    return sorted(
        (key(a), a.unmapped.p_value)
        for a in newest.values()
        if a.unmapped.merged_into is msgspec.UNSET
    )


async def read_topic(settings: Settings, topic: str) -> AsyncIterator[bytes]:
    """The values of a topic from its beginning to its end as it is now."""
    async with _consumer(settings) as consumer:
        ends = await ends_of(consumer, [topic])
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    if record.value is not None:
                        yield record.value


async def alerts(settings: Settings) -> list[Alert]:
    """Every revision on the alerts topic."""
    topic = settings.topic("alerts")
    return [decode_alert(value) async for value in read_topic(settings, topic)]


async def campaigns(settings: Settings) -> list[Campaign]:
    """Every revision on the campaigns topic."""
    topic = settings.topic("campaigns")
    return [decode_campaign(value) async for value in read_topic(settings, topic)]


async def wait_until_caught_up(
    settings: Settings, registry: Registry, within: float = 300.0, *, grouped: bool = False
) -> None:
    """Wait until all that is on the events topics now has led to its alerts, and with `grouped`
    to its campaigns.

    Intake commits what was delivered as sightings; correlate commits what was checkpointed, and
    it checkpoints after its alerts were delivered; the campaign stage commits what it has told.
    A `FailedError` after `within` seconds.
    """
    deadline = time.monotonic() + within
    events = list(registry.topics(settings.topic_prefix))
    sightings = [settings.topic("sightings")]
    admin = AIOKafkaAdminClient(**for_aiokafka(settings))
    await admin.start()
    try:
        async with _consumer(settings) as consumer:
            stages = [("intake", events), ("correlate", sightings)]
            if grouped:
                stages.append(("campaign", [*sightings, settings.topic("alerts")]))
            for stage, topics in stages:
                group = settings.topic(f"sightline-{stage}")
                ends = await ends_of(consumer, topics)
                # Named one by one: the embedded broker answers "all of them" with none.
                asked = {"partitions": list(ends)}
                while not _reached(await admin.list_consumer_group_offsets(group, **asked), ends):
                    if time.monotonic() > deadline:
                        raise FailedError(f"{stage} has not caught up after {within:.0f} s")
                    await asyncio.sleep(0.1)
    finally:
        await admin.close()


def _reached(
    committed: Mapping[TopicPartition, object], ends: Mapping[TopicPartition, int]
) -> bool:
    return all(
        end == 0 or (tp in committed and committed[tp].offset >= end)  # type: ignore[attr-defined]
        for tp, end in ends.items()
    )


async def ends_of(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> dict[TopicPartition, int]:
    """The end offset of every partition of some topics, as it is now."""
    partitions = [
        TopicPartition(topic, partition)
        for topic in topics
        for partition in sorted(await _partitions(consumer, topic))
    ]
    return dict(await consumer.end_offsets(partitions))


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    while not (found := consumer.partitions_for_topic(topic)):
        await consumer._client.force_metadata_update()  # noqa: SLF001 - there is no public way
        await consumer.topics()
    return set(found)


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), enable_auto_commit=False)
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()  # also one that found no broker


def metrics(port: int, host: str = "127.0.0.1") -> dict[str, float]:
    """A worker's metrics by name, summed over labels; by `name{label="value"}` too."""
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for name, labels, value in _SAMPLE.findall(text):
        found[name] = found.get(name, 0.0) + float(value)
        if labels:
            found[f"{name}{{{labels}}}"] = float(value)
    return found
