from __future__ import annotations

import asyncio
import threading

import pytest

from pipeline.shell.threads import in_thread


async def test_the_loop_goes_on_meanwhile() -> None:
    may_end = threading.Event()
    working = asyncio.ensure_future(in_thread(lambda: may_end.wait(30)))
    await asyncio.sleep(0)
    may_end.set()
    assert await working


async def test_what_it_raises_is_the_callers() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
