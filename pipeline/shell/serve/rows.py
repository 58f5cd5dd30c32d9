"""The read store's tables, and what their rows are to others."""

from __future__ import annotations

import sqlite3
from typing import Final, Literal, NamedTuple

import msgspec

from pipeline.alert import Alert
from pipeline.campaign import campaign as campaigns
from pipeline.campaign import label as labels
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.label import Label
from pipeline.shell.serve import bitmaps

Kind = Literal["alerts", "campaigns"]
KINDS: Final[tuple[Kind, ...]] = ("alerts", "campaigns")
VERSION: Final = 1
"""Of tables and facets: a file of another version is built anew."""
SCHEMA = (
    "".join(
        f"""
CREATE TABLE {kind} (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL UNIQUE,
    body BLOB, facets BLOB NOT NULL
);
CREATE TABLE {kind}_indicator (
    value TEXT NOT NULL, type TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (value, type, number)
) WITHOUT ROWID;
"""
        for kind in KINDS
    )
    + """
CREATE TABLE label (
    name TEXT PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, person TEXT NOT NULL,
    told INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX label_of ON label (id, at, person);
CREATE TABLE position (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE made_for (what TEXT NOT NULL);
"""
    + bitmaps.SCHEMA
)
decode_alert = msgspec.json.Decoder(Alert).decode


class Record(NamedTuple):
    """A record of a topic: its topic's kind, key, value, broker's time in ms.

    `released` is what an alliance, `of`, was told of a campaign; `touched` has a campaign for its
    key, of which something changed that is not kept here.
    """

    kind: Literal["alerts", "campaigns", "labels", "released", "touched"]
    key: bytes | None
    value: bytes | None
    at: int
    of: str = ""


class Row(msgspec.Struct, frozen=True):
    """One alert or campaign as it stands now; one without `body` is gone from its topic."""

    kind: Kind
    number: int
    id: str
    revision: int
    body: bytes | None
    facets: frozenset[str]
    label: Label | None = None

    @property
    def campaign(self) -> Campaign:
        assert self.body is not None
        return campaigns.decode(self.body)

    @property
    def alert(self) -> Alert:
        assert self.body is not None
        return decode_alert(self.body)


class Page(msgspec.Struct, frozen=True):
    """Some rows of `total`; `next` asks for those after them, None at the end. `cut`: the text
    occurs so often that not all of it was looked at.
    """

    rows: tuple[Row, ...]
    total: int
    next: str | None
    revision: int
    """All changes up to this one are in it."""
    cut: bool = False


def label_of(connection: sqlite3.Connection, identity: str) -> Label | None:
    """The one that stands."""
    found = connection.execute(
        "SELECT body FROM label WHERE id = ? ORDER BY at DESC, person DESC LIMIT 1", (identity,)
    ).fetchone()
    return labels.decode(found[0]) if found else None
