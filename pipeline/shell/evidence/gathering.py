"""The events behind some alerts: from a file, or from the topics of those who saw them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.decode import Rejection, decode, split
from pipeline.indicator import Indicator, indicators
from pipeline.intake import FUTURE_MS
from pipeline.registry import Party, Registry, topic_name
from pipeline.rule import Rule
from pipeline.share.evidence import MOST_EVENTS, From, Kept
from pipeline.shell.observe import ends_of
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import FailedError, Settings, WrongUseError
from pipeline.slices import SLICES
from pipeline.surprise import base_slices
from pipeline.watch import is_watched


class Wanted(Struct, frozen=True):
    """Which events: those that name an indicator, from … to, both in ms and inclusive.

    They begin where the history begins that an alert's p-value is measured by.
    """

    spans: dict[Indicator, tuple[int, int]]

    def takes(self, time: int, found: Iterable[Indicator]) -> bool:
        for one in found:
            span = self.spans.get(one)
            if span is not None and span[0] <= time <= span[1]:
                return True
        return False

    @property
    def since(self) -> int:
        return min(first for first, _ in self.spans.values())


def wanted(alerts: Iterable[Alert], rules: Mapping[str, Rule]) -> Wanted:
    """What some alerts came of."""
    spans: dict[Indicator, tuple[int, int]] = {}
    for alert in alerts:
        rule = rules.get(alert.finding_info.analytic.uid)
        if rule is not None:
            history = (base_slices(rule.timespan_ms) + SLICES) * rule.timespan_ms // SLICES
        elif is_watched(alert):
            history = 0
        else:
            said = alert.finding_info
            raise WrongUseError(f"alert {said.uid}: there is no rule {said.analytic.uid}")
        one = alert.observables[0]
        first = max(alert.finding_info.first_seen_time - history, 0)
        last = alert.finding_info.last_seen_time
        known = spans.get((one.name, one.value), (first, last))
        spans[one.name, one.value] = (min(known[0], first), max(known[1], last))
    return Wanted(spans)


def in_file(path: Path, wanted: Wanted, sensors: Mapping[str, Party]) -> list[Kept]:
    """Of recorded events, one a line, those that are wanted."""
    found: list[Kept] = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    found += _of(line, From(path.name, number), wanted, sensors)
                    _bounded(found)
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    return in_order(found)


async def in_topics(settings: Settings, registry: Registry, wanted: Wanted) -> list[Kept]:
    """The same of the events topics: as far back as the brokers still have them.

    A topic speaks for its own party, as it does to the workers.
    """
    topics = {topic_name(party, settings.topic_prefix): party for party in registry.parties}
    found: list[Kept] = []
    async for topic, origin, value in _records(settings, topics, wanted.since):
        speaks = {s: p for s, p in registry.sensors.items() if p == topics[topic]}
        found += _of(value, origin, wanted, speaks)
        _bounded(found)
    return in_order(found)


async def _records(
    settings: Settings, topics: Mapping[str, Party], since: int
) -> AsyncIterator[tuple[str, From, bytes]]:
    consumer = AIOKafkaConsumer(**for_aiokafka(settings), enable_auto_commit=False)
    try:
        await consumer.start()
        there = await consumer.topics()
        ends = await ends_of(consumer, [topic for topic in topics if topic in there])
        # The broker's time of a message is later than that of its events, but for clocks that are
        # fast, and no faster than this: earlier messages can hold none that is wanted.
        asked = {tp: max(since - FUTURE_MS, 0) for tp in ends}
        starts = await consumer.offsets_for_times(asked) if asked else {}
        left: dict[TopicPartition, int] = {}
        consumer.assign(list(ends))
        for tp, end in ends.items():
            start = starts.get(tp)
            if start is not None and start.offset < end:
                consumer.seek(tp, start.offset)
                left[tp] = end
        while left:
            for tp, records in (await consumer.getmany(*left, timeout_ms=1000)).items():
                for record in records:
                    if record.offset < left[tp] and record.value is not None:
                        origin = From(tp.topic, record.offset, tp.partition, record.timestamp)
                        yield tp.topic, origin, record.value
            left = {tp: end for tp, end in left.items() if await consumer.position(tp) < end}
    finally:
        await consumer.stop()


def _of(
    message: bytes, origin: From, wanted: Wanted, sensors: Mapping[str, Party]
) -> Iterator[Kept]:
    for event, raw in zip(decode(message), split(message), strict=True):
        if isinstance(event, Rejection) or isinstance(raw, Rejection):
            continue
        party = sensors.get(event.device.uid)
        if party is not None and wanted.takes(event.time, indicators(event)[0]):
            # One a line in the pack, however it was printed: no string holds a raw line break.
            text = raw.decode("utf-8").replace("\r", " ").replace("\n", " ")
            yield Kept(event.time, event.metadata.uid, party.organisation, text, origin)


def in_order(events: Iterable[Kept]) -> list[Kept]:
    """By their times, what came twice once: no event of a pack is late."""
    unique = {(one.time, one.uid, one.raw): one for one in reversed(list(events))}
    return [unique[key] for key in sorted(unique)]


def _bounded(found: list[Kept]) -> None:
    if len(found) > MOST_EVENTS:
        raise FailedError(f"more than {MOST_EVENTS} events: make a pack of one alert")
