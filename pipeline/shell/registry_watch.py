"""The registry's file, looked at while workers run: who joins or leaves is heard without a restart.

A change counts when the whole file is good again and its topics are there: until then the registry
is the one of before, and what is wrong is logged once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from pipeline.registry import Registry
from pipeline.shell import files, topics
from pipeline.shell.settings import FailedError, Settings, WrongUseError

LOOK_S = 1.0
AGAIN_S = 5.0
"""How long after a change that could not be taken it is tried again."""

log = logging.getLogger("sightline")


class RegistryWatch:
    """`registry` is what the workers know."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = Path(settings.sensors)
        self._seen = self._looks()  # before it is read: what is written meanwhile is a change
        self.registry = files.registry_of(self._path, settings.topic_prefix)
        self._look_at = 0.0
        self._said = ""

    def changed(self) -> Registry | None:
        """The registry, if it says something else than it did; asked again and again."""
        now = time.monotonic()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_S
        looks = self._looks()
        if looks == self._seen:
            return None
        try:
            registry = files.registry_of(self._path, self._settings.topic_prefix)
            if registry != self.registry:
                asyncio.run(topics.ensure(registry, self._settings))
        except (WrongUseError, FailedError) as error:
            self._look_at = now + AGAIN_S
            if str(error) != self._said:
                self._said = str(error)
                log.warning("the registry has changed, and is not taken yet: %s", error)
            return None
        self._seen, self._said = looks, ""
        if registry == self.registry:
            return None
        self.registry = registry
        return registry

    def _looks(self) -> tuple[int, int, int] | None:
        """What another content shows in; None while there is no file."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
