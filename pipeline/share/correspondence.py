"""Campaigns and alerts to letters: to whom, with what in them, and when another one. No I/O here.

What a CSIRT gets is worked out from its own view of a campaign alone, whether it gets anything
included: so nothing that it may not see can be told from a letter, or from there being none. What a
person is asked is worked out from all of it, and goes to the operator only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign, Status
from pipeline.share import letter as letters
from pipeline.share import release as policy
from pipeline.share.asker import Asker, Askers
from pipeline.share.directory import OPERATOR, Csirt
from pipeline.share.filter import Condition, Fault
from pipeline.share.ledger import Entry, Ledger, Way
from pipeline.share.letter import Answered, Asked, Body, Raised, Told, substance, substance_of_alert
from pipeline.share.reply import EVERYBODY, Answer, Reply, Request, Said, identity
from pipeline.share.route import Routes, Victim, is_stale, route, victims
from pipeline.share.ruling import Open, Ruling
from pipeline.share.subject import Subject, of_alert, of_campaign
from pipeline.share.subscriber import EVERYTHING, Delivery, Subscriber
from pipeline.share.suppression import Suppressions
from pipeline.share.terms import Terms
from pipeline.share.tlp import UNLABELLED_TLP
from pipeline.share.way import ways_to_csirt, ways_to_subscriber

_CLOSED: Final = frozenset({Status.CLOSED, Status.MERGED})


class Correspondence:
    """What is known, and what follows from it. `hold_ms`: at least so long between two letters to
    one recipient about one thing, but for the last.
    """

    def __init__(self, routes: Routes, terms: Terms, delivery: Delivery, *, hold_ms: int) -> None:
        self.ledger = Ledger()
        self.suppressions = Suppressions()
        self.open: dict[str, Open] = {}
        self.latest = 0
        """How far time has come in what was seen, ms."""
        self.held: set[str] = set()
        """Campaigns and alerts with a letter that was too soon."""
        self.suppressed = 0
        self.ignored = 0
        """Replies to what their sender was not told."""
        self._routes = routes
        self._terms = terms
        self._delivery = delivery
        self._hold_ms = hold_ms
        self._campaigns: dict[str, Campaign] = {}
        self._alerts: dict[str, Alert] = {}
        self._rulings: dict[str, dict[Victim, Ruling]] = {}
        self._askers = Askers()
        homes = {of.id: of.country for of in routes.organisations}
        self._subscribers = [
            (one, condition, _recipient(one, homes))
            for one in delivery.subscribers
            if not isinstance(condition := one.condition, Fault)
        ]

    def campaign(self, one: Campaign) -> None:
        """Note the newest revision."""
        self.latest = max(self.latest, one.last_seen)
        if one.status in _CLOSED and not self.ledger.about(one.id):
            self._campaigns.pop(one.id, None)
        else:
            self._campaigns[one.id] = one

    def alert(self, one: Alert) -> None:
        """Note the newest revision."""
        name = one.finding_info.uid
        if one.status_id == letters.RESOLVED and not self.ledger.about(name):
            self._alerts.pop(name, None)
        else:
            self._alerts[name] = one

    def rule(self, ruling: Ruling) -> None:
        """Note what a person decided."""
        self._rulings.setdefault(ruling.campaign, {})[ruling.victim] = ruling

    @property
    def standing(self) -> list[str]:
        """Ids of all campaigns and alerts that there are."""
        return [*self._campaigns, *self._alerts]

    def due(self, about: str, at: int) -> list[Entry]:
        """Letters that are to be written now about a campaign or an alert."""
        self.held.discard(about)
        if campaign := self._campaigns.get(about):
            entries = [*self._to_csirts(campaign, at), *self._to_subscribers(campaign, at)]
        elif alert := self._alerts.get(about):
            entries = list(self._of_alert(alert, at))
            if alert.status_id == letters.RESOLVED:
                del self._alerts[about]
        else:
            return []
        return entries

    def questions(self, about: str, at: int) -> tuple[list[Open], list[str]]:
        """What a person is newly asked of a campaign, and keys of what is no question any more."""
        campaign = self._campaigns.get(about)
        asked: dict[str, Open] = {}
        if campaign is not None and campaign.status not in _CLOSED:
            ruled = self._rulings.get(about, {})
            for question in route(self._routes, victims(campaign), at).questions:
                if question.victim not in ruled:
                    made = Open(about, question)
                    asked[made.key] = made
        before = {key for key, one in self.open.items() if one.campaign == about}
        gone = sorted(before - asked.keys())
        new = [one for key, one in asked.items() if self.open.get(key) != one]
        for key in gone:
            del self.open[key]
        self.open |= asked
        return new, gone

    def _to_csirts(self, campaign: Campaign, at: int) -> Iterable[Entry]:
        ruled = {one.to for one in self._rulings.get(campaign.id, {}).values() if one.to}
        told = {entry.to for entry in self.ledger.about(campaign.id)}
        holding = {name for victim in victims(campaign) for name in self._routes.everybody(victim)}
        for name in sorted(holding | ruled | told):
            csirt = self._routes.csirts.get(name)
            if csirt is None or (is_stale(csirt, at) and name not in ruled):
                continue
            recipient = policy.csirt(csirt.id, csirt.country)
            view = policy.release(campaign, self._terms, recipient, self.latest)
            if view is None:
                continue
            shown = victims(view)
            yours = set(route(self._routes, shown, at).to.get(name, ()))
            yours |= {
                one.victim
                for one in self._rulings.get(campaign.id, {}).values()
                if one.to == name and one.victim in shown
            }
            if yours or name in ruled or name in told:
                ways = ways_to_csirt(csirt, self._delivery)
                entry = self._told(campaign.id, name, view, tuple(sorted(yours)), ways, at)
                if entry is not None:
                    yield entry

    def _to_subscribers(self, campaign: Campaign, at: int) -> Iterable[Entry]:
        for one, condition, recipient in self._subscribers:
            if "campaigns" not in one.hears:
                continue
            view: Campaign | None = campaign
            if recipient is not None:
                view = policy.release(campaign, self._terms, recipient, self.latest)
            if view is None or not self._wanted(
                of_campaign(view, self._rules(view)), condition, campaign.id, one.id, at
            ):
                continue
            ways = ways_to_subscriber(one)
            entry = self._told(campaign.id, one.id, view, (), ways, at)
            if entry is not None:
                yield entry

    def _rules(self, campaign: Campaign) -> list[str]:
        """Of those of its alerts that are known."""
        return [
            said
            for name in campaign.alerts
            if (alert := self._alerts.get(name)) is not None
            for said in (alert.finding_info.analytic.uid, alert.finding_info.analytic.name)
        ]

    def _wanted(self, subject: Subject, condition: Condition, about: str, to: str, at: int) -> bool:
        """Whether it passes the filter, or passed it before; and nothing hides it."""
        if not condition.holds(subject) and self.ledger.get(about, to) is None:
            return False
        if self.suppressions.hiding(subject, at) is not None:
            self.suppressed += 1
            return False
        return True

    def _told(
        self,
        about: str,
        to: str,
        view: Campaign,
        yours: tuple[Victim, ...],
        ways: Iterable[str],
        at: int,
    ) -> Entry | None:
        before = self.ledger.get(about, to)
        ended = view.status in _CLOSED or bool(view.withdrawn)
        says = substance(view, yours)
        if not self._is_due(about, before, says, at, ended=ended):
            return None
        renamed = before is not None and before.thread != view.id
        body = Told(
            thread=view.id,
            revision=before.revision + 1 if before else 1,
            yours=yours,
            campaign=view,
            replaces=before.thread if before and renamed else msgspec.UNSET,
        )
        return self._entry(about, to, view.id, body.revision, says, body, ways, at, ended=ended)

    def _of_alert(self, alert: Alert, at: int) -> Iterable[Entry]:
        name, subject = alert.finding_info.uid, of_alert(alert)
        for one, condition, _ in self._subscribers:
            if "alerts" not in one.hears:
                continue
            if not self._wanted(subject, condition, name, one.id, at):
                continue
            before = self.ledger.get(name, one.id)
            says, ended = substance_of_alert(alert), alert.status_id == letters.RESOLVED
            if not self._is_due(name, before, says, at, ended=ended):
                continue
            revision = before.revision + 1 if before else 1
            body = Raised(revision, alert)
            yield self._entry(
                name, one.id, name, revision, says, body, ways_to_subscriber(one), at, ended=ended
            )

    def _is_due(self, about: str, before: Entry | None, says: str, at: int, *, ended: bool) -> bool:
        if before is None:
            return not ended  # what was over before anybody was told of it is no news
        if before.substance == says:
            return False
        if at - before.letter.at < self._hold_ms and not ended:
            self.held.add(about)
            return False
        return True

    def _entry(
        self,
        about: str,
        to: str,
        thread: str,
        revision: int,
        says: str,
        body: Body,
        ways: Iterable[str],
        at: int,
        *,
        ended: bool,
    ) -> Entry:
        entry = Entry(
            about,
            to,
            thread,
            revision,
            says,
            letters.letter(to, at, body),
            {way: Way(at=at) for way in ways},
            ended,
        )
        self.ledger.draft(entry)
        return entry

    def said(self, by: str, said: Said, at: int) -> list[Entry]:
        """Letters that follow from what a recipient, or the operator, has written."""
        match said:
            case Reply():
                known = self.ledger.thread(by, said.thread) is not None
                found: list[Entry] | None = [] if known else None
            case Request():
                found = self._ask(by, said, at)
            case Answer():
                found = self._answer(by, said, at)
        if found is None:
            self.ignored += 1
            return []
        return found

    def _ask(self, by: str, said: Request, at: int) -> list[Entry] | None:
        about = self._meant(by, said.thread)
        if about is None:
            return None
        request = identity(by, said)
        if not self._askers.may(by, request, at):
            return None
        self._askers.remember(request, Asker(by, about, said.thread))
        entries = []
        for told in self.ledger.about(about):
            csirt = self._routes.csirts.get(told.to)
            if csirt is None or told.to == by or not _is_meant(csirt, said.to):
                continue
            if self.ledger.get(request, told.to) is not None:
                continue
            body = Asked(request, told.thread, by if said.named else "", said.text, UNLABELLED_TLP)
            ways = ways_to_csirt(csirt, self._delivery)
            entries.append(
                self._entry(request, told.to, told.thread, 1, "", body, ways, at, ended=True)
            )
        return entries

    def remember(self, by: str, said: Said) -> None:
        """Note what was written before, and has led to its letters."""
        if isinstance(said, Request) and (about := self._meant(by, said.thread)) is not None:
            self._askers.remember(identity(by, said), Asker(by, about, said.thread))

    def _meant(self, by: str, thread: str) -> str | None:
        """Our own id of what a recipient calls so; the operator uses ours."""
        if by == OPERATOR:
            return thread if self.ledger.about(thread) else None
        entry = self.ledger.thread(by, thread)
        return entry.about if entry and isinstance(entry.letter.body, Told) else None

    def _answer(self, by: str, said: Answer, at: int) -> list[Entry] | None:
        asker = self._askers.get(said.request)
        if asker is None or (by != OPERATOR and self.ledger.get(said.request, by) is None):
            return None
        csirt = self._routes.csirts.get(asker.by)
        name = identity(by, said)
        if csirt is None or self.ledger.get(name, asker.by) is not None:
            return []  # the operator asked, and reads the answer where it was written
        body = Answered(
            said.request, asker.thread, by if said.named else "", said.text, UNLABELLED_TLP
        )
        ways = ways_to_csirt(csirt, self._delivery)
        return [self._entry(name, asker.by, asker.thread, 1, "", body, ways, at, ended=True)]


def _is_meant(csirt: Csirt, to: str) -> bool:
    return to in {EVERYBODY, csirt.id, csirt.country}


def _recipient(one: Subscriber, homes: Mapping[str, str]) -> policy.Recipient | None:
    """As whom it sees; None for everything. Of an organisation that is not known: nothing."""
    if one.sees == EVERYTHING:
        return None
    return policy.organisation(one.sees, homes.get(one.sees, ""))
