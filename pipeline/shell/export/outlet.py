"""What goes out to one recipient: the views that the policy leaves it, each under its own name.

A campaign that a recipient sees a part of has a name of its own there, after the oldest that is
visible. When that changes, or nothing of it may be seen any more, the view that went out before is
withdrawn; when its campaign is erased, so is the view.
"""

from __future__ import annotations

import msgspec

from pipeline.campaign.campaign import Campaign
from pipeline.share.release import Recipient
from pipeline.share.terms import Terms
from pipeline.share.views import views
from pipeline.shell.export.following import Told


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
