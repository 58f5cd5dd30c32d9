"""Which record of a batch is poison: found by letting copies of this process die of it.

A rehearsal does in a forked child what the stage would do with some records, and sends nothing.
The child shares the state as it is now, and what it does to it ends with it, by an exception, a
segmentation fault or the memory's end. The records up to the first that kills are found by
halving, with the records before it, for they may have their part in it.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any

WITHIN_S = 30.0
"""A rehearsal that takes longer is ended, and shows nothing."""

WHY_BYTES = 8_000
"""Of a traceback, its end is kept."""

Work = Callable[[Sequence[Any]], None]


async def first_poison(records: Sequence[Any], work: Work) -> tuple[int, str] | None:
    """The index of the first record that kills who does `work` on all up to it, and what of."""
    why = await killed_by(records, work)
    if why is None:
        return None
    lives, dies = 0, len(records)
    while dies - lives > 1:
        half = (lives + dies) // 2
        died = await killed_by(records[:half], work)
        if died is None:
            lives = half
        else:
            dies, why = half, died
    return dies - 1, why


async def killed_by(records: Sequence[Any], work: Work) -> str | None:
    """What a copy of this process died of when it did `work`; None if it lives."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Other threads may hold locks; the core takes none, and a child that hangs is ended.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _rehearse(records, work, writing)
    os.close(writing)
    return await asyncio.get_running_loop().run_in_executor(None, _outcome, child, reading)


def _rehearse(records: Sequence[Any], work: Work, writing: int) -> None:
    status = 0
    try:
        signal.set_wakeup_fd(-1)
        work(records)
    except BaseException:  # noqa: BLE001 - whatever it is, it would have ended the stage
        os.write(writing, traceback.format_exc().encode()[-WHY_BYTES:])
        status = 1
    finally:
        os._exit(status)


def _outcome(child: int, reading: int) -> str | None:
    said = b""
    hangs = False
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while not hangs:
            ready, _, _ = select.select([pipe], [], [], WITHIN_S)
            hangs = not ready
            if ready and not (more := pipe.read(WHY_BYTES)):
                break
            said += more if ready else b""
    if hangs:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if hangs or status == 0:
        return None
    if os.WIFSIGNALED(status):
        return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return said.decode(errors="replace")
