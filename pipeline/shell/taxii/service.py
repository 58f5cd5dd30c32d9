"""TAXII as a part of `sightline serve`: its endpoints, and what keeps its collections fed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.routing import Route

from pipeline.lane import BANNER
from pipeline.registry import Registry
from pipeline.shell.alliances import folder
from pipeline.shell.serve.people import Person
from pipeline.shell.serve.store import Store
from pipeline.shell.settings import Settings
from pipeline.shell.taxii.audience import Doors, audiences
from pipeline.shell.taxii.feed import Feed, keep_fed
from pipeline.shell.taxii.routes import Collection, Root, routes
from pipeline.shell.taxii.store import TaxiiStore


class Service:
    """Of the registry, terms and alliances as they are when it starts."""

    def __init__(self, settings: Settings, registry: Registry, read: Store) -> None:
        # Not in the read store's file: that is thrown away when its tables change, and what was
        # given out is not on the topics.
        path = Path(settings.serve_store)
        self.store = TaxiiStore(path.with_name(f"{path.name}.taxii"))
        self._read = read
        known = audiences(registry, folder.read(settings).current)
        self.feed = Feed(self.store, registry.terms, known)
        self._doors = Doors(registry, known)
        self._root = root_of(settings.exercise)

    @property
    def routes(self) -> list[Route]:
        return routes(self.store, self._readable, self._root)

    def _readable(self, request: Request) -> Sequence[Collection] | None:
        person = request.scope.get("user")
        return self._doors.open_to(person) if isinstance(person, Person) else None

    async def run(self) -> None:
        """For ever."""
        await keep_fed(self.feed, self._read)


def root_of(exercise: str) -> Root:
    """An exercise has an API root of its own, and says so."""
    if not exercise:
        return Root()
    return Root(f"exercise-{exercise}", f"{BANNER}: Sightline", f"{BANNER}: none of it is meant")
