"""What endpoints stand on."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from pipeline.benign import NOTHING_LISTED, Benign
from pipeline.campaign.label import Label
from pipeline.geo import Geo
from pipeline.registry import Registry
from pipeline.shell.serve.answers import Answers
from pipeline.shell.serve.part import View
from pipeline.shell.serve.people import Person, Role, Users
from pipeline.shell.serve.reader import Freshness
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import Hub
from pipeline.shell.settings import Settings

Say = Callable[[Label], Awaitable[None]]
"""Writes a label to its topic, and returns when the broker has it; a `FailedError` if not."""


@dataclass(slots=True)
class Site:
    """The read store and what surrounds it."""

    store: Store
    settings: Settings
    hub: Hub
    registry: Registry = field(default_factory=lambda: Registry(()))
    geo: Geo = field(default_factory=Geo)
    geo_name: str = ""
    """Which database of countries, and of what day."""
    benign: Benign = NOTHING_LISTED
    users: Users | None = None
    say: Say | None = None
    """None: nobody can label."""
    freshness: Freshness = field(default_factory=Freshness)
    answers: Answers = field(default_factory=Answers)
    """What those who were told have written back."""
    parts: Mapping[str, View] = field(default_factory=dict)
    """What those are shown who do not see everything, by whom they see as."""

    @property
    def local(self) -> Person:
        """Who it is where nobody logs in."""
        return Person(getpass.getuser(), Role.ANALYST)


def site_of(request: HTTPConnection) -> Site:
    found: Site = request.app.state.site
    return found


def person_of(request: HTTPConnection) -> Person:
    found: Person = request.scope["user"]
    return found


def view_of(request: HTTPConnection) -> View:
    """What whoever asks is shown: all that is answered is answered from it."""
    site, person = site_of(request), person_of(request)
    if person.is_of_the_house:
        return View(site.store, site.hub)
    if (part := site.parts.get(person.sees)) is None:
        raise HTTPException(403, "nothing is shown to you here")
    return part
