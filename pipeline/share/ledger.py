"""What was told to whom, on which ways it still has to go, and when to try again. No I/O here.

One entry for each recipient of each thing: its newest letter, and how far each way with it is. An
entry is written down before its letter goes out, and after each try: so what is read back after a
crash is sent again under the same id, and nothing is forgotten. A newer letter takes the place of
one that is still on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from pipeline.share.letter import Letter, Raised

FIRST_PAUSE_MS: Final = 5_000
LONGEST_PAUSE_MS: Final = 3_600_000
MOST_TRIES: Final = 60
"""With pauses that double up to an hour: some two days."""
KEPT_MS: Final = 30 * 86_400_000
"""How long an entry of something that is over is remembered,"""
ALERT_KEPT_MS: Final = 3_600_000
"""and if that was an alert."""


class State(StrEnum):
    """Of a letter on one way."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Failure(StrEnum):
    """Why a try failed; a label of metrics, so the set is closed."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """The other side said no: not ours to try again."""
    BUSY = "busy"
    """It said: later."""
    TLS = "tls"
    NOT_ALLOWED = "not-allowed"
    """To a host that settings do not name, or without a key that it needs."""
    OVERFLOW = "overflow"
    """Too much waited for this destination."""
    BUG = "bug"
    """Ours: it is set aside, and keeps no other letter from going."""

    @property
    def final(self) -> bool:
        return self not in {Failure.UNREACHABLE, Failure.BUSY, Failure.TLS}


class Way(Struct, frozen=True):
    """How far a letter is on one way. `at`: when that was last heard of, `next`: of the next try,
    ms; `why`: the last failure.
    """

    state: State = State.WAITING
    tries: int = 0
    at: int = 0
    next: int = 0
    why: Failure | None = None


class Entry(Struct, frozen=True):
    """The newest letter about one thing to one recipient.

    `about` is our own id of a campaign, alert or request, `thread` the recipient's. `ended`: no
    other letter is to come.
    """

    about: str
    to: str
    thread: str
    revision: int
    substance: str
    letter: Letter
    ways: Mapping[str, Way]
    ended: bool = False

    @property
    def key(self) -> str:
        return f"{self.about}/{self.to}"

    @property
    def waiting(self) -> bool:
        return any(way.state is State.WAITING for way in self.ways.values())


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Entry).decode


def pause_ms(tries: int, jitter: float) -> int:
    """How long to wait after so many tries, from half of the full pause to all of it.

    `jitter` is from 0 up to 1: those that failed together do not come back together.
    """
    full = min(FIRST_PAUSE_MS << min(max(tries - 1, 0), 20), LONGEST_PAUSE_MS)
    return full // 2 + int(full * jitter / 2)


def tried(way: Way, failure: Failure | None, at: int, jitter: float) -> Way:
    """After a try; `failure` None where it arrived."""
    tries = way.tries + 1
    if failure is None:
        return Way(State.DELIVERED, tries, at)
    if failure.final or tries >= MOST_TRIES:
        return Way(State.FAILED, tries, at, 0, failure)
    return Way(State.WAITING, tries, at, at + pause_ms(tries, jitter), failure)


class Ledger:
    """All entries, by key."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        self._waiting: dict[str, None] = {}
        self._about: dict[str, dict[str, Entry]] = {}
        self._drafts: set[str] = set()
        for entry in entries:
            self.put(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry) -> None:
        """Note an entry, in place of what was noted of the same."""
        self._entries[entry.key] = entry
        self._about.setdefault(entry.about, {})[entry.to] = entry
        if entry.waiting:
            self._waiting[entry.key] = None
        else:
            self._waiting.pop(entry.key, None)

    def draft(self, entry: Entry) -> None:
        """Note an entry that is not written down yet: its letter must not go out."""
        self.put(entry)
        self._drafts.add(entry.letter.id)

    def written(self, entry: Entry) -> None:
        """It is written down."""
        self._drafts.discard(entry.letter.id)

    def is_draft(self, entry: Entry) -> bool:
        return entry.letter.id in self._drafts

    def get(self, about: str, to: str) -> Entry | None:
        return self._about.get(about, {}).get(to)

    def about(self, about: str) -> tuple[Entry, ...]:
        """All that was told of one thing, by recipient."""
        return tuple(entry for _, entry in sorted(self._about.get(about, {}).items()))

    def thread(self, to: str, thread: str) -> Entry | None:
        """What a recipient calls so."""
        for entry in self._entries.values():
            if (entry.to, entry.thread) == (to, thread):
                return entry
        return None

    def waiting(self) -> Iterator[tuple[Entry, str, Way]]:
        """Everything that has still to arrive and may go out, the oldest first."""
        for key in self._waiting:
            entry = self._entries[key]
            if self.is_draft(entry):
                continue
            for name, way in entry.ways.items():
                if way.state is State.WAITING:
                    yield entry, name, way

    def settle(self, key: str, letter: str, name: str, way: Way) -> Entry | None:
        """Note how a try went; None if a newer letter has taken its place meanwhile."""
        entry = self._entries.get(key)
        if entry is None or entry.letter.id != letter or name not in entry.ways:
            return None
        entry = msgspec.structs.replace(entry, ways={**entry.ways, name: way})
        self.put(entry)
        return entry

    def forget(self, now: int) -> list[str]:
        """Keys of entries that have been over for long; they are forgotten."""
        old = [
            entry
            for entry in self._entries.values()
            if entry.ended and not entry.waiting and now - entry.letter.at > _kept(entry)
        ]
        for entry in old:
            self.remove(entry.key)
        return [entry.key for entry in old]

    def remove(self, key: str) -> None:
        """Forget an entry, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._waiting.pop(key, None)
        of = self._about[entry.about]
        del of[entry.to]
        if not of:
            del self._about[entry.about]


def _kept(entry: Entry) -> int:
    return ALERT_KEPT_MS if isinstance(entry.letter.body, Raised) else KEPT_MS
