"""What the one active member of a group holds, read from the topics by who takes over.

It is read in a task of its own, so that a rebalance need not wait for it, and dropped at once when
it is given up: who is still at work on it finds that it is not the current one any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

Case = TypeVar("Case")


class TakingOver(Generic[Case]):
    """The case of a stage. `load` reads it; `begin` is awaited once, when it is there."""

    def __init__(
        self,
        load: Callable[[], Coroutine[Any, Any, Case]],
        begin: Callable[[Case], Awaitable[None]] | None = None,
    ) -> None:
        self.case: Case | None = None
        self._load = load
        self._begin = begin
        self._loading: asyncio.Task[Case] | None = None

    def start(self) -> None:
        """Read it, anew if there is one already."""
        self.case = None
        self._loading = asyncio.ensure_future(self._load())

    def drop(self) -> None:
        """It is somebody else's to hold."""
        self.case = None
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None

    @property
    def is_loading(self) -> bool:
        return self._loading is not None and not self._loading.done()

    @property
    def is_loaded(self) -> bool:
        """Read, and not taken up yet."""
        return self._loading is not None and self._loading.done()

    async def ready(self) -> Case | None:
        """The case, when it is read; None if it is not ours, or was given up meanwhile."""
        loading = self._loading
        if loading is not None:
            try:
                case = await asyncio.shield(loading)
            except asyncio.CancelledError:
                if self._loading is loading:
                    raise
                return None
            if self._loading is loading:
                self.case, self._loading = case, None
                if self._begin is not None:
                    await self._begin(case)
        return self.case
