"""What goes out to one recipient: the views that the policy leaves it, each under its own name.

A campaign that a recipient sees a part of has a name of its own there, after the oldest that is
visible. When that changes, or nothing of it may be seen any more, the view that went out before is
withdrawn; when its campaign is erased, so is the view.
"""

from __future__ import annotations

import msgspec

from pipeline.campaign.campaign import Campaign
from pipeline.registry import Registry
from pipeline.share.release import (
    THE_COMMUNITY,
    THE_PUBLIC,
    Recipient,
    organisation,
)
from pipeline.share.terms import COMMUNITY, PUBLIC, Terms
from pipeline.share.views import views
from pipeline.shell.export.following import Told
from pipeline.shell.settings import WrongUseError

EVERYTHING = "*"
"""The place where this runs: it is shown everything."""


def recipient_of(name: str, registry: Registry) -> Recipient:
    """Who is meant; a `WrongUseError` when nobody is."""
    if name in {PUBLIC, COMMUNITY}:
        return THE_PUBLIC if name == PUBLIC else THE_COMMUNITY
    for one in registry.organisations:
        if one.id == name:
            return organisation(one.id, one.country)
    raise WrongUseError(
        f"{name!r} is no organisation of the registry; nor {PUBLIC!r}, {COMMUNITY!r} or "
        f"{EVERYTHING!r}, which is everything"
    )


class Outlet:
    """To one recipient."""

    def __init__(self, terms: Terms, recipient: Recipient) -> None:
        self._terms = terms
        self._recipient = recipient
        self._current: dict[str, Campaign] = {}
        self._out: dict[str, Campaign] = {}

    def take(self, told: Told, now: int) -> Told:
        """What there is to be told of it that was not; `now` in ms."""
        for identity in told.gone:
            self._current.pop(identity, None)
        self._current.update(told.campaigns)
        shown = views(self._current.values(), self._terms, self._recipient, now)
        fresh = {name: one for name, one in shown.items() if self._out.get(name) != one}
        gone = set[str]()
        for name, before in self._out.items():
            if name in shown:
                continue
            if told.gone:
                gone.add(name)
            elif before.withdrawn is not True:
                fresh[name] = msgspec.structs.replace(before, withdrawn=True)
        self._out.update(fresh)
        for name in gone:
            del self._out[name]
        return Told(fresh, gone)
