"""What endpoints stand on."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from pipeline.registry import Registry
from pipeline.shell.serve.store import Store
from pipeline.shell.settings import Settings


@dataclass(slots=True)
class Site:
    """The read store and what surrounds it."""

    store: Store
    settings: Settings
    registry: Registry = field(default_factory=lambda: Registry(()))


def site_of(request: HTTPConnection) -> Site:
    found: Site = request.app.state.site
    return found
