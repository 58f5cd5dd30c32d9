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
"""That replies are kept of: those of which the first came last."""


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
        self._names: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._said: dict[tuple[str, str], dict[bytes, Answered]] = defaultdict(dict)

    def take_entry(self, value: bytes | None) -> str | None:
        """Note who knows a campaign under which name; the campaign, if replies were waiting."""
        try:
            entry = _decode_addressed(value or b"null")
        except msgspec.DecodeError:
            self.not_ours += value is not None
            return None
        name = entry.to, entry.thread
        if self._about.get(name) == entry.about:
            return None
        self._about[name] = entry.about
        self._names[entry.about].add(name)
        return entry.about if name in self._said else None

    def take_reply(self, by: str, key: bytes, value: bytes | None) -> str | None:
        """Note what somebody wrote, or took back; the campaign it is of, if that is known."""
        try:
            said = replies.decode(value) if value is not None else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.not_ours += 1
            return None
        if said is None:
            for (who, thread), kept in self._said.items():
                if who == by and key in kept:
                    del kept[key]
                    return self._of(by, thread)
            return None
        if not isinstance(said, Reply):
            return None
        kept = self._said[by, said.thread]
        kept[key] = Answered(by, said.word, said.at, said.text)
        if len(kept) > MOST_SHOWN:
            del kept[next(iter(kept))]
        if len(self._said) > MOST_THREADS:
            del self._said[next(iter(self._said))]
        return self._of(by, said.thread)

    def _of(self, by: str, thread: str) -> str | None:
        """The operator uses our own names."""
        return thread if by == OPERATOR else self._about.get((by, thread))

    def of(self, campaign: str) -> list[Answered]:
        """Of one campaign, the latest first."""
        names = {*self._names.get(campaign, ()), (OPERATOR, campaign)}
        found = [one for name in names for one in list(self._said.get(name, {}).values())]
        return sorted(found, key=lambda one: (-one.at, one.by, one.word))[:MOST_SHOWN]
