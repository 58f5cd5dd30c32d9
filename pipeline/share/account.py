"""What became of telling others of one campaign: who was told, how, and what they said. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from pipeline.share.ledger import Entry, State
from pipeline.share.reply import Answer, Reply, Request, Said, Word, identity


class Line(Struct, frozen=True):
    """Something a recipient, or the operator, said. `id` names a request or an answer."""

    by: str
    kind: str
    at: int
    text: str
    id: str = ""
    to: str = ""
    word: Word | None = None


class Recipient(Struct, frozen=True):
    """One recipient. `said` is its newest word, if it has said any; times in ms."""

    id: str
    thread: str
    revision: int
    at: int
    ways: dict[str, State]
    said: Word | None


class Account(Struct, frozen=True):
    """All of it, recipients by id and lines by time."""

    campaign: str
    recipients: tuple[Recipient, ...]
    lines: tuple[Line, ...]


def account(
    campaign: str, entries: Iterable[Entry], replies: Mapping[str, Iterable[Said]]
) -> Account:
    """Of the newest entries of the ledger, and of all replies by who wrote them."""
    known = list(entries)
    told = {entry.to: entry for entry in known if entry.about == campaign}
    names = {(entry.to, entry.thread) for entry in told.values()}
    lines: list[Line] = []
    newest: dict[str, tuple[int, Word]] = {}
    requests: set[str] = set()
    answers: list[tuple[str, Answer]] = []
    for by, some in replies.items():
        for said in some:
            if isinstance(said, Answer):
                answers.append((by, said))
                continue
            if (by, said.thread) not in names and said.thread != campaign:
                continue
            name = identity(by, said)
            match said:
                case Reply():
                    lines.append(Line(by, "reply", said.at, said.text, word=said.word))
                    newest[by] = max(newest.get(by, (0, said.word)), (said.at, said.word))
                case Request():
                    requests.add(name)
                    lines.append(Line(by, "request", said.at, said.text, name, said.to))
    lines += [
        Line(by, "answer", said.at, said.text, said.request)
        for by, said in answers
        if said.request in requests
    ]
    recipients = [
        Recipient(
            name,
            entry.thread,
            entry.revision,
            entry.letter.at,
            {way: how.state for way, how in entry.ways.items()},
            newest[name][1] if name in newest else None,
        )
        for name, entry in sorted(told.items())
    ]
    in_order = sorted(lines, key=lambda one: (one.at, one.by))
    return Account(campaign, tuple(recipients), tuple(in_order))
