"""What is taken by the hundred is what aiokafka hands on one by one."""

from __future__ import annotations

import gc
import hashlib
import inspect
import weakref
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shell import fetching
from pipeline.shell.fetching import (
    GATHER_BYTES,
    GATHER_MS,
    ChunkedRecords,
    ChunkedResult,
    GatheringFetcher,
)
from pipeline.shell.unpack import UnpackingRecords

TP = TopicPartition("events", 0)
# As in test_transport: where one differs, read aiokafka's code again first.
READ = {
    "PartitionRecords": "94aa0da0dbec8d1b",
    "FetchResult": "d7db13f06de8248c",
    "Fetcher._proc_fetch_request": "59bf948fff47eed5",
    "Fetcher._get_actions_per_node": "1dab2cf937d165d0",
}


@pytest.mark.parametrize("name", READ)
def test_what_is_overridden_is_as_it_was_read(name: str) -> None:
    source = inspect.getsource(attrgetter(name)(fetcher))
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == READ[name]


def batch(base: int, count: int, gap: int, *, control: bool = False) -> bytes:
    """A Kafka batch of `count` records; `gap` offsets after them are its own, but empty."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for n in range(count):
        headers = [("name", b"said")] if n % 2 else []
        builder.append(n, 1000 + n, None if n % 3 else b"k", None if n % 5 == 4 else b"v%d" % n, headers)  # fmt: skip
    made = bytearray(builder.build())
    made[:8] = base.to_bytes(8, "big")
    if control:
        made[22] |= 0x20
    made[23:27] = (count - 1 + gap).to_bytes(4, "big")  # last offset delta
    made[17:21] = calc_crc32c(bytes(made[21:])).to_bytes(4, "big")
    return bytes(made)


class Position:
    """As aiokafka keeps it of a partition that is assigned."""

    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def consumed_to(self, position: int) -> None:
        self.position = position


def fetched(raw: bytes, at: int, records: Any, result: Any) -> tuple[Any, Position]:
    state = Position(at)
    of = records(TP, MemoryRecords(raw), [], at, None, None, True, fetcher.READ_UNCOMMITTED)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    return result(TP, assignment=assignment, partition_records=of, backoff=0), state


def fields(record: Any) -> tuple[Any, ...]:
    return (
        record.offset, record.timestamp, record.timestamp_type, record.key, record.value,
        list(record.headers),
    )  # fmt: skip


batches = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 3), st.booleans()), min_size=1, max_size=5
)


@given(batches, st.integers(0, 30), st.lists(st.none() | st.integers(1, 12), max_size=30))
def test_it_takes_what_aiokafka_takes_one_by_one(
    of: list[tuple[int, int, bool]], at: int, asked: list[int | None]
) -> None:
    raw, base = b"", 0
    for count, gap, control in of:
        raw += batch(base, count, gap, control=control)
        base += count + gap
    at = min(at, of[0][0])  # a fetch begins within its first batch
    theirs, their_position = fetched(raw, at, fetcher.PartitionRecords, fetcher.FetchResult)
    ours, position = fetched(raw, at, ChunkedRecords, ChunkedResult)
    for most in [*asked, None, None]:
        if not ours.has_more():
            break
        assert list(map(fields, ours.getall(most))) == list(map(fields, theirs.getall(most)))
        if not theirs.has_more():
            break
    # It may know that there is no more one call sooner or later, not where to go on.
    assert not ours.has_more() or not ours.getall(None)
    assert position.position == their_position.position


def test_one_by_one_still_works() -> None:
    ours, position = fetched(batch(0, 3, 0), 1, ChunkedRecords, ChunkedResult)
    assert [ours.getone().offset, position.position, ours.getone().offset] == [1, 2, 2]
    assert ours.getone() is None


def test_a_broken_batch_is_said() -> None:
    raw = bytearray(batch(0, 3, 0))
    raw[-1] ^= 1
    ours, _ = fetched(bytes(raw), 0, ChunkedRecords, ChunkedResult)
    with pytest.raises(CorruptRecordException):
        ours.getall(10)


def test_no_more_is_taken_at_once_than_one_batch_may_unpack_to() -> None:
    builder = DefaultRecordBatchBuilder(2, 4, 0, -1, -1, -1, 1 << 30)
    builder.append(0, 1000, None, b"\0" * (20 << 20), [])
    bomb = bytes(builder.build())
    raw = b"".join(n.to_bytes(8, "big") + bomb[8:] for n in range(5))
    state = Position(0)
    of = ChunkedRecords(
        TP, UnpackingRecords(raw), [], 0, None, None, True, fetcher.READ_UNCOMMITTED
    )
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    ours = ChunkedResult(TP, assignment=assignment, partition_records=of, backoff=0)
    taken = []
    while ours.has_more():
        taken.append([record.offset for record in ours.getall(None)])
    assert [offset for some in taken for offset in some] == [0, 1, 2, 3, 4]
    assert state.position == 5
    assert max(map(len, taken)) <= 2


def test_what_is_not_ours_any_more_is_not_handed_on() -> None:
    ours, position = fetched(batch(0, 3, 0), 0, ChunkedRecords, ChunkedResult)
    position.consumed_to(7)  # somebody sought
    assert ours.getall(10) == []
    assert not ours.has_more()


def test_the_fetched_bytes_go_with_the_last_record() -> None:
    """They did not: a generator that nobody had begun held a megabyte a fetch."""
    ours, _ = fetched(batch(0, 3, 0), 0, ChunkedRecords, ChunkedResult)
    records = weakref.ref(ours._partition_records)
    gc.disable()
    try:
        assert len(ours.getall(2)) == 2
        assert records() is not None
        assert len(ours.getall(2)) == 1
        assert records() is None
    finally:
        gc.enable()


class Asked(GatheringFetcher):
    """One whose base neither asks a broker nor has one: `answers` says whether records came."""

    def __init__(self) -> None:
        self._fetch_min_bytes, self._fetch_max_wait_ms = 1, 500
        self._records: dict[TopicPartition, object] = {}
        self._begin()

    async def turn(self, came: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
        """What the broker may wait for, bytes and ms, after an answer."""

        async def answer(*_: object) -> bool:
            return came

        monkeypatch.setattr(fetcher.Fetcher, "_proc_fetch_request", answer)
        monkeypatch.setattr(fetcher.Fetcher, "_get_actions_per_node", lambda *_: None)
        assert await self._proc_fetch_request(None, 0, None) is came
        self._get_actions_per_node(None)
        return self._fetch_min_bytes, self._fetch_max_wait_ms


async def test_the_broker_gathers_while_records_come_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(fetching, "monotonic", lambda: now[0])
    at_once, gathering = (1, 500), (GATHER_BYTES, GATHER_MS)
    asked = Asked()
    assert await asked.turn(False, monkeypatch) == at_once
    assert await asked.turn(True, monkeypatch) == at_once  # one alone is waited for by nobody
    now[0] += 0.02
    assert await asked.turn(True, monkeypatch) == at_once  # nor are some now and then
    now[0] += 0.005
    assert await asked.turn(True, monkeypatch) == gathering
    now[0] += 0.04
    assert await asked.turn(False, monkeypatch) == gathering
    now[0] += 0.04
    assert await asked.turn(True, monkeypatch) == gathering
    now[0] += 0.11
    assert await asked.turn(False, monkeypatch) == at_once
    assert await asked.turn(True, monkeypatch) == at_once


async def test_a_quiet_partition_is_not_waited_for_while_others_have_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is one request at a time: those whose records are taken meanwhile would stand still."""
    asked = Asked()
    assert await asked.turn(True, monkeypatch) == (1, 500)
    asked._records[TP] = "not taken yet"
    assert await asked.turn(False, monkeypatch) == (1, GATHER_MS)
    del asked._records[TP]
    assert await asked.turn(False, monkeypatch) == (1, 500)
