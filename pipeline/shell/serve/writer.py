"""Records of the topics into the read store's tables. One thread at a time."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from pipeline.campaign import campaign as campaigns
from pipeline.campaign import label as labels
from pipeline.campaign.label import Label
from pipeline.lane import Flag, crossing
from pipeline.shell.serve.bitmaps import Changing
from pipeline.shell.serve.released import Released
from pipeline.shell.serve.rows import KINDS, Kind, Record, Row, decode_alert, label_of
from pipeline.view import facet
from pipeline.view.facet import Beside


def _fits(flag: Flag, exercise: str) -> None:
    """What is of another lane is none of ours."""
    if why := crossing(flag, exercise):
        raise msgspec.DecodeError(why)


_decode_beside = msgspec.json.Decoder(Beside).decode


class Writer:
    """What writes; `sectors` is by organisation, `names` of facets by their number."""

    def __init__(
        self, connection: sqlite3.Connection, sectors: Mapping[str, str], exercise: str = ""
    ) -> None:
        self._exercise = exercise
        self.not_ours = 0
        self.names: dict[int, str] = {}
        self._connection = connection
        self._sectors = sectors
        self._released = Released()
        self._labelled = {of for (of,) in connection.execute("SELECT DISTINCT id FROM label")}
        self._ids: dict[tuple[str, str], int] = {}
        for number, kind, name in connection.execute("SELECT id, kind, name FROM facet"):
            self._ids[kind, name], self.names[number] = number, name
        self._positions: dict[tuple[str, int], int] = {
            (topic, partition): following
            for topic, partition, following in connection.execute("SELECT * FROM position")
        }
        self.revision = max(
            connection.execute(f"SELECT max(revision) FROM {kind}").fetchone()[0] or 0  # noqa: S608
            for kind in KINDS
        )

    def positions(self) -> dict[tuple[str, int], int]:
        """By topic and partition, the offset to read next."""
        return dict(self._positions)

    def forget(self) -> None:
        """All that was read; revisions go on rising."""
        self._connection.execute("BEGIN IMMEDIATE")
        for table in (*KINDS, *(f"{kind}_indicator" for kind in KINDS), "label", "position"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608
        self._connection.execute("DELETE FROM bitmap")
        self._connection.execute("UPDATE facet SET rows = 0")
        self._connection.execute("COMMIT")
        self._positions.clear()
        self._labelled.clear()
        self._released = Released()

    def apply(
        self, records: Iterable[Record], positions: Mapping[tuple[str, int], int]
    ) -> list[Row]:
        """Note records and how far that was, all or nothing; what changed, the newest of each."""
        newest: dict[tuple[str, bytes, str], Record] = {}
        for record in records:
            if record.key is None:
                self.not_ours += 1
                continue
            name = record.kind, record.key, record.of
            newest.pop(name, None)
            newest[name] = record
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            changing = Changing(self._connection)
            changed: dict[tuple[Kind, int], Row] = {}
            for record in newest.values():
                for row in self._apply(record, changing):
                    changed[row.kind, row.number] = row
            changing.write()
            self._connection.executemany(
                "INSERT OR REPLACE INTO position VALUES (?, ?, ?)",
                ((topic, at, following) for (topic, at), following in positions.items()),
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._positions.update(positions)
        return sorted(changed.values(), key=lambda row: row.revision)

    def _apply(self, record: Record, changing: Changing) -> Iterator[Row]:
        try:
            identity = (record.key or b"").decode()
            if record.kind == "labels":
                yield from self._say(identity, record, changing)
                return
            if record.kind == "released":
                yield from self._release(identity, record, changing)
                return
            if record.kind == "touched":
                yield from self._again("campaigns", identity, record.at, changing)
                return
            made = self._read(record.kind, record.value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.not_ours += 1
            return
        if made is not None and made.id != identity:
            self.not_ours += 1
            return
        row = self._put(record.kind, identity, record.value, made, record.at, changing)
        if row is not None:
            yield row

    def _say(self, name: str, record: Record, changing: Changing) -> Iterator[Row]:
        """A label: what it is of has changed."""
        known = self._connection.execute("SELECT id FROM label WHERE name = ?", (name,)).fetchone()
        if record.value is None:
            identity = known[0] if known else None
            self._connection.execute("DELETE FROM label WHERE name = ?", (name,))
        else:
            said = labels.decode(record.value)
            identity = said.id
            self._labelled.add(identity)
            self._connection.execute(
                "INSERT OR REPLACE INTO label VALUES (?, ?, ?, ?, ?, ?)",
                (name, said.id, said.at, said.by, record.at, record.value),
            )
        for kind in KINDS:
            yield from self._again(kind, str(identity), record.at, changing)

    def _again(self, kind: Kind, identity: str, at: int, changing: Changing) -> Iterator[Row]:
        """What a row says of itself is the same; what is said beside it is not."""
        row = self._connection.execute(
            f"SELECT body FROM {kind} WHERE id = ?",  # noqa: S608
            (identity,),
        ).fetchone()
        if row is not None and row[0] is not None:
            again = self._put(kind, identity, row[0], self._read(kind, row[0]), at, changing)
            if again is not None:
                yield again

    def _release(self, name: str, record: Record, changing: Changing) -> Iterator[Row]:
        """What an alliance is told: the campaigns that it is of, if that is new of them."""
        view = None if record.value is None else campaigns.decode(record.value)
        numbers = {
            number
            for kind, value in self._released.take(record.of, name, view)
            for (number,) in self._connection.execute(
                "SELECT number FROM campaigns_indicator WHERE value = ? AND type = ?",
                (value, kind),
            )
        }
        for number in sorted(numbers):
            identity, body, packed = self._connection.execute(
                "SELECT id, body, facets FROM campaigns WHERE number = ?", (number,)
            ).fetchone()
            had = {self.names[one] for one in array("I", packed)}
            if body is not None and had != self._read_facets(body):
                yield from self._again("campaigns", identity, record.at, changing)

    def _read_facets(self, body: bytes) -> frozenset[str]:
        made = self._read("campaigns", body)
        return made.facets if made else frozenset()

    def _read(self, kind: Kind, value: bytes | None) -> _Made | None:
        if value is None:
            return None
        beside = _decode_beside(value)
        if kind == "alerts":
            alert = decode_alert(value)
            _fits(alert.unmapped.exercise, self._exercise)
            identity = alert.finding_info.uid
            label = self._label_of(identity)
            indicators = frozenset((one.value, one.name) for one in alert.observables)
            return _Made(
                identity, indicators, facet.of_alert(alert, self._sectors, label, beside), label
            )
        campaign = campaigns.decode(value)
        _fits(campaign.exercise, self._exercise)
        beside = Beside(tuple({*beside.alliances, *self._released.to(campaign)}))
        label = self._label_of(campaign.id)
        return _Made(
            campaign.id,
            frozenset((one.value, one.type) for one in campaign.indicators),
            facet.of_campaign(campaign, self._sectors, label, beside),
            label,
        )

    def _put(
        self,
        kind: Kind,
        identity: str,
        body: bytes | None,
        made: _Made | None,
        at: int,
        changing: Changing,
    ) -> Row | None:
        known = self._connection.execute(
            f"SELECT number, body, facets FROM {kind} WHERE id = ?",  # noqa: S608
            (identity,),
        ).fetchone()
        if known is None and made is None:
            return None
        facets = made.facets if made else frozenset()
        ids = frozenset(self._facet(kind, name) for name in facets)
        self.revision = max(self.revision + 1, max(at, self._told_of(identity)) * 1000)
        packed = array("I", sorted(ids)).tobytes()
        if known is None:
            number = self._connection.execute(
                f"INSERT INTO {kind} (id, revision, body, facets) VALUES (?, ?, ?, ?)",  # noqa: S608
                (identity, self.revision, body, packed),
            ).lastrowid
            assert number is not None
            before, had = frozenset[int](), frozenset[tuple[str, str]]()
        else:
            number = known[0]
            before = frozenset(array("I", known[2]))
            had = self._indicators(kind, known[1])
            self._connection.execute(
                f"UPDATE {kind} SET revision = ?, body = ?, facets = ? WHERE number = ?",  # noqa: S608
                (self.revision, body, packed, number),
            )
        changing.change(number, before, ids)
        has = made.indicators if made else frozenset()
        self._connection.executemany(
            f"INSERT OR IGNORE INTO {kind}_indicator VALUES (?, ?, ?)",  # noqa: S608
            ((*one, number) for one in has - had),
        )
        self._connection.executemany(
            f"DELETE FROM {kind}_indicator WHERE value = ? AND type = ? AND number = ?",  # noqa: S608
            ((*one, number) for one in had - has),
        )
        label = made.label if made else None
        return Row(kind, number, identity, self.revision, body, facets, label)

    def _label_of(self, identity: str) -> Label | None:
        return label_of(self._connection, identity) if identity in self._labelled else None

    def _told_of(self, identity: str) -> int:
        """When the latest label came, ms: it may be read before what it is of, and is a later
        change of it all the same.
        """
        if identity not in self._labelled:
            return 0
        (told,) = self._connection.execute(
            "SELECT max(told) FROM label WHERE id = ?", (identity,)
        ).fetchone()
        return int(told or 0)

    def _indicators(self, kind: Kind, body: bytes | None) -> frozenset[tuple[str, str]]:
        if body is None:
            return frozenset()
        if kind == "alerts":
            return frozenset((one.value, one.name) for one in decode_alert(body).observables)
        return frozenset((one.value, one.type) for one in campaigns.decode(body).indicators)

    def _facet(self, kind: Kind, name: str) -> int:
        number = self._ids.get((kind, name))
        if number is None:
            number = self._connection.execute(
                "INSERT INTO facet (kind, name, rows) VALUES (?, ?, 0)", (kind, name)
            ).lastrowid
            assert number is not None
            self._ids[kind, name], self.names[number] = number, name
        return number


class _Made(NamedTuple):
    """What is written of a record besides its body."""

    id: str
    indicators: frozenset[tuple[str, str]]
    facets: frozenset[str]
    label: Label | None
