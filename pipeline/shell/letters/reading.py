"""The dead letters that there are.

A letter stays on its topic until that forgets it. What was sent in again is marked there: a record
with the letter's key and no value, which settles the letters of this key that lie before it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from pipeline.dead_letter import DeadLetter, decode, sensor_of
from pipeline.decode import Reason
from pipeline.shell.observe import ends_of
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import FailedError, Settings, WrongUseError

NAME = "dead-letters"


class Place(Struct, frozen=True, order=True):
    """Where a letter lies on the topic of dead letters; written PARTITION/OFFSET."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


def place_of(text: str) -> Place:
    """`0/17`, or a `WrongUseError`."""
    partition, _, offset = text.partition("/")
    if not (partition.isdecimal() and offset.isdecimal() and len(text) < 40):
        raise WrongUseError(f"{text!r} is no place of a dead letter: write PARTITION/OFFSET")
    return Place(int(partition), int(offset))


class Filed(Struct, frozen=True):
    """A letter, where it lies, the key of its record, and whether it was sent in again since."""

    place: Place | None
    key: str
    letter: DeadLetter
    settled: bool


class Wanted(Struct, frozen=True, kw_only=True):
    """Which letters: those that fit all that is given; of a list, any of it."""

    places: frozenset[Place] = frozenset()
    reasons: frozenset[Reason] = frozenset()
    topics: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    sensors: frozenset[str] = frozenset()
    since_ms: int = 0
    settled: bool = False
    """Also those that were sent in again."""

    @property
    def anything(self) -> bool:
        """Whether nothing is asked for in particular."""
        return self == Wanted(settled=self.settled)

    def takes(self, filed: Filed) -> bool:
        letter = filed.letter
        return (
            (not self.places or filed.place in self.places)
            and (self.settled or bool(self.places) or not filed.settled)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (not self.organisations or letter.topic.rpartition(".")[2] in self.organisations)
            and letter.ingested >= self.since_ms
            and (not self.sensors or sensor_of(letter.raw) in self.sensors)
        )


class Drawer:
    """The dead letters from the topic's beginning to its end as it is when this is entered.

    What is rejected anew while they are gone through comes after that end: nothing that is sent
    in again is met twice.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic(NAME)
        self._settled: dict[str, Place] = {}
        self.unreadable = 0
        """Records that no worker of ours wrote."""

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(**for_aiokafka(self._settings), enable_auto_commit=False)
        try:
            await self._consumer.start()
            await self._look_through()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def _look_through(self) -> None:
        if self._topic not in await self._consumer.topics():
            raise FailedError(f"there is no topic {self._topic}: `sightline topics` makes it")
        self._ends: dict[TopicPartition, int] = await ends_of(self._consumer, [self._topic])
        self._consumer.assign(list(self._ends))
        async for place, key, value in self._records():
            if value is None:
                self._settled[key] = place

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._consumer.stop()

    async def letters(self, wanted: Wanted) -> AsyncGenerator[Filed, None]:
        """Those that are wanted, oldest first within a partition."""
        self.unreadable = 0
        async for place, key, value in self._records():
            if value is None:
                continue
            try:
                letter = decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.unreadable += 1
                continue
            filed = Filed(place, key, letter, self.settled(key, place))
            if wanted.takes(filed):
                yield filed

    def settled(self, key: str, place: Place | None) -> bool:
        """Whether the letter of this key at this place was sent in again; any, without a place."""
        mark = self._settled.get(key)
        return mark is not None and (place is None or place < mark)

    async def _records(self) -> AsyncGenerator[tuple[Place, str, bytes | None], None]:
        consumer = self._consumer
        await consumer.seek_to_beginning(*self._ends)
        open_ = {tp: end for tp, end in self._ends.items() if end > 0}
        while open_:
            for tp, end in list(open_.items()):
                if await consumer.position(tp) >= end:
                    del open_[tp]
            if not open_:
                return
            for tp, records in (await consumer.getmany(*open_, timeout_ms=500)).items():
                for record in records:
                    if record.offset < open_[tp]:
                        key = (record.key or b"").decode("utf-8", "replace")
                        yield Place(tp.partition, record.offset), key, record.value
