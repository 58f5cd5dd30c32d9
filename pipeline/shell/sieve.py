"""A batch that killed two processes, without the records that did.

The stage goes on crash-only: a bug ends the process, and its successor begins with the same batch.
When two have died with a batch in hand, the third looks for the records that kill (`rehearsal`),
sets each of them aside as a dead letter of reason `bug`, and works on the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from faust.types import TP

from pipeline import dead_letter
from pipeline.decode import Reason, Rejection
from pipeline.shell import metrics
from pipeline.shell.in_hand import InHand
from pipeline.shell.rehearsal import Work, first_poison
from pipeline.shell.transport import Batch, Sifted

DEATHS = 2
"""After so many deaths with a batch in hand it is sifted."""
MOST = 10
"""With more of one batch than these it is our code that is broken, not the records."""


class TooManyError(Exception):
    """So many records of one batch fail that none may be set aside: the process must end."""


class Stage(Protocol):
    """What a stage does with batches, and how what it must not touch is kept."""

    async def handle(self, tp: TP, batch: Batch) -> None:
        """Do the work, or raise: then the process ends."""

    async def rehearsal(self, tp: TP) -> Work | None:
        """The part of `handle` that touches nothing but this process's memory."""

    async def set_aside(self, tp: TP, record: Any, why: str) -> None:
        """Keep a record that was not worked on, and why; returns when it is kept."""


async def sifted(tp: TP, batch: Batch, hand: InHand, stage: Stage) -> Batch:
    """`batch`, or what is left of it when two processes have died of it."""
    if hand.deaths(tp, batch) < DEATHS:
        return batch
    work = await stage.rehearsal(tp)
    if work is None:
        return batch
    left: Sequence[Any] = batch
    poison: list[tuple[Any, str]] = []
    while (found := await first_poison(left, work)) is not None:
        at, why = found
        poison.append((left[at], why))
        if len(poison) > MOST:
            raise TooManyError(f"more than {MOST} records of {tp} fail, the last with: {why}")
        left = [*left[:at], *left[at + 1 :]]
    for record, why in poison:
        await stage.set_aside(tp, record, why)
    return Sifted(left, batch[-1]) if poison else batch


Send = Callable[[bytes, bytes], Awaitable[None]]


async def keep(tp: TP, record: Any, why: str, stage: str, send: Send) -> None:
    """Send a record to dead letters, for a bug of ours."""
    rejection = Rejection(Reason.BUG, why, record.value or b"")
    resent, came_in = dead_letter.resent_of(record.headers or (), record.timestamp)
    letter = dead_letter.dead_letter(
        rejection, tp.topic, tp.partition, record.offset, 0, came_in, resent
    )
    await send(letter.key.encode(), dead_letter.encode(letter))
    metrics.RECORDS_SET_ASIDE.labels(stage).inc()
