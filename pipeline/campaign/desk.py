"""All that the campaign stage knows, and what it tells. No I/O here.

What was seen is joined (`pipeline.campaign.evidence`), alerts and labels stand by their ids: order
and duplicates change nothing. So nothing of it need be written down: a desk that is set up anew
reads sightings, alerts and labels once more from the beginning, and what it had told before, and
goes on. What it tells in the end is a function of what it read.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipeline.alert import Alert
from pipeline.benign import Benign
from pipeline.campaign.campaign import Campaign, campaigns
from pipeline.campaign.confidence import Trust
from pipeline.campaign.evidence import LEAST_COUNTRIES, Evidence, Marked
from pipeline.campaign.group import Grouping, candidates, groups
from pipeline.campaign.label import Label, Labels, Verdict
from pipeline.campaign.life import is_over, revise
from pipeline.campaign.match import Match, match_of
from pipeline.share.mark import UNMARKED
from pipeline.share.terms import Terms
from pipeline.sight import Sightings
from pipeline.watch import Watch, is_watched
from pipeline.watching import Watching

HORIZON_MS = 7 * 86_400_000
"""How long what was seen is evidence."""
MOST_FACTS = 4_000_000
_STEPS = 8
"""Looks that are taken in a horizon at the least, however fast time goes."""


class Desk:
    """What was seen, what was raised, what was said, and what was told."""

    def __init__(
        self,
        lengths: Mapping[str, int],
        benign: Benign,
        terms: Terms,
        horizon_ms: int = HORIZON_MS,
        most: int = MOST_FACTS,
        watching: Watching | None = None,
        exercise: str = "",
        least_countries: int = LEAST_COUNTRIES,
    ) -> None:
        """`lengths`, `least_countries`: as of `Evidence`; `terms`: of those who see; `exercise`:
        whose lane it is of, "" for the live one.
        """
        self.exercise = exercise
        self.evidence = Evidence(lengths, least_countries)
        self.watching = watching or Watching(lengths, benign, terms, horizon_ms, exercise=exercise)
        self.told: dict[str, Campaign] = {}
        self.changed = False
        """Has anything come since the last look?"""
        self.shed = 0
        """Facts that were given up for want of room."""
        self.expired = 0
        """Facts that were forgotten in their time."""
        self._benign = benign
        self._terms = terms
        self._horizon = horizon_ms
        self._most = most
        self._step = -1
        self._matches: dict[str, Match] = {}
        self._merged: dict[str, int] = {}
        """Alerts that were merged, and when each was last seen, ms."""
        self._labels = Labels()

    def observe(self, sightings: Sightings) -> int:
        """Join one record's sightings; how many there were."""
        self.changed = True
        count = self.evidence.observe(sightings)
        self.watching.observe(sightings)
        if self.evidence.count > self._most:
            self._shed()
        return count

    def raise_(self, alert: Alert) -> None:
        """Take the newest revision of an alert.

        One on a watched indicator is no part of campaigns: these come of what was seen alone, and
        are the same whoever shared what.
        """
        if is_watched(alert):
            self.watching.remember(alert)
            return
        match = match_of(alert)
        self.changed = True
        if match is None:
            finding = alert.finding_info
            self._matches.pop(finding.uid, None)
            self._merged[finding.uid] = finding.last_seen_time
        else:
            self._matches[match.id] = match

    def label(self, label: Label) -> None:
        """Take what an analyst says."""
        self.changed = True
        self._labels.add(label)

    def watch(self, watch: Watch) -> None:
        """Watch for an indicator, and look for it in what was seen."""
        if not self.watching.put(watch):
            return
        facts = self.evidence.facts.get(watch.indicator, {})
        for (party, _), fact in facts.items():
            of = self.evidence.parties.all[party]
            for each in fact.marked or (Marked(UNMARKED, fact.first, fact.last),):
                self.watching.see(
                    watch, of.organisation, of.country, each.first, each.last, each.mark
                )

    def remember(self, campaign: Campaign) -> None:
        """Take up what a predecessor told."""
        self.told[campaign.id] = campaign

    def due(self, watermark: int) -> bool:
        """Has time come so far that a look must be taken, before what was seen is out of sight?

        `watermark`: how far it has come, ms; nothing older is still to come.
        """
        if watermark < 0:
            return False
        step = watermark * _STEPS // self._horizon
        before, self._step = self._step, max(step, self._step)
        return 0 <= before < step

    def look(self, watermark: int, *, whole: bool = True) -> list[Campaign]:
        """What is to be told now that was not. `watermark` as of `due`; `whole`: as of `revise`."""
        # All of it was looked at while it was in sight: see `due`.
        self._forget(watermark - self._horizon)
        evidence, labels = self.evidence, self._labels
        found, matches = self.groups(), self._matches.values()
        now = campaigns(evidence, found, matches, self._terms, self._trust())
        if self.exercise:
            now = [msgspec.structs.replace(one, exercise=self.exercise) for one in now]
        raised = self._matches.keys() | self._merged.keys()
        revisions = revise(
            self.told, now, evidence.facts, raised, evidence.latest, labels, whole=whole
        )
        self.told.update((one.id, one) for one in revisions)
        self.changed = False
        return revisions

    def groups(self) -> list[Grouping]:
        """What belongs together by all that is known now, and why each member does."""
        evidence = self.evidence
        endemic = {match.indicator for match in self._matches.values() if match.endemic}
        out = endemic | self._labels.left_out()
        members = {
            one for one in candidates(evidence) if one not in out and not self._benign.lists(*one)
        }
        return groups(evidence, members)

    def matches(self) -> Mapping[str, Match]:
        """By id, the alerts that stand."""
        return self._matches

    def _trust(self) -> Trust:
        trust = Trust(self._terms.trust)
        for label in self._labels.standing:
            if label.verdict is not Verdict.BENIGN:
                trust.note(label.organisations, right=label.verdict is Verdict.CONFIRMED)
        return trust

    def _forget(self, before_ms: int) -> None:
        """What is older is no evidence any more; what was told is remembered twice as long."""
        if before_ms <= 0:
            return
        self.watching.forget(before_ms)
        self.expired += self.evidence.forget(before_ms)
        self._forget_alerts(before_ms)
        long_ago = before_ms - self._horizon
        ended = [one.id for one in self.told.values() if one.last_seen < long_ago and is_over(one)]
        for identity in ended:  # the others are told to have ended first
            del self.told[identity]

    def _forget_alerts(self, before_ms: int) -> None:
        for identity in [m.id for m in self._matches.values() if m.last_seen < before_ms]:
            del self._matches[identity]
        for identity in [one for one, last in self._merged.items() if last < before_ms]:
            del self._merged[identity]

    def _shed(self) -> None:
        """Give up the oldest facts, so that an eighth of the room is free, and alerts as old."""
        before = self.evidence.count
        upto = self.evidence.give_up(before - self._most + self._most // 8)
        self.shed += before - self.evidence.count
        self._forget_alerts(upto)
