"""What is to be told of campaigns, by what was told before. No I/O here.

What the evidence comes to is worked out anew each time (`pipeline.campaign.campaign`), and stands.
What was told before and is no more leads on to what stands now:

    its members are in another now           merged into it; the older one's name stays
    its members are out of sight for good    closed, as it was last told
    its members have nothing in common now   withdrawn

And what is new but was a part of another is split from it. Evidence is kept for a horizon only: a
campaign that goes on for longer keeps its name, and what was told of it that is out of sight.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from pipeline.campaign.campaign import (
    Campaign,
    Member,
    Seen,
    Status,
    bounded,
    identity,
    oldest_first,
    status,
)
from pipeline.campaign.label import Labels
from pipeline.campaign.room import fitted
from pipeline.campaign.verdict import judged, labelled
from pipeline.indicator import Indicator
from pipeline.share.tlp import strictest_pap, strictest_tlp

_ENDED = (Status.CLOSED, Status.MERGED)
_INFORMATIONAL = 1
replace = msgspec.structs.replace


def revise(
    told: Mapping[str, Campaign],
    now: Iterable[Campaign],
    known: Collection[Indicator],
    raised: Collection[str],
    latest: int,
    labels: Labels,
    *,
    whole: bool = True,
) -> list[Campaign]:
    """The revisions to be told, the oldest campaign first.

    `told`: what was told last, by id; `now`: what the evidence comes to, the oldest first; `known`:
    the indicators that are in sight, `raised`: the alerts; `latest`: how far time has come, ms;
    `whole`: all that led to what was told has been read, so that what is not there is no more.
    """
    standing = sorted((one for one in told.values() if _stands(one)), key=oldest_first)
    fresh = [one for one in now if not _old_news(one, standing, known, raised, labels)]
    named = _keep_names(standing, fresh, known, raised)
    # Of that name, whatever it is named after now: what an analyst said of it stands.
    kept = [fitted(judged(one, labels.of(one.id))) for one in named]
    by_id = {one.id: one for one in kept}
    revisions = [_split(told, standing, one, by_id) for one in kept]
    for before in standing if whole else ():
        if before.id not in by_id and before.status is not Status.CLOSED:
            revisions.append(_gone(before, kept, known, latest, labels))
    if whole:  # what is over may be labelled still
        over = (one for one in told.values() if one.status is Status.CLOSED)
        revisions += [labelled(one, labels.of(one.id)) for one in over if one.id not in by_id]
    changed = [one for one in revisions if told.get(one.id) != one]
    return sorted(changed, key=oldest_first)


def is_over(one: Campaign) -> bool:
    """Is nothing more to be told of it, unless it comes back?"""
    return one.status in _ENDED


def _stands(one: Campaign) -> bool:
    return one.status is not Status.MERGED and one.withdrawn is msgspec.UNSET


def _old_news(
    one: Campaign,
    standing: Iterable[Campaign],
    known: Collection[Indicator],
    raised: Collection[str],
    labels: Labels,
) -> bool:
    """Is it what is left in sight of one that was closed, and of which the same is said?"""
    return any(
        before.status is Status.CLOSED
        and (before.alerts[0] not in raised or _aged(before, known))
        and before.label == labelled(before, labels.of(before.id)).label
        and one.last_seen <= before.last_seen
        and set(one.indicators) <= set(before.indicators)
        for before in standing
    )


def _aged(one: Campaign, known: Collection[Indicator]) -> list[Member]:
    """Its members that are out of sight."""
    return [each for each in one.indicators if (each.type, each.value) not in known]


def _keep_names(
    standing: Iterable[Campaign],
    now: Iterable[Campaign],
    known: Collection[Indicator],
    raised: Collection[str],
) -> list[Campaign]:
    """Campaigns of now, with the names and the parts of theirs that are out of sight."""
    taken = {one.id for one in now}
    kept: list[Campaign] = []
    for one in now:
        mine = one
        members = set(one.indicators)
        for before in standing:
            if members.isdisjoint(before.indicators):
                continue
            out_of_sight = before.alerts[0] not in raised
            if before.id != one.id and (before.id in taken or not out_of_sight):
                continue
            # What it was named after is out of sight: the name stays.
            taken.add(before.id)
            aged = _aged(before, known)
            if aged or out_of_sight:
                mine = _with_past(replace(mine, id=before.id), before, aged)
        kept.append(mine)
    return sorted(kept, key=oldest_first)


def _with_past(one: Campaign, before: Campaign, aged: Collection[Member]) -> Campaign:
    seen = {_whose(each): each for each in before.sightings}
    for each in one.sightings:
        past = seen.get(_whose(each), each)
        seen[_whose(each)] = replace(
            each,
            first_seen=min(each.first_seen, past.first_seen),
            last_seen=max(each.last_seen, past.last_seen),
            slices=max(each.slices, past.slices),
        )
    sightings, omitted = bounded(seen.values())
    # What was left out before, and is in sight, is left out once more: it must not count twice.
    omitted = max(omitted + (one.sightings_omitted or 0), before.sightings_omitted or 0)
    return replace(
        one,
        sightings=sightings,
        sightings_omitted=omitted or msgspec.UNSET,
        indicators_omitted=before.indicators_omitted,
        alerts_omitted=before.alerts_omitted,
        tlp=strictest_tlp((one.tlp, before.tlp)),
        pap=strictest_pap(of.pap for of in (one, before) if of.pap),
        first_seen=min(one.first_seen, before.first_seen),
        first_told=min(one.first_told, before.first_told),
        indicators=(*one.indicators, *(each for each in aged if each not in one.indicators)),
        countries=tuple(sorted({*one.countries, *before.countries})),
        organisations=tuple(sorted({*one.organisations, *before.organisations})),
        alerts=tuple(dict.fromkeys((*before.alerts, *one.alerts))),
        reasons=(*one.reasons, *(r for r in before.reasons if Member(r.type, r.value) in aged)),
    )


def _whose(seen: Seen) -> tuple[str, ...]:
    tlp, pap = seen.tlp or "", seen.pap or ""
    return seen.type, seen.value, seen.organisation, seen.country, tlp, pap


def _split(
    told: Mapping[str, Campaign],
    standing: Iterable[Campaign],
    one: Campaign,
    by_id: Mapping[str, Campaign],
) -> Campaign:
    """One of now, with whom it came of."""
    before = told.get(one.id)
    if before is not None and _stands(before):
        return replace(one, split_from=before.split_from)
    named = next((m for m in one.indicators if identity((m.type, m.value)) == one.id), None)
    for other in standing:
        if other.id != one.id and other.id in by_id and named in other.indicators:
            return replace(one, split_from=other.id)
    return one


def _gone(
    before: Campaign,
    now: Iterable[Campaign],
    known: Collection[Indicator],
    latest: int,
    labels: Labels,
) -> Campaign:
    """What became of one that is no more."""
    members = set(before.indicators)
    heirs = sorted(
        (-len(members.intersection(one.indicators)), *oldest_first(one))
        for one in now
        if not members.isdisjoint(one.indicators)
    )
    if heirs:
        return replace(before, status=Status.MERGED, merged_into=heirs[0][2])
    aged = len(_aged(before, known)) == len(before.indicators)
    ended = status(before.grown_at, before.last_seen, latest) is Status.CLOSED
    if aged or ended:
        return labelled(replace(before, status=Status.CLOSED), labels.of(before.id))
    return replace(before, status=Status.CLOSED, severity=_INFORMATIONAL, withdrawn=True)
