"""Who has asked what of others, within bounds. No I/O here."""

from __future__ import annotations

from typing import Final, NamedTuple

MOST_REQUESTS: Final = 100
"""That one asker makes in `REQUESTS_MS`; more are ignored."""
REQUESTS_MS: Final = 86_400_000
MOST_REMEMBERED: Final = 10_000
"""Requests that can still be answered: the newest."""


class Asker(NamedTuple):
    """Who asked, of which campaign, by which of its names."""

    by: str
    about: str
    thread: str


class Askers:
    """By request, who asked it."""

    def __init__(self) -> None:
        self._of: dict[str, Asker] = {}
        self._lately: dict[str, list[int]] = {}

    def get(self, request: str) -> Asker | None:
        return self._of.get(request)

    def may(self, by: str, request: str, at: int) -> bool:
        """Whether somebody may make a request, which counts if it is a new one."""
        if request not in self._of:
            lately = [when for when in self._lately.get(by, ()) if at - when < REQUESTS_MS]
            if len(lately) >= MOST_REQUESTS:
                return False
            self._lately[by] = [*lately, at]
        return True

    def remember(self, request: str, asker: Asker) -> None:
        self._of[request] = asker
        if len(self._of) > MOST_REMEMBERED:
            del self._of[next(iter(self._of))]
