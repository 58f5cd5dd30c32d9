"""Which rows have which facets: bitmaps in SQLite, bit n for row number n.

A filter over any facets is AND and OR over them: at a million rows a bitmap is 125 KB, so what is
asked for costs the same whether it finds all, some or nothing, and its count is exact. They lie in
chunks, so that a change writes 512 bytes a facet, in the transaction of the rows themselves.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

SCHEMA = """
CREATE TABLE facet (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, rows INTEGER NOT NULL,
    UNIQUE (kind, name)
);
CREATE TABLE bitmap (
    facet INTEGER NOT NULL, chunk INTEGER NOT NULL, bits BLOB NOT NULL,
    PRIMARY KEY (facet, chunk)
) WITHOUT ROWID;
"""
CHUNK_BYTES = 512
_CHUNK_BITS = CHUNK_BYTES * 8
READ = "SELECT chunk, bits FROM bitmap WHERE facet = ?"
FIND = "SELECT id FROM facet WHERE kind = ? AND name = ?"


class Changing:
    """What a transaction does to bitmaps: each chunk is read once, and written once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._chunks: dict[tuple[int, int], bytearray] = {}
        self._counts: Counter[int] = Counter()

    def change(self, number: int, before: frozenset[int], after: frozenset[int]) -> None:
        """Row `number` had some facets, and has others now."""
        for facet in after - before:
            self._flip(facet, number)
            self._counts[facet] += 1
        for facet in before - after:
            self._flip(facet, number)
            self._counts[facet] -= 1

    def _flip(self, facet: int, number: int) -> None:
        chunk, bit = divmod(number, _CHUNK_BITS)
        bits = self._chunks.get((facet, chunk))
        if bits is None:
            row = self._connection.execute(
                "SELECT bits FROM bitmap WHERE facet = ? AND chunk = ?", (facet, chunk)
            ).fetchone()
            bits = bytearray(row[0]) if row else bytearray()
            self._chunks[facet, chunk] = bits
        byte, low = divmod(bit, 8)
        if byte >= len(bits):
            bits.extend(bytes(byte + 1 - len(bits)))
        bits[byte] ^= 1 << low

    def write(self) -> None:
        for (facet, chunk), bits in self._chunks.items():
            kept = bytes(bits.rstrip(b"\0"))
            if kept:
                self._connection.execute(
                    "INSERT OR REPLACE INTO bitmap VALUES (?, ?, ?)", (facet, chunk, kept)
                )
            else:
                self._connection.execute(
                    "DELETE FROM bitmap WHERE facet = ? AND chunk = ?", (facet, chunk)
                )
        self._connection.executemany(
            "UPDATE facet SET rows = rows + ? WHERE id = ?",
            ((count, facet) for facet, count in self._counts.items() if count),
        )


def rows_with(connection: sqlite3.Connection, kind: str, names: Iterable[str]) -> int:
    """The rows that have at least one of these facets."""
    found = 0
    for name in names:
        row = connection.execute(FIND, (kind, name)).fetchone()
        if row is not None:
            found |= _bits(connection, row[0])
    return found


def _bits(connection: sqlite3.Connection, facet: int) -> int:
    whole = bytearray()
    for chunk, bits in connection.execute(READ, (facet,)):
        whole.extend(bytes(chunk * CHUNK_BYTES - len(whole)))
        whole += bits
    return int.from_bytes(whole, "little")


def bitmap_of(numbers: Iterable[int]) -> int:
    """The bitmap of some row numbers."""
    whole = bytearray()
    for number in numbers:
        byte, low = divmod(number, 8)
        if byte >= len(whole):
            whole.extend(bytes(byte + 1 - len(whole)))
        whole[byte] |= 1 << low
    return int.from_bytes(whole, "little")


def newest_first(bits: int, before: int | None = None) -> Iterator[int]:
    """The row numbers in a bitmap, the greatest first; only those below `before`."""
    if before is not None:
        bits &= (1 << before) - 1
    while bits:
        number = bits.bit_length() - 1
        yield number
        bits ^= 1 << number
