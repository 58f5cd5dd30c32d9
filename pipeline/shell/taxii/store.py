"""The objects of TAXII's collections, in SQLite.

A date added is never given twice in a collection, and a later one is never seen before an earlier
one: writers take turns, and each begins after what is there. So who has everything up to a date
misses nothing by asking for what came after it, whichever process answers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.share.stix_version import succession
from pipeline.shell.taxii.query import Query, micros, timestamp, token

MOST_VERSIONS = 32
"""Versions of one object that are kept; the oldest go."""
PAGE_BYTES = 32 << 20
"""A page ends sooner than it was asked to when it comes to so much."""

_TABLES = """
CREATE TABLE IF NOT EXISTS taxii_collection (
    id TEXT PRIMARY KEY, latest INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taxii_object (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL, added INTEGER NOT NULL,
    id TEXT NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL,
    object BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS taxii_view (
    collection TEXT NOT NULL, id TEXT NOT NULL, view BLOB NOT NULL, objects BLOB NOT NULL,
    PRIMARY KEY (collection, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS taxii_added ON taxii_object (collection, added);
CREATE UNIQUE INDEX IF NOT EXISTS taxii_version ON taxii_object (collection, id, version);
"""
Object = dict[str, Any]
_IS = {
    "first": "NOT EXISTS (SELECT 1 FROM taxii_object e WHERE e.collection = o.collection "
    "AND e.id = o.id AND e.version < o.version)",
    "last": "NOT EXISTS (SELECT 1 FROM taxii_object e WHERE e.collection = o.collection "
    "AND e.id = o.id AND e.version > o.version)",
    "all": "1",
}


class Row(Struct, frozen=True):
    """One version of an object. Times in µs since the epoch."""

    added: int
    id: str
    version: int
    object: bytes
    """As JSON."""


class Page(Struct, frozen=True):
    """Rows in order of their dates added, and where the next page begins, if there is one."""

    rows: list[Row]
    next: str | None


class TaxiiStore:
    """Opened by each process for itself, and by each thread anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as db:
            yield db

    def put(self, collection: str, objects: Iterable[Object], now: int) -> int:
        """Add the versions that are not there yet; how many. `now` in µs since the epoch.

        Nothing that was given out is changed: what comes again under a version that is there is
        passed over, unless it has no versions of its own, as observables have not.
        """
        with self._writing() as db:
            return _put(db, collection, objects, now)

    def publish(
        self, collection: str, identity: str, view: bytes, objects: Sequence[Object], now: int
    ) -> int:
        """Let what is told of a campaign be `view`, and its objects these: as `put`, but that they
        follow on those that were there, and what of them is no more is revoked.
        """
        with self._writing() as db:
            found = db.execute(
                "SELECT objects FROM taxii_view WHERE collection = ? AND id = ?",
                (collection, identity),
            ).fetchone()
            names = dict.fromkeys(msgspec.json.decode(found[0], type=list[str]) if found else ())
            names |= dict.fromkeys(str(one["id"]) for one in objects)
            before = [one for name in names if (one := _newest(db, collection, name)) is not None]
            added = _put(db, collection, succession(before, objects), now)
            db.execute(
                "INSERT OR REPLACE INTO taxii_view VALUES (?, ?, ?, ?)",
                (collection, identity, view, msgspec.json.encode(list(names))),
            )
            return added

    def views(self, collection: str) -> list[bytes]:
        """What is told of campaigns."""
        with self._open() as db:
            found = db.execute("SELECT view FROM taxii_view WHERE collection = ?", (collection,))
            return [row[0] for row in found]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, and nobody else meanwhile."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def has(self, collection: str, identity: str) -> bool:
        """Whether there is any version of an object."""
        with self._open() as db:
            found = db.execute(
                "SELECT 1 FROM taxii_object WHERE collection = ? AND id = ? LIMIT 1",
                (collection, identity),
            )
            return found.fetchone() is not None

    def page(self, collection: str, query: Query) -> Page:
        """What a query asks for."""
        if query.nothing:
            return Page([], None)
        where, values = ["collection = ?", "added > ?"], [collection, query.after]
        for column, wanted in (("id", query.ids), ("type", query.types)):
            if wanted:
                where.append(f"{column} IN ({_places(wanted)})")
                values += wanted
        versions = [_IS[which] for which in query.which]
        if query.versions:
            versions.append(f"version IN ({_places(query.versions)})")
            values += query.versions
        where.append(f"({' OR '.join(versions)})")
        rows: list[Row] = []
        size = 0
        with self._open() as db:
            for found in db.execute(
                "SELECT added, id, version, object FROM taxii_object o "  # noqa: S608
                f"WHERE {' AND '.join(where)} ORDER BY added LIMIT {query.limit + 1}",
                values,
            ):
                if len(rows) == query.limit or size >= PAGE_BYTES:
                    return Page(rows, token(rows[-1].added))
                rows.append(Row(*found))
                size += len(rows[-1].object)
        return Page(rows, None)

    def forget(self, before: int, is_over: Callable[[bytes], bool]) -> int:
        """Drop the views that are over, and what was added before a time, µs since the epoch, and
        is in no view that is left; how many versions.
        """
        with self._writing() as db:
            kept: set[tuple[str, str]] = set()
            found = db.execute("SELECT collection, id, view, objects FROM taxii_view").fetchall()
            for collection, identity, view, objects in found:
                if is_over(view):
                    db.execute(
                        "DELETE FROM taxii_view WHERE collection = ? AND id = ?",
                        (collection, identity),
                    )
                else:
                    names = msgspec.json.decode(objects, type=list[str])
                    kept.update((collection, name) for name in names)
            old = db.execute(
                "SELECT DISTINCT collection, id FROM taxii_object WHERE added < ?", (before,)
            ).fetchall()
            gone = [(*one, before) for one in old if one not in kept]
            done = db.executemany(
                "DELETE FROM taxii_object WHERE collection = ? AND id = ? AND added < ?", gone
            )
            return max(done.rowcount, 0)


def _places(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)


def _put(db: sqlite3.Connection, collection: str, objects: Iterable[Object], now: int) -> int:
    begun = db.execute("SELECT latest FROM taxii_collection WHERE id = ?", (collection,)).fetchone()
    latest: int = begun[0] if begun else -1
    count = 0
    for one in objects:
        number = max(latest + 1, now)
        if _add(db, collection, one, number):
            latest = number
            count += 1
    if count:
        db.execute("INSERT OR REPLACE INTO taxii_collection VALUES (?, ?)", (collection, latest))
    return count


def _newest(db: sqlite3.Connection, collection: str, identity: str) -> Object | None:
    found = db.execute(
        "SELECT object FROM taxii_object WHERE collection = ? AND id = ? "
        "ORDER BY version DESC LIMIT 1",
        (collection, identity),
    ).fetchone()
    return msgspec.json.decode(found[0], type=Object) if found else None


def _add(db: sqlite3.Connection, collection: str, one: Object, added: int) -> bool:
    identity, own = str(one["id"]), one.get("modified", one.get("created"))
    encoded = msgspec.json.encode(one)
    newest = db.execute(
        "SELECT version, object FROM taxii_object WHERE collection = ? AND id = ? "
        "ORDER BY version DESC LIMIT 1",
        (collection, identity),
    ).fetchone()
    if newest is not None and newest[1] == encoded:
        return False
    version = added if own is None else micros(str(own), f"the version of {identity}")
    done = db.execute(
        "INSERT OR IGNORE INTO taxii_object (collection, added, id, type, version, object) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (collection, added, identity, str(one["type"]), version, encoded),
    )
    if done.rowcount == 1 and newest is not None:
        db.execute(
            "DELETE FROM taxii_object WHERE number IN (SELECT number FROM taxii_object "
            "WHERE collection = ? AND id = ? ORDER BY version DESC LIMIT -1 OFFSET ?)",
            (collection, identity, MOST_VERSIONS),
        )
    return done.rowcount == 1


def manifest_record(row: Row) -> dict[str, str]:
    """What a manifest says of one version."""
    return {
        "id": row.id,
        "date_added": timestamp(row.added),
        "version": timestamp(row.version),
        "media_type": "application/stix+json;version=2.1",
    }
