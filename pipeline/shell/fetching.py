"""Fetched records handed over by the hundred, as they were read.

aiokafka hands records on one by one, through a generator, each copied to add its topic's name:
that takes twice as long as reading them does. Here as many as are asked for are taken from a Kafka
batch at once.

It also asks again as soon as it has handed on what came. Where records come all the time it gets a
handful at each turn then, and each turn costs. So as long as they do, the broker may wait a moment
for more.

And it has one request at a time on its way to a broker. One that is made while records of all busy
partitions wait to be taken asks for the quiet ones alone: if the broker may wait for these as long
as it likes, the busy ones stand still meanwhile, with nothing to be taken. So it may not.

Overridden, and read in aiokafka 0.14 (a test holds that they are still what they were), in
`aiokafka.consumer.fetcher`:

    PartitionRecords                `chunk` beside `__next__`, for who asks for more than one record
    FetchResult.getall              chunks instead of single records
    Fetcher._proc_fetch_request     notes when records came
    Fetcher._get_actions_per_node   says how long the broker may wait, and for how much
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from math import inf
from time import monotonic
from typing import Any

from aiokafka.consumer import consumer, fetcher
from aiokafka.errors import CorruptRecordException

from pipeline.shell.unpack import MAX_BATCH_BYTES


class ChunkedRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """What one fetch brought from one partition. Of transactions, only their markers are left out:
    none of ours reads committed ones alone.
    """

    next_fetch_offset: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batch: Any = None
        self._left: Iterator[Any] = iter(())

    @property
    def unpacked(self) -> int:
        """Bytes that compressed batches came to, so far."""
        return getattr(self._records, "unpacked", 0)

    def chunk(self, most: int | None = None) -> list[Any]:
        """The next records, at most so many; none are left if there are none."""
        # It refers back to this, which would keep the fetched bytes until the collector comes.
        self._records_iterator = None
        while self._batch is not None or self._next_batch():
            batch = self._batch
            found = list(islice(self._left, most))
            if most is None or len(found) < most:
                self._batch = None  # it must not be asked for more: it would begin anew
            if found and found[0].offset < self.next_fetch_offset:
                # A fetch begins with the batch that holds its offset.
                found = [record for record in found if record.offset >= self.next_fetch_offset]
            if self._batch is None:
                # It keeps its last offset if the records there were compacted away.
                self.next_fetch_offset = batch.next_offset
            elif found:
                self.next_fetch_offset = found[-1].offset + 1
            if found:
                return found
        return []

    def _next_batch(self) -> bool:
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not batch.is_control_batch:
                # `chain`: a batch gives an iterator once only, and `islice` asks each time.
                self._batch, self._left = batch, chain(batch)
                return True
            self.next_fetch_offset = batch.next_offset
        return False


class ChunkedResult(fetcher.FetchResult):  # type: ignore[misc]
    """The same, as its consumer takes it."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        """The next records, at most so many: `offset`, `timestamp`, `key`, `value`, `headers`.

        Fewer, where they unpack to more than one batch may: the rest is for the next time.
        """
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        records = self._partition_records
        found: list[Any] = []
        enough = records.unpacked + MAX_BATCH_BYTES
        while (max_records is None or len(found) < max_records) and records.unpacked <= enough:
            chunk = records.chunk(None if max_records is None else max_records - len(found))
            if not chunk:
                self._update_position()
                self._partition_records = None
                return found
            found += chunk
        self._update_position()
        return found


HURRY_S = 0.01
"""Records that come at shorter intervals come all the time …"""
PAUSE_S = 0.1
"""… until for so long none came."""
GATHER_MS = 40
"""How long the broker may wait meanwhile …"""
GATHER_BYTES = 1024 * 1024
"""… if there are not so many before."""


class GatheringFetcher(fetcher.Fetcher):  # type: ignore[misc]
    """The same, in larger helpings where much comes: who waits for one record waits no longer. Nor
    does anybody wait for a quiet partition.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begin()

    def _begin(self) -> None:
        self._fetch_min_bytes: int
        self._fetch_max_wait_ms: int
        self._unhurried = self._fetch_min_bytes, self._fetch_max_wait_ms
        self._gathers = False
        self._came_at = -inf

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        came: bool = await super()._proc_fetch_request(assignment, node_id, request)
        now = monotonic()
        if came:
            since = now - self._came_at
            self._gathers = since < (PAUSE_S if self._gathers else HURRY_S)
            self._came_at = now
        return came

    def _get_actions_per_node(self, assignment: Any) -> Any:
        gathers = self._gathers and monotonic() - self._came_at < PAUSE_S
        least, wait = (GATHER_BYTES, GATHER_MS) if gathers else self._unhurried
        if self._records:
            wait = min(wait, GATHER_MS)
        self._fetch_min_bytes, self._fetch_max_wait_ms = least, wait
        return super()._get_actions_per_node(assignment)


def install() -> None:
    """From now on every consumer of this process that is started takes records by chunks."""
    fetcher.PartitionRecords = ChunkedRecords
    fetcher.FetchResult = ChunkedResult
    consumer.Fetcher = GatheringFetcher
