"""Sending dead letters in again, and marking them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable

from aiokafka import AIOKafkaProducer
from msgspec import Struct, field

from pipeline.dead_letter import DeadLetter, headers_of
from pipeline.decode import MAX_MESSAGE_BYTES
from pipeline.resend import ALWAYS_HELD, Held, Judge
from pipeline.shell.letters.reading import NAME, Filed
from pipeline.shell.security import for_aiokafka
from pipeline.shell.settings import Settings

# What is on its way before its arrival is waited for.
AT_ONCE = 1_000
BYTES_AT_ONCE = 8 << 20
EXAMPLES = 5  # letters that are held back and told one by one, for each reason


class Outcome(Struct):
    """What came of sending letters in again, or of asking what would."""

    sent: int = 0
    twice: int = 0
    """Letters that are there twice, and are sent once."""
    held: Counter[Held] = field(default_factory=Counter)
    examples: dict[Held, list[tuple[Filed, str]]] = field(default_factory=dict)
    """Of each kind some, with what was said of them."""
    more: bool = False
    """Whether the limit left letters that would have gone."""


class Resender:
    """Sends letters to the topics they came from, and marks them; or, dry, only says what it would.

    `insist`: also those that are held back, where that can be sent at all.
    """

    def __init__(self, settings: Settings, judge: Judge, *, insist: bool, dry: bool) -> None:
        self._settings = settings
        self._judge = judge
        self._insist = insist
        self._dry = dry
        self._seen: set[str] = set()
        self.outcome = Outcome()

    async def resend(self, letters: AsyncIterator[Filed], limit: int) -> Outcome:
        """Send at most `limit` of them.

        Stopped in between, some have been sent and are not marked: sent once more they change no
        alert, for an event seen twice is seen once.
        """
        batch: list[Filed] = []
        async for filed in letters:
            if not self._goes(filed):
                continue
            if self.outcome.sent == limit:
                self.outcome.more = True
                break
            self.outcome.sent += 1
            if not self._dry:
                batch.append(filed)
            if len(batch) >= AT_ONCE or sum(len(f.letter.raw) for f in batch) >= BYTES_AT_ONCE:
                await self._send(batch)
                batch.clear()
        if batch:
            await self._send(batch)
        return self.outcome

    def _goes(self, filed: Filed) -> bool:
        outcome = self.outcome
        if filed.key in self._seen:
            outcome.twice += 1
            return False
        self._seen.add(filed.key)
        verdict = self._judge.verdict(filed.letter, settled=filed.settled)
        if verdict.held is None or (self._insist and verdict.held not in ALWAYS_HELD):
            return True
        outcome.held[verdict.held] += 1
        examples = outcome.examples.setdefault(verdict.held, [])
        if len(examples) < EXAMPLES:
            examples.append((filed, verdict.detail))
        return False

    async def _send(self, letters: Iterable[Filed]) -> None:
        producer = AIOKafkaProducer(
            **for_aiokafka(self._settings),
            acks="all",
            linger_ms=5,
            max_request_size=MAX_MESSAGE_BYTES + 64 * 1024,
        )
        try:
            await producer.start()
            arriving = [await self._send_one(producer, filed.letter) for filed in letters]
            for arrival in arriving:
                await arrival
            # Marked when it has arrived, not before: the other way round one could be lost.
            marks = [await self._mark(producer, filed) for filed in letters]
            for mark in marks:
                await mark
        finally:
            await producer.stop()

    async def _send_one(self, producer: AIOKafkaProducer, letter: DeadLetter) -> Awaitable[object]:
        there = await producer.partitions_for(letter.topic)
        return await producer.send(  # type: ignore[no-any-return]
            letter.topic,
            letter.raw,
            # The same partition: its latest event says what is too late.
            partition=letter.partition if letter.partition in there else None,
            headers=headers_of(letter),
        )

    async def _mark(self, producer: AIOKafkaProducer, filed: Filed) -> Awaitable[object]:
        return await producer.send(  # type: ignore[no-any-return]
            self._settings.topic(NAME),
            None,
            key=filed.key.encode(),
            partition=filed.place.partition if filed.place else None,
        )
