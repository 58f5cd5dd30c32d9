"""What an exercise's lane holds of whom was notified."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from pipeline.exercise.conduct import Heard, Post
from pipeline.exercise.control import Control
from pipeline.exercise.team import Notified
from pipeline.share import ledger, reply
from pipeline.share.ledger import Entry
from pipeline.share.route import Routes
from pipeline.share.ruling import Open, Ruling, decode_open, decode_ruling
from pipeline.shell import files
from pipeline.shell.notify.sources import directory_of, replies_topic
from pipeline.shell.past import Past
from pipeline.shell.settings import Settings


async def notified(lane: Settings, control: Control, within_ms: int) -> Notified | None:
    """None where the lane has no directory."""
    directory = directory_of(lane)
    if not directory.csirts:
        return None
    registry = files.registry_of(Path(lane.sensors), lane.topic_prefix)
    routes = Routes(directory, registry.organisations)
    post = await _post(lane, tuple(routes.csirts))
    at = control.stopped or time.time_ns() // 1_000_000
    return Notified(routes, registry.terms, post, at, within_ms)


async def _post(lane: Settings, csirts: tuple[str, ...]) -> Post:
    by = {lane.topic(replies_topic(name)): name for name in csirts}
    first: dict[tuple[str, str], int] = {}
    newest: dict[tuple[str, str], Entry] = {}
    heard: list[Heard] = []
    rulings: dict[bytes, Ruling] = {}
    questions: dict[bytes, Open] = {}
    deliveries, ruled, asked = (lane.topic(name) for name in ("deliveries", "rulings", "questions"))
    async for record in Past(lane).records([deliveries, ruled, asked, *by]):
        key = record.key or b""
        if record.value is None:
            questions.pop(key, None)
            continue
        try:
            if record.topic == deliveries:
                entry = ledger.decode(record.value)
                of = entry.about, entry.to
                first[of] = min(first.get(of, entry.letter.at), entry.letter.at)
                newest[of] = entry
            elif record.topic == ruled:
                rulings[key] = decode_ruling(record.value)
            elif record.topic == asked:
                questions[key] = decode_open(record.value)
            else:
                # When the broker had it: what it says itself, whoever wrote it may say.
                said = reply.decode(record.value)
                heard.append(Heard(by[record.topic], record.timestamp, said))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return Post(first, newest, heard, list(rulings.values()), list(questions.values()))
