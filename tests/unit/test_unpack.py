"""Batches unpack to what they were, or to no more than they may."""

from __future__ import annotations

import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.shell import unpack
from pipeline.shell.unpack import HEADER, UnpackingRecords, bounded, refused

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
Record = tuple[int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]


def batch(codec: int, values: list[bytes], base_offset: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=False, producer_id=-1,
        producer_epoch=-1, base_sequence=-1, batch_size=1 << 30,
    )  # fmt: skip
    for n, value in enumerate(values):
        builder.append(n, 1000 + n, b"k%d" % n if n % 2 else None, value, [("h", value[:3])])
    made = bytearray(builder.build())
    made[:8] = base_offset.to_bytes(8, "big")  # as the broker does: it is not in the checksum
    return bytes(made)


def read(raw: bytes) -> list[Record]:
    return read_all(MemoryRecords(raw))


def read_all(records: Any) -> list[Record]:
    found: list[Record] = []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        for r in one:
            found.append((r.offset, r.timestamp, r.key, r.value, tuple(r.headers)))
        if found:
            assert one.next_offset == found[-1][0] + 1
    return found


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_what_was_packed_is_read(codec: int, size: int) -> None:
    values = [
        random.Random(1).randbytes(min(size, 100_000)) * (size // 100_000 or 1),
        b"",
        b"x" * size,
    ]
    raw = batch(codec, values, 7) + batch(0, [b"plain"], 10) + batch(codec, [b"last"], 11)
    assert bounded(raw) != raw
    assert read(bounded(raw)) == read(raw)
    assert [record[0] for record in read(bounded(raw))] == [7, 8, 9, 10, 11]


def test_what_is_not_packed_is_not_touched() -> None:
    raw = batch(0, [b"a", b"b"])
    assert bounded(raw) is raw
    assert bounded(b"") == b""


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
def test_a_batch_that_holds_too_much_is_one_record_that_says_so(codec: int) -> None:
    bomb = batch(codec, [b"a", b"\0" * 5_000_000, b"c"], 20)
    raw = batch(codec, [b"before"], 19) + bomb + batch(codec, [b"after"], 23)
    before, stands, after = read(bounded(raw, 4_000_000))
    assert (before[3], after[3]) == (b"before", b"after")
    offset, _, key, value, headers = stands
    assert (offset, key, value) == (22, None, b"")  # the last of it: reading goes on after it
    assert "a batch of 3 messages" in (refused(headers) or "")
    assert [record[0] for record in read(bounded(raw, 5_100_000))] == [19, 20, 21, 22, 23]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
def test_no_more_is_unpacked_than_may_be(codec: int) -> None:
    bomb = batch(codec, [b"\0" * 60_000_000])
    tracemalloc.start()
    bounded(bomb, 1_000_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8_000_000 + 2 * len(bomb)


def test_a_fetch_of_many_batches_is_unpacked_one_by_one() -> None:
    bomb = batch(4, [b"\0" * 5_000_000])
    raw = b"".join(n.to_bytes(8, "big") + bomb[8:] for n in range(100))
    tracemalloc.start()
    records = UnpackingRecords(raw)
    for n in range(100):
        assert records.unpacked <= (n + 1) * 5_100_000  # none before it is its turn
        one = records.next_batch()
        assert [record.offset for record in one] == [n]
        del one
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert records.next_batch() is None
    assert most < 60_000_000  # of the 500 MB that they are all together


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.lists(st.binary(max_size=40), min_size=1, max_size=4))
    ),
    st.integers(0, 60),
)
@settings(max_examples=150)
def test_one_by_one_is_what_it_is_all_at_once(
    packed: list[tuple[int, list[bytes]]], cut: int
) -> None:
    """A fetch may end in the midst of a batch."""
    raw, offset = b"", 0
    for codec, values in packed:
        raw += batch(codec, values, offset)
        offset += len(values)
    raw = raw[: max(len(raw) - cut, 0)]
    assert read_all(UnpackingRecords(raw)) == read(bounded(raw)) == read(raw)
    assert UnpackingRecords(raw).size_in_bytes() == len(raw)


def test_threads_do_not_unpack_into_one_another_s_room() -> None:
    batches = [batch(codec, [bytes([n]) * 1_500_000]) for n in range(8) for codec in (3, 4)]
    expected = [read(raw) for raw in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert [read(raw) for raw in pool.map(bounded, batches)] == expected


def test_many_members_of_gzip_are_bounded_together() -> None:
    assert unpack._gzip(b"".join([_member(b"ab"), _member(b"c")]), 3) == b"abc"
    with pytest.raises(unpack._TooLargeError):
        unpack._gzip(_member(b"\0" * 1000) * 100, 50_000)
    with pytest.raises(unpack._TooLargeError):
        unpack._gzip(_member(b"abc")[:-9], 100)


def _member(data: bytes) -> bytes:
    import gzip

    return gzip.compress(data)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_the_bytes_are_it_returns(data: st.DataObject) -> None:
    raw = bytearray(batch(data.draw(st.integers(0, 4)), [b"abc" * 50, b"d"]))
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    bounded(bytes(raw[:cut]), 1000)
    bounded(data.draw(st.binary(max_size=100)), 1000)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ((), None),
        ((("h", b"1"),), None),
        (((HEADER, b"12"),), "12 messages"),
        (((HEADER, None),), "? messages"),
        (((HEADER, b"\x1b[31m"),), "? messages"),
        (((HEADER, b"9" * 1000),), "? messages"),
    ],
)
def test_a_forged_header_refuses_only_its_own(
    headers: tuple[tuple[str, bytes | None], ...], says: str | None
) -> None:
    said = refused(headers)
    assert (said is None) == (says is None)
    assert says is None or says in (said or "")


def test_the_ground_it_stands_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka reads what it fetched by this name, and by no other."""
    import inspect

    source = inspect.getsource(fetcher.Fetcher)
    assert source.count("MemoryRecords(") == 1
    assert "records = MemoryRecords(part_data[-1])" in source
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    unpack.install()
    assert fetcher.MemoryRecords is unpack._records
