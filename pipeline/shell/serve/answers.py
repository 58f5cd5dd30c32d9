"""What those who were told of campaigns have written back, each shown at the campaign it is of.

A recipient may know a campaign under a name of its own: the ledger says which. Letters themselves
are not kept here.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec
from msgspec import Struct

from pipeline.share import reply as replies
from pipeline.share.directory import OPERATOR
from pipeline.share.reply import Reply, Word

MOST_SHOWN = 200
"""Of one campaign, the latest."""
MOST_THREADS = 20_000
"""That replies are kept of. Beyond, the writer with most of them loses the one that came first."""
MOST_NAMES = 200_000
"""Names of campaigns and alerts, as recipients know them, that are kept: the latest."""


class Answered(Struct, frozen=True):
    """One reply. `by` is whose topic it came on; `at` is what it says itself, ms."""

    by: str
    word: Word
    at: int
    text: str


class Addressed(Struct, frozen=True):
    """What of the ledger's entries is read here."""

    about: str
    to: str
    thread: str


_decode_addressed = msgspec.json.Decoder(Addressed).decode


class Answers:
    """By who wrote and under which name, the replies."""

    def __init__(self) -> None:
        self.not_ours = 0
        """Records that are none."""
        self._about: dict[tuple[str, str], str] = {}
        self._names: dict[str, set[tuple[str, str]]] = {}
        self._told: dict[bytes, tuple[tuple[str, str], str]] = {}
        """By the key of the ledger's entry, the name, and what it is of."""
        self._said: dict[str, dict[str, dict[bytes, Answered]]] = defaultdict(dict)
        """By writer, thread and key."""

    def take_entry(self, key: bytes, value: bytes | None) -> str | None:
        """Note who knows a campaign under which name, or that the ledger has forgotten it; the
        campaign, if replies were waiting.
        """
        if value is None:
            self._forget(key)
            return None
        try:
            entry = _decode_addressed(value)
        except msgspec.DecodeError:
            self.not_ours += 1
            return None
        name = entry.to, entry.thread
        if self._about.get(name) == entry.about:
            return None
        self._forget(key)
        self._told[key] = name, entry.about
        self._about[name] = entry.about
        self._names.setdefault(entry.about, set()).add(name)
        if len(self._told) > MOST_NAMES:
            self._forget(next(iter(self._told)))
        return entry.about if entry.thread in self._said.get(entry.to, ()) else None

    def _forget(self, key: bytes) -> None:
        told = self._told.pop(key, None)
        if told is None:
            return
        name, about = told
        if self._about.get(name) == about:
            del self._about[name]
        self._names[about].discard(name)
        if not self._names[about]:
            del self._names[about]

    def take_reply(self, by: str, key: bytes, value: bytes | None) -> str | None:
        """Note what somebody wrote, or took back; the campaign it is of, if that is known."""
        try:
            said = replies.decode(value) if value is not None else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.not_ours += 1
            return None
        threads = self._said[by]
        if said is None:
            for thread, kept in threads.items():
                if key in kept:
                    del kept[key]
                    if not kept:
                        del threads[thread]
                    return self._of(by, thread)
            return None
        if not isinstance(said, Reply):
            return None
        kept = threads.setdefault(said.thread, {})
        kept[key] = Answered(by, said.word, said.at, said.text)
        if len(kept) > MOST_SHOWN:
            del kept[next(iter(kept))]
        if sum(map(len, self._said.values())) > MOST_THREADS:
            most = max(self._said.values(), key=len)
            del most[next(iter(most))]
        return self._of(by, said.thread)

    def _of(self, by: str, thread: str) -> str | None:
        """The operator uses our own names."""
        return thread if by == OPERATOR else self._about.get((by, thread))

    def of(self, campaign: str) -> list[Answered]:
        """Of one campaign, the latest first."""
        names = {*self._names.get(campaign, ()), (OPERATOR, campaign)}
        found = [
            one
            for by, thread in names
            for one in list(self._said.get(by, {}).get(thread, {}).values())
        ]
        return sorted(found, key=lambda one: (-one.at, one.by, one.word))[:MOST_SHOWN]
