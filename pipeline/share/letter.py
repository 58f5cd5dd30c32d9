"""What is written to one recipient, and how it reads. No I/O here.

A letter has an id that stays the same however often it is sent, so that whoever gets it twice can
tell. It holds what the recipient may see and nothing that depends on anything else: its thread is
the campaign's name in the recipient's own view, not ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign, Status
from pipeline.lane import BANNER
from pipeline.share.defang import defanged
from pipeline.share.filter import SEVERITIES
from pipeline.share.moment import moment
from pipeline.share.route import Victim
from pipeline.share.tlp import UNLABELLED_TLP, Tlp, tlp_of

_NAMESPACE: Final = UUID("6b0f4b0e-9a0b-5a55-8f0c-0d6a2f5be6c1")
RESOLVED: Final = 4
"""OCSF's status_id of a finding that is closed."""
MOST_NAMED: Final = 50
"""Indicators that a letter's text names; what is attached has them all."""


class Told(Struct, frozen=True, tag="campaign", tag_field="kind"):
    """One revision of what a recipient is told of a campaign.

    `thread` names it in replies; `replaces` is the thread that it went under before. `yours` are
    the recipient's own victims. `revision` counts from 1.
    """

    thread: str
    revision: int
    yours: tuple[Victim, ...]
    campaign: Campaign
    replaces: str | msgspec.UnsetType = msgspec.UNSET


class Raised(Struct, frozen=True, tag="alert", tag_field="kind"):
    """One revision of an alert, to a subscriber."""

    revision: int
    alert: Alert


class Asked(Struct, frozen=True, tag="request", tag_field="kind"):
    """A request for information; `by` is empty where whoever asks does not say who it is."""

    request: str
    thread: str
    by: str
    text: str
    tlp: str


class Answered(Struct, frozen=True, tag="answer", tag_field="kind"):
    """An answer to a request of the recipient's."""

    request: str
    thread: str
    by: str
    text: str
    tlp: str


Body = Told | Raised | Asked | Answered


class Letter(Struct, frozen=True):
    """One letter. `at`: when it was written, ms."""

    id: str
    to: str
    at: int
    body: Body

    @property
    def tlp(self) -> Tlp:
        match self.body:
            case Told():
                return tlp_of(self.body.campaign.tlp) or UNLABELLED_TLP
            case Raised():
                return UNLABELLED_TLP
            case _:
                return tlp_of(self.body.tlp) or UNLABELLED_TLP


def letter(to: str, at: int, body: Body) -> Letter:
    """The same to the same has the same id. By all that it says, not by thread and revision: what
    was one campaign may be part of another later, under a name that was used before.
    """
    says = sha256(msgspec.json.encode(body)).hexdigest()
    return Letter(str(uuid5(_NAMESPACE, f"{to}\0{says}")), to, at, body)


def substance(campaign: Campaign, yours: Iterable[Victim]) -> str:
    """What of a view is worth another letter, as a digest: not that it was seen once more.

    Who saw what, of whom and where; what became of it; how it may be passed on.
    """
    ended = campaign.status if campaign.status in {Status.CLOSED, Status.MERGED} else ""
    seen = sorted(
        {(one.type, one.value, one.organisation, one.country) for one in campaign.sightings}
    )
    said = (
        ended,
        campaign.severity,
        campaign.tlp,
        [(one.type, one.value) for one in campaign.indicators],
        sorted(seen),
        campaign.unnamed or 0,
        bool(campaign.withdrawn),
        campaign.label.verdict if campaign.label else "",
        sorted(yours),
    )
    return sha256(msgspec.json.encode(said)).hexdigest()


def substance_of_alert(alert: Alert) -> str:
    """As `substance`, of an alert."""
    said = alert.unmapped
    says = (alert.severity_id, alert.status_id == RESOLVED, said.countries, said.organisations)
    return sha256(msgspec.json.encode(says)).hexdigest()


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Letter).decode


def subject(one: Letter) -> str:
    """A line that tells nothing but how it may be passed on, and what kind of thing it is."""
    what = {Told: "campaign", Raised: "alert", Asked: "request", Answered: "answer"}[type(one.body)]
    banner = f"{BANNER}: " if is_exercise(one) else ""
    return f"{banner}[TLP:{one.tlp}] Sightline: {what} {reference(one)}"


