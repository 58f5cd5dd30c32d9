"""Following the read store: what changes in its campaigns, handed on as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pipeline.shell.serve.rows import Row
from pipeline.shell.serve.store import MOST_ON_A_PAGE, Store

_PAUSE_S = 2.0
_REST = 4
"""A look takes at most one part in so many and one of the time."""
_AGAIN_S = 60.0
"""After which it is looked again though nothing came: time alone changes what is told."""


async def follow_campaigns(
    read: Store,
    hear: Callable[[Row], None],
    look: Callable[[int], object],
    begin: Callable[[], None] = lambda: None,
) -> None:
    """For ever. `look`, at a time in ms, is called in a thread, after `hear` of all that is new;
    `begin` where the store was emptied, and all of it is heard anew.
    """
    revision, looked, emptied = -1, 0.0, read.emptied
    while True:
        if read.emptied != emptied:
            revision, emptied = -1, read.emptied
            begin()
        rows = await asyncio.to_thread(read.changes, "campaigns", revision)
        for row in rows:
            revision = row.revision
            hear(row)
        if len(rows) >= MOST_ON_A_PAGE:
            continue
        now = time.monotonic()
        took = 0.0
        if rows or now - looked >= _AGAIN_S:
            await asyncio.to_thread(look, time.time_ns() // 1_000_000)
            looked = time.monotonic()
            took = looked - now
        await asyncio.sleep(max(_PAUSE_S, _REST * took))
