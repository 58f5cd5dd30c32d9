"""A bound on what a fetched batch may unpack to, before it is unpacked.

A producer packs its records in a batch, and 9 kB of zstd hold 300 MB of zeros: aiokafka would
unpack whatever a batch holds, and whoever may write to one topic could end every worker. Here
compressed batches are unpacked first, into at most `MAX_BATCH_BYTES`, and handed on as plain ones.
In place of one that holds more stands a single record that says so. One fetch brings hundreds of
small batches, each of which may be so large: they are unpacked one by one, as they are read.

Overridden, and read in aiokafka 0.14 (a test holds that it is still what it was): `MemoryRecords`
in `aiokafka.consumer.fetcher`, which is what every consumer reads fetched bytes with.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cramjam
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

MAX_BATCH_BYTES = 32 << 20
"""Eight of the largest messages. Producers fill a batch by its size before it is compressed, and
none of the usual ones lets it grow beyond a few MB."""

HEADER = "sightline-batch-too-large"
"""The header of the record that stands for a batch: the number of its records, in digits."""

# base offset, length; then, from the checksum on: crc, attributes, last offset delta, base and
# greatest timestamp, producer's id, epoch and sequence, number of records.
_FRAME = struct.Struct(">qi")
_HEAD = struct.Struct(">IhiqqqhiI")
_CRC_AT = 17
_RECORDS_AT = _CRC_AT + _HEAD.size
_MAGIC_AT = 16
_ATTRIBUTES_AT = _CRC_AT + 5  # the lower of two bytes
_CODEC = 0b111
_XERIAL = b"\x82SNAPPY\x00"
_FIRST_TRY = 2 << 20


class _Room(threading.local):
    """Where lz4 and zstd unpack to. Each thread's own: they let the interpreter go meanwhile, and
    a process may have consumers in several threads.
    """

    def __init__(self) -> None:
        self.first = bytearray(_FIRST_TRY)


_room = _Room()


class _TooLargeError(Exception):
    pass


def install() -> None:
    """From now on every consumer of this process reads batches through `bounded`."""
    fetcher.MemoryRecords = _records


def _records(raw: bytes) -> MemoryRecords | UnpackingRecords:
    # What nothing is packed in is aiokafka's to read: that is the bulk, and is faster.
    return (
        UnpackingRecords(raw)
        if any(map(_is_packed, _batches(memoryview(raw))))
        else MemoryRecords(raw)
    )


class UnpackingRecords:
    """`MemoryRecords` of fetched bytes, each batch unpacked when the one before it is handed on."""

    def __init__(self, raw: bytes, most: int = MAX_BATCH_BYTES) -> None:
        self._size = len(raw)
        self._most = most
        self._pieces = _batches(memoryview(raw))
        self.unpacked = 0
        """Bytes that batches came to, so far."""
        self._piece: Any = None
        self._next_piece()

    def _next_piece(self) -> None:
        self._piece = None
        for piece in self._pieces:
            plain = bounded(bytes(piece), self._most)
            self.unpacked += len(plain)
            records = MemoryRecords(plain)
            if records.has_next():
                self._piece = records
                return

    def size_in_bytes(self) -> int:
        """Of what was fetched."""
        return self._size

    def has_next(self) -> bool:
        """Whether there is another batch."""
        return self._piece is not None

    def next_batch(self) -> Any:
        """The next batch, if there is one."""
        if self._piece is None:
            return None
        batch = self._piece.next_batch()
        self._next_piece()
        return batch


def refused(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """What is to be said of a record that stands for a batch; None for any other. A sensor that
    writes such a header itself has that message refused.
    """
    for name, value in headers:
        if name == HEADER:
            many = value.decode() if value and value.isdigit() and len(value) < 11 else "?"
            return f"a batch of {many} messages; it unpacks to over {MAX_BATCH_BYTES} bytes"
    return None


def bounded(raw: bytes, most: int = MAX_BATCH_BYTES) -> bytes:
    """Fetched bytes with every compressed batch of format 2 unpacked to at most so many bytes, or
    replaced. Whatever else is in them stays as it is, for aiokafka to say what is wrong.
    """
    whole = memoryview(raw)
    parts: list[bytes | memoryview] = []
    changed = False
    for batch in _batches(whole):
        part = _plain(batch, most) if _is_packed(batch) else None
        changed = changed or part is not None
        parts.append(batch if part is None else part)
    return b"".join(parts) if changed else raw


def _is_packed(batch: memoryview) -> bool:
    return (
        len(batch) >= _RECORDS_AT
        and batch[_MAGIC_AT] == 2
        and batch[_ATTRIBUTES_AT] & _CODEC in _UNPACK
    )


def _batches(whole: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(whole):
        end = len(whole)
        if at + _FRAME.size <= end:
            _, length = _FRAME.unpack_from(whole, at)
            if 0 <= length <= end - at - _FRAME.size:
                end = at + _FRAME.size + length
        yield whole[at:end]
        at = end


def _plain(batch: memoryview, most: int) -> bytes | None:
    """The same batch uncompressed, or what stands for it; None where it is to stay as it is."""
    crc, attributes, last_delta, base_time, *rest, count = _HEAD.unpack_from(batch, _CRC_AT)
    codec = attributes & _CODEC
    if crc != calc_crc32c(batch[_CRC_AT + 4 :]):
        return None
    try:
        records = _UNPACK[codec](bytes(batch[_RECORDS_AT:]), most)
    except (_TooLargeError, cramjam.DecompressionError, zlib.error, struct.error):
        # The broker has looked at what it holds: if it cannot be unpacked, that is for its size.
        records, count = _standing_for(count, last_delta, base_time), 1
    head = _HEAD.pack(0, attributes & ~_CODEC, last_delta, base_time, *rest, count)[4:]
    body = head + records
    base_offset, _ = _FRAME.unpack_from(batch)
    length = _CRC_AT - _FRAME.size + 4 + len(body)
    crc = calc_crc32c(body)
    start = _FRAME.pack(base_offset, length) + bytes(batch[_FRAME.size : _CRC_AT])
    return start + struct.pack(">I", crc) + body


def _standing_for(count: int, last_delta: int, time: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=False, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 16,
    )  # fmt: skip
    builder.append(last_delta, time, None, b"", [(HEADER, b"%d" % count)])
    return bytes(builder.build())[_RECORDS_AT:]


def _gzip(packed: bytes, most: int) -> bytes:
    parts: list[bytes] = []
    while packed:  # a member after the other
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        parts.append(member.decompress(packed, most + 1))
        most -= len(parts[-1])
        if most < 0 or not member.eof:
            raise _TooLargeError
        packed = member.unused_data
    return b"".join(parts)


def _snappy(packed: bytes, most: int) -> bytes:
    blocks = list(_xerial_blocks(packed)) if packed.startswith(_XERIAL) else [packed]
    # Each says its size, and is refused if it says it wrong.
    if sum(map(cramjam.snappy.decompress_raw_len, blocks)) > most:
        raise _TooLargeError
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _xerial_blocks(packed: bytes) -> Iterator[bytes]:
    at = 16
    while at < len(packed):
        (size,) = struct.unpack_from(">I", packed, at)
        yield packed[at + 4 : at + 4 + size]
        at += 4 + size


def _into(unpack_into: Callable[[bytes, bytearray], int]) -> Callable[[bytes, int], bytes]:
    def unpack(packed: bytes, most: int) -> bytes:
        try:
            return bytes(memoryview(_room.first)[: unpack_into(packed, _room.first)])
        except cramjam.DecompressionError:
            room = bytearray(most)  # rare: larger than producers make them
            return bytes(memoryview(room)[: unpack_into(packed, room)])

    return unpack


_UNPACK: dict[int, Callable[[bytes, int], bytes]] = {
    1: _gzip,
    2: _snappy,
    3: _into(cramjam.lz4.decompress_into),
    4: _into(cramjam.zstd.decompress_into),
}
