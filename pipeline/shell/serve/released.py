"""To which alliances a campaign was released: read off what the alliances were told.

An alliance may know a campaign under another name, that of the oldest member it may see. No
indicator is in two campaigns of one time: so one that a view names, while it was seen, says whose
view it is.
"""

from __future__ import annotations

from collections import defaultdict

from pipeline.campaign.campaign import Campaign, Status
from pipeline.indicator import Indicator

_View = tuple[str, str]
"""Alliance, and the campaign's name there."""


class Released:
    """What each alliance was told, the newest of each name."""

    def __init__(self) -> None:
        self._views: dict[_View, Campaign] = {}
        self._by_indicator: dict[Indicator, set[_View]] = defaultdict(set)

    def take(self, alliance: str, name: str, view: Campaign | None) -> set[Indicator]:
        """Note what an alliance is told; the indicators whose campaigns it may be of, or was."""
        key = alliance, name
        before = self._views.pop(key, None)
        for one in _indicators(before):
            self._by_indicator[one].discard(key)
        if view is not None and view.status is not Status.MERGED:
            self._views[key] = view
            for one in _indicators(view):
                self._by_indicator[one].add(key)
        return _indicators(before) | _indicators(view)

    def to(self, campaign: Campaign) -> tuple[str, ...]:
        """The alliances that know it, by their ids."""
        keys = {key for one in _indicators(campaign) for key in self._by_indicator.get(one, ())}
        return tuple(
            sorted(
                {
                    alliance
                    for alliance, name in keys
                    if _overlap(self._views[alliance, name], campaign)
                }
            )
        )


def _indicators(campaign: Campaign | None) -> set[Indicator]:
    return {(one.type, one.value) for one in campaign.indicators} if campaign else set()


def _overlap(view: Campaign, campaign: Campaign) -> bool:
    return view.first_seen <= campaign.last_seen and campaign.first_seen <= view.last_seen