def is_exercise(one: Letter) -> bool:
    """Whether what it is about is not meant."""
    match one.body:
        case Told():
            return bool(one.body.campaign.exercise)
        case Raised():
            return bool(one.body.alert.unmapped.exercise)
    return False


def reference(one: Letter) -> str:
    """By what people speak of it."""
    match one.body:
        case Told():
            return one.body.thread
        case Raised():
            return one.body.alert.finding_info.uid
        case _:
            return one.body.request


def text(one: Letter) -> str:
    """The letter as a person reads it; indicators are defanged."""
    match one.body:
        case Told():
            lines = _told(one.body)
        case Raised():
            lines = _raised(one.body.alert)
        case Asked():
            who = one.body.by or "Somebody who was told of it, too,"
            lines = [f"{who} asks about campaign {one.body.thread}:", "", *quoted(one.body.text),
                     "", f"Answer: sightline reply --request {one.body.request} TEXT"]  # fmt: skip
        case Answered():
            who = one.body.by or "Somebody who was told of it, too,"
            lines = [f"{who} answers your request {one.body.request}:", "", *quoted(one.body.text)]
    banner = [BANNER, ""] if is_exercise(one) else []
    return "\n".join((*banner, f"TLP:{one.tlp}", "", *lines, ""))


def quoted(said: str) -> list[str]:
    """What others wrote, told apart from what we say."""
    return [f"> {line}" for line in said.splitlines()]


def _told(body: Told) -> list[str]:
    of = body.campaign
    lines = [f"Campaign {body.thread}, revision {body.revision}: {_state(of)}"]
    if body.replaces:
        lines.append(f"It was called {body.replaces} before.")
    if mine := [_place(one) for one in body.yours]:
        lines.append(f"Seen in your constituency: {', '.join(mine)}")
    others = sorted(
        {
            _place(Victim(seen.country, seen.organisation))
            for seen in of.sightings
            if Victim(seen.country, seen.organisation) not in body.yours
        }
    )
    if others:
        lines.append(f"Seen elsewhere: {', '.join(others)}")
    if of.unnamed:
        lines.append(f"Of all these, organisations without a name here: {of.unnamed}")
    lines += [
        f"First seen: {moment(of.first_seen)}",
        f"Last seen: {moment(of.last_seen)}",
        f"Severity: {_severity(of.severity)}",
        f"Confidence: {of.confidence} of 100, {of.confidence_word}",
        "",
        "Indicators:",
        *(f"  {one.type} {defanged(one.type, one.value)}" for one in of.indicators[:MOST_NAMED]),
    ]
    if (more := len(of.indicators) - MOST_NAMED) > 0:
        lines.append(f"  and {more} more, which are attached")
    lines += ["", f"Answer: sightline reply {body.thread} received|handled|not-ours|need-more"]
    return lines


def _state(of: Campaign) -> str:
    if of.withdrawn:
        return "withdrawn; what was told does not hold"
    if of.label:
        return f"{of.label.verdict}, as was found"
    if of.status is Status.MERGED:
        return "part of another campaign now"
    return "over" if of.status is Status.CLOSED else "going on"


def _place(one: Victim) -> str:
    if not one.country:
        return one.organisation or "a country that is not told"
    return f"{one.organisation} ({one.country})" if one.organisation else one.country


def _severity(number: int) -> str:
    names = {value: name for name, value in SEVERITIES.items()}
    return names.get(number, str(number))


def _raised(alert: Alert) -> list[str]:
    one, said = alert.observables[0], alert.unmapped
    return [
        f"Alert {alert.finding_info.uid}: {alert.finding_info.title}",
        f"Indicator: {one.name} {defanged(one.name, one.value)}",
        f"Seen in: {', '.join(said.countries)}",
        f"By: {', '.join(said.organisations)}",
        f"First seen: {moment(alert.finding_info.first_seen_time)}",
        f"Last seen: {moment(alert.finding_info.last_seen_time)}",
        f"Severity: {_severity(alert.severity_id)}",
    ]
