"""In how many members of an alliance campaigns were seen, and nothing else of them. No I/O here.

It may be told where the campaigns themselves may not: no indicator, no name, no country, no id. An
alliance agrees to it in its policy. What is told is bounded, so that it cannot be asked for more:

    a day    is told once, when it is over, and never again, whatever is learnt of it later
    who      counts with what is not RED
    number   from `least` members (3 or more) that would be left without any one of them, rounded
             down to a step: one member more or less, such as oneself, mostly shows in nothing, and
             nobody brings a campaign over the least by seeing it himself
    when     a campaign is told of on the day by which so many had seen it: once for each step

What is left: on a day on which little happens a member knows that its own campaign is meant, and
that at least as many others saw it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from pipeline.campaign.campaign import Campaign, Status
from pipeline.share.release import Reader
from pipeline.share.terms import Terms
from pipeline.share.tlp import Tlp

DAY_MS = 86_400_000
STEPS = (3, 5, 10, 20, 50, 100, 200, 500, 1_000)
LEAST = STEPS[0]


class Counts(Struct, frozen=True):
    """One day, from `since` to before `until`, ms: of each campaign that so many members had come
    to see by then, how many at the least; the most first. `version`: of the alliance.
    """

    alliance: str
    version: int
    since: int
    until: int
    members: tuple[int, ...]


def counts(
    campaigns: Iterable[Campaign], terms: Terms, members: Iterable[Reader], least: int, day: int
) -> tuple[int, ...]:
    """What is told of a day (days since the epoch), the most first."""
    known = tuple(members)
    found: list[int] = []
    for campaign in campaigns:
        if campaign.status is Status.MERGED or campaign.withdrawn:
            continue
        came = sorted(_since(campaign, terms, known).values())
        reached = [
            step
            for step in STEPS
            # With one more than the step, so many are left whoever of them is taken away.
            if step >= max(least, LEAST) and len(came) > step and came[step] // DAY_MS == day
        ]
        found += reached[-1:]
    return tuple(sorted(found, reverse=True))


def _since(campaign: Campaign, terms: Terms, members: tuple[Reader, ...]) -> dict[Reader, int]:
    """Since when each member has seen it, ms."""
    since: dict[Reader, int] = {}
    for seen in campaign.sightings:
        label = terms.of(seen.organisation).label(seen.tlp or None)
        if label is Tlp.RED:
            continue
        # Whoever is a member itself is not one more with its country.
        itself = [one for one in members if one.name == seen.organisation]
        home = Reader("", terms.of(seen.organisation).country)
        for member in itself or [one for one in members if one == home]:
            since[member] = min(since.get(member, seen.first_seen), seen.first_seen)
    return since


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Counts).decode
