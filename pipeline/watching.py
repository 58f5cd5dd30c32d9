"""Which indicators that partners shared were seen, and what is to be told of it. No I/O here.

A watch is seen in each slice in which its indicator was, if the slice is not over before the watch
is of interest (`reach` before it is valid) and does not begin after it has ended. What a watch
comes to is the union of those slices: order, duplicates and batches change nothing, nor does it
whether the watch or the sighting came first, as long as the sighting is still evidence.

There is one alert a watch. It is told when another country or organisation sees it; times that
merely go on are told from time to time, and when nothing more came. It is closed when the watch has
ended, or is withdrawn: nothing is taken back.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipeline.alert import Alert
from pipeline.benign import Benign
from pipeline.episode import Change
from pipeline.geo import Geo
from pipeline.share.mark import Mark
from pipeline.share.terms import Terms
from pipeline.share.tlp import Pap, Tlp
from pipeline.sight import Sightings
from pipeline.slices import SLICES
from pipeline.watch import Seen, Watch, is_closed, staged, watch_alert

MOST_WATCHES = 500_000
GOES_ON_MS = 10 * 60_000
"""Event time after which it is told that an indicator is still seen, by the same as before."""


class Watching:
    """The watches that stand, what was seen of them, and what was told."""

    def __init__(
        self,
        lengths: Mapping[str, int],
        benign: Benign,
        terms: Terms,
        reach_ms: int,
        geo: Geo | None = None,
        most: int = MOST_WATCHES,
        exercise: str = "",
    ) -> None:
        """`lengths`: by indicator type, the timespan whose sixtieth is a slice, ms; others are not
        seen. `terms`: of those who see. `reach_ms`: how long before a watch is valid it is of
        interest who saw it. `exercise`: whose lane this is.
        """
        self.watches: dict[str, Watch] = {}
        self.left_out = 0
        """Watches that were left out for want of room, since this was asked before."""
        self._lengths = lengths
        self._benign = benign
        self._terms = terms
        self._reach = reach_ms
        self._geo = geo or Geo()
        self._most = most
        self._exercise = exercise
        self._by_type: dict[str, dict[str, tuple[Watch, ...]]] = {}
        self._seen: dict[str, Seen] = {}
        self._told: dict[str, Alert] = {}
        self._heard: dict[str, Alert] = {}
        """What was told by whomever, where this has told nothing yet."""
        self._changed: set[str] = set()
        self._goes_on: set[str] = set()
        """Those that were seen again, later, by the same as before."""
        self._watermark = -1

    def put(self, watch: Watch) -> bool:
        """Watch for an indicator, or learn more of one that is watched for; False if there is no
        room.
        """
        if watch.id not in self.watches and len(self.watches) >= self._most:
            self.left_out += 1
            return False
        self._unlist(watch.id)
        self.watches[watch.id] = watch
        of_type = self._by_type.setdefault(watch.type, {})
        of_type[watch.value] = (*of_type.get(watch.value, ()), watch)
        if watch.id in self._seen:
            self._changed.add(watch.id)
        return True

    def drop(self, identity: str) -> None:
        """It is withdrawn."""
        self._unlist(identity)
        if identity in self._seen:
            self._changed.add(identity)

    def _unlist(self, identity: str) -> None:
        watch = self.watches.pop(identity, None)
        if watch is None:
            return
        of_type = self._by_type[watch.type]
        left = tuple(one for one in of_type[watch.value] if one.id != identity)
        if left:
            of_type[watch.value] = left
        else:
            del of_type[watch.value]

    def observe(self, sightings: Sightings) -> None:
        """Look for watched indicators among one record's sightings."""
        mark = Mark(sightings.tlp or "", sightings.pap or "")
        for group in sightings.groups:
            watched = self._by_type.get(group.type)
            if not watched:
                continue
            for at, value in enumerate(group.values):
                if value in watched:
                    first, last = group.first_seen[at], group.last_seen[at]
                    for watch in watched[value]:
                        self.see(
                            watch, sightings.organisation, sightings.country, first, last, mark
                        )

    def see(
        self, watch: Watch, organisation: str, country: str, first: int, last: int, mark: Mark
    ) -> None:
        """One party's sightings of its indicator within one slice, labelled so. Times in ms."""
        length = self._lengths.get(watch.type)
        if length is None:
            return
        at = first * SLICES // length
        if (at + 1) * length <= (watch.valid_from - self._reach) * SLICES:
            return
        if watch.valid_until is not None and at * length >= watch.valid_until * SLICES:
            return
        seen = self._seen.setdefault(watch.id, Seen())
        conditions = self._terms.of(organisation)
        label = (
            conditions.label(Tlp(mark.tlp) if mark.tlp else None),
            conditions.use(Pap(mark.pap) if mark.pap else None),
        )
        if seen.note(first, country, organisation, label):
            self._changed.add(watch.id)
        elif last > seen.last:
            self._goes_on.add(watch.id)
        seen.last = max(seen.last, last)

    def remember(self, alert: Alert) -> None:
        """Take up what a predecessor told."""
        said = alert.unmapped.watch
        if said is msgspec.UNSET or said.id in self._told:
            return
        self._heard[said.id] = alert
        finding, seen = alert.finding_info, self._seen.setdefault(said.id, Seen())
        seen.first = min(seen.first, finding.first_seen_time)
        seen.last = max(seen.last, finding.last_seen_time)
        seen.countries.update(alert.unmapped.countries)
        seen.organisations.update(alert.unmapped.organisations)
        if alert.unmapped.tlp and alert.unmapped.pap:
            seen.labels.add((alert.unmapped.tlp, alert.unmapped.pap))
        self._changed.add(said.id)

    def revisions(self, watermark: int, *, everything: bool = False) -> list[Alert]:
        """What is to be told now that was not; with `everything`, times that go on as well.

        `watermark`: how far time has come, ms; nothing older is still to come.
        """
        due = self._changed | self._due(watermark, everything=everything)
        self._changed = set()
        self._goes_on -= due
        if watermark != self._watermark:
            self._watermark = watermark
            due |= self._ended(watermark)
        found: list[Alert] = []
        for identity in sorted(due):
            revision = self._revision(identity, watermark)
            if revision is not None:
                self._told[identity] = revision
                self._heard.pop(identity, None)
                found.append(revision)
        return found

    def _due(self, watermark: int, *, everything: bool) -> set[str]:
        """Of those that go on, the ones that it is time to tell of."""
        due = set()
        for identity in self._goes_on:
            told, last = self._last_told(identity), self._seen[identity].last
            before = told.finding_info.last_seen_time if told else -1
            if everything or last >= before + GOES_ON_MS or watermark >= last + GOES_ON_MS:
                due.add(identity)
        return due

    def _last_told(self, identity: str) -> Alert | None:
        return self._told.get(identity) or self._heard.get(identity)

    def _ended(self, watermark: int) -> set[str]:
        """Watches whose alerts are open, and that have come to their end."""
        return {
            identity
            for told in (self._told, self._heard)
            for identity, alert in told.items()
            if not is_closed(alert) and self._is_over(identity, watermark)
        }

    def _is_over(self, identity: str, watermark: int) -> bool:
        watch = self.watches.get(identity)
        if watch is None:
            return True
        length = self._lengths.get(watch.type, SLICES)
        until = watch.valid_until
        # What may still come may lie in the slice in which it ends.
        return until is not None and watermark * SLICES >= until * SLICES + length

    def _revision(self, identity: str, watermark: int) -> Alert | None:
        before = self._last_told(identity)
        watch, seen = self.watches.get(identity), self._seen.get(identity)
        if watch is None:
            told = before is not None and not is_closed(before)
            return staged(before, Change.CLOSED) if before is not None and told else None
        if seen is None:
            return None
        over = self._is_over(identity, watermark)
        change = Change.OPENED if before is None else Change.UPDATED
        made = watch_alert(
            watch, seen, Change.CLOSED if over else change, self._benign, self._geo, self._exercise
        )
        same = before is not None and staged(before, Change.UPDATED) == staged(made, Change.UPDATED)
        return None if before is not None and same and is_closed(before) == over else made

    def forget(self, before_ms: int) -> None:
        """Drop the watches that ended before a time, and what was told of those that are gone."""
        for watch in list(self.watches.values()):
            if watch.valid_until is not None and watch.valid_until < before_ms:
                told = self._last_told(watch.id)
                if told is None or is_closed(told):
                    self._unlist(watch.id)
        for identity in {*self._told, *self._heard, *self._seen} - self._changed:
            told = self._last_told(identity)
            if identity not in self.watches and (told is None or is_closed(told)):
                self._told.pop(identity, None)
                self._heard.pop(identity, None)
                self._seen.pop(identity, None)
                self._goes_on.discard(identity)
