"""What one recipient has been told of campaigns, and what it is to be told now. No I/O here.

At any time it has the views of those revisions that are older than the delay, by the policy, the
terms and the members of that moment:

    told(now) = views(newest revision of each campaign that was told before now - delay)

What was told before and is in no view any more stays as it was told: nobody can take it back. If
its members are told under another name now, it leads on to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

import msgspec

from pipeline.campaign.campaign import Campaign, Status, oldest_first
from pipeline.share.release import Recipient, aged, release
from pipeline.share.terms import Terms

REMEMBERED_MS = 90 * 86_400_000
"""Of a campaign that has ended, so long after its last sighting."""
_ENDED = (Status.CLOSED, Status.MERGED)
_replace = msgspec.structs.replace


def views(
    campaigns: Iterable[Campaign], terms: Terms, recipient: Recipient, at: int
) -> dict[str, Campaign]:
    """By its name in the view, all of some campaigns that a recipient may see; `at`, ms, is now.

    A merged one leads to the name that the other has here.
    """
    seen = {
        one.id: (one, view)
        for one in campaigns
        if (view := release(one, terms, recipient, at)) is not None
    }
    return _named(seen)


def _named(seen: Mapping[str, tuple[Campaign, Campaign]]) -> dict[str, Campaign]:
    """Views by their names, of campaigns and what is released of each."""
    found: dict[str, Campaign] = {}
    for one, view in sorted(seen.values(), key=lambda pair: oldest_first(pair[0])):
        shown = view
        if one.status is Status.MERGED:
            heir = seen.get(one.merged_into or "")
            if heir is None:
                shown = _replace(view, status=Status.CLOSED)
            else:
                shown = _replace(view, merged_into=heir[1].id)
            if shown.merged_into == view.id:
                continue  # here they always had one name
        known = found.get(view.id)
        # A name is that of the oldest that is visible: of two campaigns the living one has it.
        if known is None or _liveliness(known) < _liveliness(shown):
            found[view.id] = shown
    return found


def long_over(campaigns: Iterable[Campaign], before_ms: int) -> list[Campaign]:
    """Those that have ended, and of which nothing was seen since then."""
    return [one for one in campaigns if one.last_seen < before_ms and one.status in _ENDED]


def _liveliness(view: Campaign) -> tuple[bool, bool, int]:
    return view.status is not Status.MERGED, view.status not in _ENDED, view.last_seen


class _Heard:
    """Revisions that wait for a delay to be over, and of each campaign the one that stands."""

    def __init__(self, terms: Terms, recipient: Recipient, delay_ms: int = 0) -> None:
        self._waiting: list[tuple[int, int, int, Campaign]] = []
        self._heard: dict[str, tuple[int, int]] = {}
        self._count = 0
        self._current: dict[str, Campaign] = {}
        self._released: dict[str, tuple[Campaign, Campaign | None]] = {}
        """Of each revision, what was released of it once: it is not worked out again."""
        self.turn_to(terms, recipient, delay_ms)

    def turn_to(self, terms: Terms, recipient: Recipient, delay_ms: int) -> None:
        """From now on by other terms, for other members, or later."""
        self._terms, self._recipient, self._delay = terms, recipient, delay_ms
        self._released.clear()

    def hear(self, campaign: Campaign, told_at: int, offset: int = 0) -> None:
        """Take note of a revision, when it was told, ms, and where it lies among those of its
        time; one that is older than one that was heard is none any more.
        """
        place = told_at, offset
        if place < self._heard.get(campaign.id, place):
            return
        self._heard[campaign.id] = place
        self._count += 1
        heappush(self._waiting, (*place, self._count, campaign))

    def is_due(self, now: int) -> bool:
        """Has the time of a revision come?"""
        return bool(self._waiting) and self._waiting[0][0] + self._delay <= now

    def _views(self, now: int) -> dict[str, Campaign]:
        """What stands now, without what has been over for long."""
        while self.is_due(now):
            *_, campaign = heappop(self._waiting)
            self._current[campaign.id] = campaign
        for one in long_over(self._current.values(), now - REMEMBERED_MS):
            self._forget(one.id)
        seen: dict[str, tuple[Campaign, Campaign]] = {}
        for one in self._current.values():
            known = self._released.get(one.id)
            if known is None or known[0] is not one:
                known = one, release(one, self._terms, self._recipient, now)
                self._released[one.id] = known
            if known[1] is not None:
                seen[one.id] = one, aged(known[1], one, now)
        return _named(seen)

    def _forget(self, identity: str) -> None:
        self._current.pop(identity, None)
        self._heard.pop(identity, None)
        self._released.pop(identity, None)


class Standing(_Heard):
    """What one recipient is shown, and may look at as long as it stands: nothing was given away.

    Of what it was shown before, and may not see any more, nothing is left; so what is shown follows
    from the campaigns, the terms and the time alone.
    """

    def __init__(self, terms: Terms, recipient: Recipient, delay_ms: int = 0) -> None:
        super().__init__(terms, recipient, delay_ms)
        self.shown: dict[str, Campaign] = {}

    def drop(self, identity: str) -> None:
        """A campaign is gone, and what waits of it."""
        self._forget(identity)
        self._waiting = [one for one in self._waiting if one[-1].id != identity]
        heapify(self._waiting)

    def look(self, now: int) -> tuple[list[Campaign], list[str]]:
        """The views that have changed, the oldest first, and the names of those that are gone."""
        before, self.shown = self.shown, self._views(now)
        changed = [one for name, one in self.shown.items() if before.get(name) != one]
        return sorted(changed, key=oldest_first), sorted(before.keys() - self.shown.keys())


class Publication(_Heard):
    """To one recipient."""

    def __init__(self, terms: Terms, recipient: Recipient, delay_ms: int = 0) -> None:
        super().__init__(terms, recipient, delay_ms)
        self.told: dict[str, Campaign] = {}

    def remember(self, view: Campaign) -> None:
        """Take up what a predecessor told."""
        self.told[view.id] = view

    def look(self, now: int) -> list[Campaign]:
        """What is to be told that was not, the oldest first; `now` in ms."""
        shown = self._views(now)
        for one in long_over(self.told.values(), now - REMEMBERED_MS):
            del self.told[one.id]
        fresh = [
            view
            for view in shown.values()
            if self.told.get(view.id) != view and (view.id in self.told or _is_news(view))
        ]
        named = {
            member: view.id
            for view in shown.values()
            if view.status is not Status.MERGED
            for member in view.indicators
        }
        for before in self.told.values():
            if before.id not in shown and before.status is not Status.MERGED:
                heir = next((named[one] for one in before.indicators if one in named), None)
                if heir is not None:
                    fresh.append(_replace(before, status=Status.MERGED, merged_into=heir))
        self.told.update((view.id, view) for view in fresh)
        return sorted(fresh, key=oldest_first)


def _is_news(view: Campaign) -> bool:
    """Of what was never told there is no end to tell."""
    return view.status is not Status.MERGED and not view.withdrawn
