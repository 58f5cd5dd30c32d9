"""The read store: SQLite, built from the topics `alerts`, `campaigns` and `labels`.

It holds the newest revision of each, and how far it has read, in one transaction: after a crash it
goes on where it was, and without its file it is built anew. One writes, any number read.

A row keeps the number that it got when it first came, so that pages stay where they are while rows
change. Its `revision` rises with every change and is a time, too: the broker's of the record, in
µs, or a little later so that no two are the same. Built anew, a store gives a change no lesser
revision than before: who has seen all up to one of them misses nothing by asking for what is after.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Final, Literal

import msgspec

from pipeline.campaign import label as labels
from pipeline.campaign.label import Label
from pipeline.shell.serve.bitmaps import bitmap_of, newest_first, rows_with
from pipeline.shell.serve.rows import SCHEMA, VERSION, Kind, Page, Row, label_of
from pipeline.shell.serve.writer import Writer
from pipeline.view import facet
from pipeline.view.facet import ALL, SEVERITIES, SURPRISES, Wanted

Order = Literal["severity", "surprise", "newest"]
MOST_ON_A_PAGE: Final = 500
MOST_BY_TEXT: Final = 2_000
_SYNC = "PRAGMA synchronous = NORMAL"  # after a power cut it reads a little again
_ORDERS: Mapping[Order, tuple[tuple[str, ...], ...]] = {
    "severity": tuple((facet.facet("severity", one),) for one in SEVERITIES),
    "surprise": tuple((facet.facet("surprise", one),) for one in SURPRISES),
    "newest": ((ALL,),),
}


class Store:
    """A read store in the file `path`, made for topics and sectors that `made_for` names."""

    def __init__(
        self,
        path: Path,
        sectors: Mapping[str, str] | None = None,
        made_for: str = "",
        exercise: str = "",
    ) -> None:
        """`exercise`: whose lane it is of; what is of another is not taken."""
        self.path = path
        self._made_for = msgspec.json.encode([made_for, sorted((sectors or {}).items())]).decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._readers: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._connection = self._open()
        self._writer = Writer(self._connection, dict(sectors or {}), exercise)
        self.positions = self._writer.positions
        self.apply = self._writer.apply
        self.emptied = 0
        """How often, so that who follows it begins anew."""

    def forget(self) -> None:
        """All that was read; revisions go on rising."""
        self._writer.forget()
        self.emptied += 1

    @property
    def revision(self) -> int:
        """The newest one."""
        return self._writer.revision

    @property
    def not_ours(self) -> int:
        """Records that nobody of ours wrote."""
        return self._writer.not_ours

    def _open(self) -> sqlite3.Connection:
        found = self._connect()
        try:
            made_for = found.execute("SELECT what FROM made_for").fetchone()
            version = found.execute("PRAGMA user_version").fetchone()[0]
            if version == VERSION and made_for == (self._made_for,):
                found.execute(_SYNC)
                return found
        except sqlite3.DatabaseError:
            pass  # empty, of another version, or damaged: what it held is on the topics
        found.close()
        self.remove()
        # Nobody else's to read: SQLite gives the files beside it the same rights.
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        found = self._connect()
        found.execute("PRAGMA journal_mode = WAL")
        found.execute(_SYNC)
        found.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION};")
        found.execute("INSERT INTO made_for VALUES (?)", (self._made_for,))
        found.execute("COMMIT")
        return found

    def remove(self) -> None:
        """The file, so that who opens it next makes it anew."""
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)

    def close(self) -> None:
        self._connection.close()
        while True:
            try:
                self._readers.get_nowait().close()
            except Empty:
                return

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, to one state of the store."""
        try:
            found = self._readers.get_nowait()
        except Empty:
            found = self._connect()
            found.execute("PRAGMA query_only = ON")
        try:
            found.execute("BEGIN")
            yield found
        finally:
            found.execute("ROLLBACK")
            self._readers.put(found)

    def page(
        self,
        kind: Kind,
        wanted: Wanted | None = None,
        *,
        text: str = "",
        order: Order = "severity",
        after: str | None = None,
        limit: int = 50,
    ) -> Page:
        """Rows that are wanted, in an order, the newer first where it leaves that open.

        `text` is an id, or an indicator's value or how it begins. `after` is a page's `next`; a
        `ValueError` if it is not.
        """
        limit = max(1, min(limit, MOST_ON_A_PAGE))
        group, before = (0, None) if after is None else _position(after)
        with self.reading() as connection:
            found, cut = self._found(connection, kind, wanted or {}, text)
            numbers: list[tuple[int, int]] = []
            for at, facets in enumerate(_ORDERS[order]):
                if at < group or len(numbers) > limit:
                    continue
                inside = found & rows_with(connection, kind, facets)
                for number in newest_first(inside, before if at == group else None):
                    numbers.append((at, number))
                    if len(numbers) > limit:
                        break
            rows = tuple(self._row(connection, kind, number) for _, number in numbers[:limit])
            (revision,) = connection.execute(f"SELECT max(revision) FROM {kind}").fetchone()  # noqa: S608
        more = len(numbers) > limit
        following = "{}.{}".format(*numbers[limit - 1]) if more else None
        return Page(rows, found.bit_count(), following, revision or 0, cut)

    def _found(
        self, connection: sqlite3.Connection, kind: Kind, wanted: Wanted, text: str
    ) -> tuple[int, bool]:
        found, cut = rows_with(connection, kind, (ALL,)), False
        for dimension, values in wanted.items():
            found &= rows_with(connection, kind, (facet.facet(dimension, one) for one in values))
        if text:
            numbers = _by_text(connection, kind, text)
            cut = len(numbers) >= MOST_BY_TEXT
            found &= bitmap_of(numbers)
        return found, cut

    def counts(self, kind: Kind) -> dict[str, int]:
        """How many rows have each facet that there is."""
        with self.reading() as connection:
            return dict(
                connection.execute("SELECT name, rows FROM facet WHERE kind = ? AND rows", (kind,))
            )

    def get(self, kind: Kind, identity: str) -> Row | None:
        """One row by its id; None if there is none, or none any more."""
        with self.reading() as connection:
            found = connection.execute(
                f"SELECT number FROM {kind} WHERE id = ? AND body IS NOT NULL",  # noqa: S608
                (identity,),
            ).fetchone()
            return self._row(connection, kind, found[0]) if found else None

    def holding(self, kind: Kind, of_type: str, value: str, limit: int = 100) -> list[Row]:
        """The newest rows that an indicator is in."""
        with self.reading() as connection:
            found = connection.execute(
                f"SELECT number FROM {kind}_indicator WHERE value = ? AND type = ? "  # noqa: S608
                "ORDER BY number DESC LIMIT ?",
                (value, of_type, limit),
            )
            return [self._row(connection, kind, number) for (number,) in found.fetchall()]

    def changes(self, kind: Kind, after: int, limit: int = MOST_ON_A_PAGE) -> list[Row]:
        """The rows that changed after a revision, the earliest change first, those gone as well."""
        with self.reading() as connection:
            found = connection.execute(
                f"SELECT number FROM {kind} WHERE revision > ? ORDER BY revision LIMIT ?",  # noqa: S608
                (after, limit),
            )
            return [self._row(connection, kind, number) for (number,) in found.fetchall()]

    def labels_of(self, identity: str) -> list[Label]:
        """What was said of an alert or a campaign, the latest first."""
        with self.reading() as connection:
            found = connection.execute(
                "SELECT body FROM label WHERE id = ? ORDER BY at DESC, person DESC LIMIT 100",
                (identity,),
            )
            return [labels.decode(body) for (body,) in found]

    def _row(self, connection: sqlite3.Connection, kind: Kind, number: int) -> Row:
        identity, revision, body, packed = connection.execute(
            f"SELECT id, revision, body, facets FROM {kind} WHERE number = ?",  # noqa: S608
            (number,),
        ).fetchone()
        facets = frozenset(self._writer.names[one] for one in array("I", packed))
        return Row(kind, number, identity, revision, body, facets, label_of(connection, identity))


def _by_text(connection: sqlite3.Connection, kind: Kind, text: str) -> Sequence[int]:
    found = [
        number
        for (number,) in connection.execute(
            f"SELECT number FROM {kind} WHERE id = ?",  # noqa: S608
            (text,),
        )
    ]
    # Texts are compared by their bytes in UTF-8: no character's begin with 0xFF.
    return found + [
        number
        for (number,) in connection.execute(
            f"SELECT number FROM {kind}_indicator WHERE value >= ? AND value < ? LIMIT ?",  # noqa: S608
            (text, text + "\U0010ffff", MOST_BY_TEXT),
        )
    ]


def _position(after: str) -> tuple[int, int]:
    group, _, number = after.partition(".")
    if not (group.isdecimal() and number.isdecimal() and len(after) <= 24):
        raise ValueError("after: not what a page's next said")
    return int(group), int(number)
