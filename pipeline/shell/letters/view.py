"""What `sightline dead-letters` prints. Whatever came from a sensor passes `printable` first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from pipeline.dead_letter import sensor_of
from pipeline.decode import Reason
from pipeline.resend import Held
from pipeline.shell.letters.reading import Filed
from pipeline.shell.letters.resending import Outcome
from pipeline.shell.printable import cut, printable, printable_bytes

_DETAIL = 100  # characters of it in a list

_HELD = {
    Held.NO_TOPIC: "from a topic that is not in the registry",
    Held.CUT: "too long to have been kept whole",
    Held.SETTLED: "sent in again before (--insist sends them once more)",
    Held.RESENT: "rejected again after they had been sent in (--insist sends them once more)",
    Held.BUG: "ended workers by a bug (once it is mended, --insist)",
    Held.TOO_LATE: "too late (raise lateness, restart the workers, then --insist)",
    Held.REJECTED: "would be rejected again (mend sensors.toml, or the events with export and "
    "--from; --insist sends them all the same)",
}


class Pile(Struct):
    """Letters of one reason from one topic."""

    reason: Reason
    topic: str
    letters: int = 0
    settled: int = 0
    again: int = 0
    """Rejected again after they had been sent in."""
    oldest: int = 0
    newest: int = 0
    """ms, the broker's time of the message."""


def add(found: dict[tuple[Reason, str], Pile], filed: Filed) -> None:
    """Count a letter. Piles are few: topics are the registry's, reasons a closed set."""
    letter = filed.letter
    pile = found.setdefault(
        (letter.reason, letter.topic),
        Pile(letter.reason, letter.topic, oldest=letter.ingested, newest=letter.ingested),
    )
    pile.letters += 1
    pile.settled += filed.settled
    pile.again += letter.resent > 0
    pile.oldest = min(pile.oldest, letter.ingested)
    pile.newest = max(pile.newest, letter.ingested)


def ranked(found: dict[tuple[Reason, str], Pile]) -> list[Pile]:
    """Most letters first."""
    return sorted(found.values(), key=lambda pile: (-pile.letters, pile.reason, pile.topic))


def summary_lines(found: list[Pile]) -> Iterator[str]:
    yield f" letters  resent   again  {'reason':<17}  {'oldest':<16}  {'newest':<16}  topic"
    for pile in found:
        yield printable(
            f"{pile.letters:>8}  {pile.settled:>6}  {pile.again:>6}  {pile.reason:<17}  "
            f"{when(pile.oldest)}  {when(pile.newest)}  {pile.topic}"
        )


def row(filed: Filed) -> str:
    """One letter on one line."""
    letter = filed.letter
    notes = [f"rejected after {letter.resent}×"] * (letter.resent > 0)
    notes += ["resent since"] * filed.settled
    note = f" [{', '.join(notes)}]" if notes else ""
    return printable(
        f"{filed.place!s:<10}  {when(letter.ingested)}  {letter.reason:<17}  {letter.topic}  "
        f"{cut(sensor_of(letter.raw) or '-', 40)}  {cut(_last_line(letter.detail), _DETAIL)}{note}"
    )


def _last_line(detail: str) -> str:
    """Of a traceback, what was raised."""
    return detail.rstrip().rpartition("\n")[2]


def letter_lines(filed: Filed) -> Iterator[str]:
    """All of one letter, its bytes readable."""
    letter = filed.letter
    yield f"letter    {filed.place}"
    first, *more = letter.detail.rstrip().split("\n")
    yield f"reason    {letter.reason}: {printable(first)}"
    yield from (f"          {printable(line)}" for line in more)
    yield printable(
        f"from      {letter.topic}, partition {letter.partition}, offset {letter.offset}, "
        f"event {letter.index} of the message"
    )
    yield f"came in   {when(letter.ingested)} UTC"
    if (sensor := sensor_of(letter.raw)) is not None:
        yield f"sensor    {printable(sensor)}"
    if letter.resent:
        yield f"resent    {letter.resent}× before it was rejected this time"
    if filed.settled:
        yield "settled   it was sent in again since"
    cut_short = ", the rest was not kept" if letter.truncated else ""
    yield f"bytes     {len(letter.raw)}{cut_short}"
    yield ""
    try:
        shown = msgspec.json.format(letter.raw, indent=2).decode("utf-8").split("\n")
        yield from map(printable, shown)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield from map(printable_bytes, letter.raw.split(b"\n"))


def outcome_lines(outcome: Outcome, *, dry: bool) -> Iterator[str]:
    """What was sent in again, or would be, and what was held back and why."""
    yield f"{outcome.sent} {'would be sent' if dry else 'sent'} in again"
    if outcome.twice:
        yield f"{outcome.twice} were there twice and count once"
    for held, count in outcome.held.most_common():
        yield f"{count} held back: {_HELD[held]}"
        for filed, detail in outcome.examples[held]:
            place = filed.place or filed.key
            yield printable(f"    {place}  {filed.letter.topic}  {cut(detail, _DETAIL)}")
        if count > len(outcome.examples[held]):
            yield "    …"
    if outcome.more:
        yield "there are more: --limit"
    if dry:
        yield "nothing was sent: --yes sends"


def when(ms: int) -> str:
    """`2026-01-31 09:30`, UTC; whatever the number is."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):
        return f"{ms} ms"[:16]
