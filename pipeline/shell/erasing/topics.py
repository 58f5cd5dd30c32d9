"""Forgetting in topics. Workers stand still meanwhile: what they hold in memory goes with them.

A topic that is compacted gets what is left of a record under its key, or a tombstone; then it is
made to compact at once. Of one that is not, nothing can be taken out: all that lies in the same
partition is deleted, so that no file of the broker is left that holds it. What is still needed of
that is sent anew before: of sightings all the rest, for to see a thing again changes nothing; of
dead letters the others. Events that were read have done what they were for. Nothing is deleted that
has not been read.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from aiokafka import TopicPartition
from confluent_kafka import Producer
from msgspec import Struct

from pipeline.share import erasure
from pipeline.share.erasure import Sought
from pipeline.shell.erasing.broker import Cluster
from pipeline.shell.erasing.reading import Found, records
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import FailedError, Settings
from pipeline.sight import PROGRESS_KEY

_ROLL_S: Final = 1.5  # longer than `segment.ms` while something is erased
_LOOK_S: Final = 2.0

Cleaner = Callable[[Found, Sought], bytes | None]
"""What is left of a record; the value itself if nothing is to go, None if all is."""


class Plan(Struct):
    """What was found: by topic the records that name it, and in which partitions they lie."""

    ends: dict[TopicPartition, int]
    found: dict[str, int]
    rewritten: dict[TopicPartition, list[Found]]
    named: set[TopicPartition]
    told: dict[TopicPartition, int]
    """Behind the last record that says more than how far sources are."""


def _kind(topic: str, settings: Settings) -> str:
    name = topic.removeprefix(settings.topic_prefix)
    return "events" if name.startswith("events.") else name


def _sightings(one: Found, sought: Sought) -> bytes | None:
    try:
        return erasure.of_sightings(one.key, one.value or b"", sought)
    except msgspec.DecodeError:
        return None if sought.in_bytes(one.value or b"") else one.value


def _segments(one: Found, sought: Sought) -> bytes | None:
    try:
        return one.value if one.key == b"seal" else erasure.of_segment(one.value or b"", sought)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return one.value


def _letters(one: Found, sought: Sought) -> bytes | None:
    return None if erasure.in_letter(one.value or b"", sought) else one.value


def _campaigns(one: Found, sought: Sought) -> bytes | None:
    value = one.value or b""
    return erasure.of_campaign(value, sought) if sought.in_bytes(value) else value


def _labels(one: Found, sought: Sought) -> bytes | None:
    value = one.value or b""
    return erasure.of_label(value, sought) if sought.in_bytes(value) else value


def _any(one: Found, sought: Sought) -> bytes | None:
    return None if sought.in_bytes(one.value or b"") else one.value


_CLEANERS: Final[dict[str, Cleaner]] = {
    "sightings": _sightings,
    "checkpoints": _segments,
    "dead-letters": _letters,
    "campaigns": _campaigns,
    "labels": _labels,
}
_SENT_ANEW: Final = ("sightings", "dead-letters")
_READ_BY: Final = {
    "events": ("sightline-intake",),
    "sightings": ("sightline-correlate", "sightline-campaign"),
}


class Eraser:
    """Goes through all topics of an installation."""

    def __init__(self, settings: Settings, sought: Sought, within_s: float) -> None:
        self._settings = settings
        self._sought = sought
        self._cluster = Cluster(settings)
        self._within = within_s
        self._topics = self._cluster.topics()

    def plan(self) -> Plan:
        """What there is; nothing is changed."""
        return asyncio.run(self._plan({}))

    async def _plan(self, ends: dict[TopicPartition, int]) -> Plan:
        plan = Plan(ends, defaultdict(int), defaultdict(list), set(), {})
        compacted = self._compacted()
        if not self._topics:
            return plan
        async for one in records(self._settings, self._topics, plan.ends):
            tp = TopicPartition(one.topic, one.partition)
            if one.key != PROGRESS_KEY:
                plan.told[tp] = one.offset + 1
            if one.value is None:
                continue
            cleaner = _CLEANERS.get(_kind(one.topic, self._settings), _any)
            left = cleaner(one, self._sought)
            if left == one.value:
                continue
            plan.found[one.topic] += 1
            plan.named.add(tp)
            if one.topic in compacted:
                plan.rewritten[tp].append(msgspec.structs.replace(one, value=left))
        return plan

    def _compacted(self) -> set[str]:
        told = self._cluster.configuration(self._topics)
        return {topic for topic, own in told.items() if "compact" in own["cleanup.policy"]}

    def at_work(self) -> list[str]:
        """The workers that remember what they have read, by their groups."""
        return [f"the workers of {group}" for group in self._cluster.at_work()]

    def erase(self, plan: Plan) -> None:
        """Carry it out, and look whether it is gone for every reader; else a `FailedError`."""
        if at_work := self.at_work():
            raise FailedError(f"stop first: {', '.join(at_work)}")
        self._require_read(plan)
        touched = sorted(plan.found)
        before = self._cluster.configuration(touched)
        self._cluster.hasten(touched)
        try:
            time.sleep(_ROLL_S)
            compacted = {topic for topic in touched if "compact" in before[topic]["cleanup.policy"]}
            asyncio.run(self._send_anew(plan, compacted))
            cut = {tp: plan.ends[tp] for tp in plan.named if tp.topic not in compacted}
            self._send(self._fillers(cut))
            self._cluster.delete_before(cut)
            newest = _newest(plan.rewritten)
            self._send(newest)
            time.sleep(_ROLL_S)
            self._send(newest)  # the segment that holds the first ends with it, and can be cleaned
            self._await_gone(plan)
        finally:
            self._cluster.restore(before)

    def _require_read(self, plan: Plan) -> None:
        for kind, groups in _READ_BY.items():
            asked = [tp for tp in plan.named if _kind(tp.topic, self._settings) == kind]
            for group in groups:
                if group.endswith("campaign") and self._settings.campaigns == "off":
                    continue
                committed = self._cluster.committed(group, asked)
                if behind := [tp for tp in asked if committed.get(tp, 0) < plan.told[tp]]:
                    who = self._settings.topic(group)
                    raise FailedError(
                        f"{behind[0].topic}: {who} has not read all that is to go: let the workers "
                        "catch up, and stop them then"
                    )
                # What is deleted is not asked for any more.
                self._cluster.commit(group, {tp: plan.ends[tp] for tp in asked})

    async def _send_anew(self, plan: Plan, compacted: set[str]) -> None:
        """What is left of the records that are about to be deleted together."""
        partitions = {
            tp: end
            for tp, end in plan.ends.items()
            if tp in plan.named
            and tp.topic not in compacted
            and _kind(tp.topic, self._settings) in _SENT_ANEW
        }
        if not partitions:
            return
        some: list[Found] = []
        async for one in records(self._settings, [], dict(partitions)):
            value = one.value
            if value is not None:
                value = _CLEANERS[_kind(one.topic, self._settings)](one, self._sought)
                if value is None:
                    continue
            some.append(msgspec.structs.replace(one, value=value))
            if len(some) >= 500:
                self._send(some)
                some = []
        self._send(some)

    def _fillers(self, cut: Iterable[TopicPartition]) -> list[Found]:
        """Records that end the segments of topics to which nothing else is sent: no event, or the
        mark that a dead letter of no name was sent in.
        """
        made = []
        for tp in cut:
            kind = _kind(tp.topic, self._settings)
            if kind == "events":
                made.append(Found(tp.topic, tp.partition, 0, None, b"[]", ()))
            elif kind == "dead-letters":
                made.append(Found(tp.topic, tp.partition, 0, b"erased", None, ()))
        return made

    def _send(self, some: Iterable[Found]) -> None:
        failed: list[str] = []
        producer = Producer(for_librdkafka(self._settings) | {"acks": "all"})
        for one in some:
            producer.produce(
                one.topic,
                one.value,
                one.key,
                one.partition,
                on_delivery=lambda error, _: failed.append(error.str()) if error else None,
                headers=list(one.headers),
            )
            producer.poll(0)
        if producer.flush(60) or failed:
            raise FailedError(f"not all could be sent: {failed[0] if failed else 'no answer'}")

    def _await_gone(self, plan: Plan) -> None:
        """Until no reader meets it any more. What is deleted is gone at once; compaction is not."""
        deadline = time.monotonic() + self._within
        newest = _newest(plan.rewritten)
        while left := asyncio.run(self._plan({})).found:
            if time.monotonic() > deadline:
                raise FailedError(
                    f"{', '.join(sorted(left))}: the broker has not compacted within "
                    f"{self._within:.0f} s; run it again"
                )
            time.sleep(_LOOK_S)
            self._send(newest)


def _newest(rewritten: dict[TopicPartition, list[Found]]) -> list[Found]:
    """Of each key the newest record."""
    by_key = {
        (one.topic, one.partition, one.key): one for some in rewritten.values() for one in some
    }
    return list(by_key.values())
