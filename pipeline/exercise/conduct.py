"""Whether the right ones were notified, of no more than they may know, and answered in time.

By what an exercise's lane holds: letters, rulings and replies, held against the directory, the
terms and the truth once more. A team is a country: its victims, and its CSIRTs. No I/O here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from pipeline.campaign.campaign import Campaign, Seen, Status
from pipeline.share.directory import OPERATOR
from pipeline.share.ledger import Entry
from pipeline.share.letter import Told
from pipeline.share.release import Recipient, csirt, release
from pipeline.share.reply import Reply, Said
from pipeline.share.route import Routes, Victim, route
from pipeline.share.ruling import Open, Ruling
from pipeline.share.terms import Terms

_What = tuple[str, str, str, str]
"""A sighting by what it says: type, value, organisation, country."""


class Conduct(Struct, frozen=True):
    """Of one team. Routing: `due` are a real campaign and a CSIRT that is to hear of it for the
    team's victims, by the directory or by a person's ruling, as far as their terms let it;
    `routed` are those that were told, `astray` letters to the team's CSIRTs that were due to
    nobody, `unruled` questions that nobody answered. TLP: `letters` to its CSIRTs, and how many
    are `breaches`: they say more than it may know, or under a weaker label. Clocks: of the
    campaigns that its CSIRTs were told of, how many they answered `in_time`, `late` or `never`.
    """

    due: int
    routed: int
    astray: int
    unruled: int
    letters: int
    breaches: int
    in_time: int
    late: int
    never: int


class Heard(NamedTuple):
    """What a CSIRT wrote back, and when the broker had it, ms."""

    by: str
    at: int
    said: Said


class Post(Struct, frozen=True):
    """What the topics hold. `first`: by what it is about and to whom, when the first letter was
    written, ms; `newest` likewise, the newest.
    """

    first: Mapping[tuple[str, str], int] = {}
    newest: Mapping[tuple[str, str], Entry] = {}
    heard: Sequence[Heard] = ()
    rulings: Sequence[Ruling] = ()
    questions: Sequence[Open] = ()


class Lane(Struct, frozen=True):
    """All that conduct is judged by. `real`: ids of campaigns that are; `at`: when it ended, ms;
    `within_ms`: how long a CSIRT may take to answer.
    """

    routes: Routes
    terms: Terms
    campaigns: Sequence[Campaign]
    real: Collection[str]
    post: Post
    at: int
    within_ms: int


def conduct(team: str, lane: Lane) -> Conduct:
    """How one team, a country, did."""
    due: set[tuple[str, str]] = set()
    everybody: set[tuple[str, str]] = set()
    about: dict[str, set[_What]] = {}
    for campaign in lane.campaigns:
        for name, victims in _due(campaign, lane).items():
            everybody.add((campaign.id, name))
            about.setdefault(name, set()).update(
                _what(row)
                for row in campaign.sightings
                if Victim(row.country, row.organisation) in victims
            )
            if campaign.id in lane.real and any(one.country == team for one in victims):
                due.add((campaign.id, name))
    ours = {name for name, of in lane.routes.csirts.items() if of.country == team}
    told = {key: one for key, one in lane.post.newest.items() if isinstance(one.letter.body, Told)}
    to_us = {key: one for key, one in told.items() if key[1] in ours}
    in_time, late = _answered(to_us, lane)
    standing = {one.id for one in lane.campaigns}
    return Conduct(
        due=len(due),
        routed=len(due & told.keys()),
        # Of a campaign that went into another nobody can say any more whose it was; of one that was
        # split, what the letter was about is another's now.
        astray=sum(
            key not in everybody
            and key[0] in standing
            and about.get(key[1], set()).isdisjoint(_said(one))
            for key, one in to_us.items()
        ),
        unruled=sum(one.question.victim.country == team for one in lane.post.questions),
        letters=len(to_us),
        breaches=sum(_is_breach(one, lane) for one in to_us.values()),
        in_time=in_time,
        late=late,
        never=len(to_us) - in_time - late,
    )


def _due(campaign: Campaign, lane: Lane) -> dict[str, list[Victim]]:
    """Who is to hear of a campaign, and for which victims."""
    if campaign.status is Status.MERGED:
        return {}
    found: dict[str, list[Victim]] = {}
    ruled = [one for one in lane.post.rulings if one.campaign == campaign.id and one.to]
    for name in lane.routes.csirts:
        view = release(campaign, lane.terms, _as(name, lane), lane.at)
        if view is None:
            continue
        seen = {Victim(one.country, one.organisation) for one in view.sightings}
        victims = list(route(lane.routes, seen, lane.at).to.get(name, ()))
        victims += [one.victim for one in ruled if one.to == name]
        if victims:
            found[name] = victims
    return found


def _as(name: str, lane: Lane) -> Recipient:
    return csirt(name, lane.routes.csirts[name].country)


def _is_breach(entry: Entry, lane: Lane) -> bool:
    """Whether a letter says what its recipient may not know, by any campaign that there is: one
    may have been told of a member when that was in another.
    """
    body = entry.letter.body
    assert isinstance(body, Told)
    of = _as(entry.to, lane)
    views = [
        view
        for campaign in lane.campaigns
        if (view := release(campaign, lane.terms, of, lane.at)) is not None
    ]
    told = body.campaign
    allowed = {_what(row) for view in views for row in view.sightings}
    if not _said(entry) <= allowed:
        return True
    members = {one for view in views for one in view.indicators}
    names = {name for view in views for name in (*view.organisations, *view.countries)}
    if not set(told.indicators) <= members or not {*told.organisations, *told.countries} <= names:
        return True
    same = next((one for one in views if one.sightings == told.sightings), None)
    return same is not None and told.tlp.strictness < same.tlp.strictness


def _said(entry: Entry) -> set[_What]:
    assert isinstance(entry.letter.body, Told)
    return {_what(row) for row in entry.letter.body.campaign.sightings}


def _what(row: Seen) -> _What:
    return row.type, row.value, row.organisation, row.country


def _answered(told: Mapping[tuple[str, str], Entry], lane: Lane) -> tuple[int, int]:
    """How many were answered in time, and late."""
    first = _first_words(lane.post.heard)
    in_time = late = 0
    for key, entry in told.items():
        answered = first.get((entry.to, entry.thread))
        if answered is None:
            continue
        if answered - lane.post.first.get(key, entry.letter.at) <= lane.within_ms:
            in_time += 1
        else:
            late += 1
    return in_time, late


def _first_words(heard: Iterable[Heard]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for one in heard:
        if isinstance(one.said, Reply) and one.by != OPERATOR:
            key = one.by, one.said.thread
            found[key] = min(found.get(key, one.at), one.at)
    return found
