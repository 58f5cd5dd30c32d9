"""A campaign as an analyst reads it: how it spread, from where to whom, who belongs and why.

No I/O. All of it follows from one `Campaign`: given one that was released to somebody, it says no
more than that. Where networks are registered and what is known to be benign is asked for by value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from msgspec import Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign, Seen
from pipeline.geo import Origin
from pipeline.indicator_type import INDICATOR_TYPES, IP
from pipeline.share.defang import defanged

UNKNOWN = "unknown"
"""The origin of an address that no database knows."""
HONESTY = (
    "Origins are where a network is registered, not where a person is: a source may be a hired, "
    "hacked or relaying machine. They say nothing about who is behind it."
)


class Step(Struct, frozen=True):
    """One country on the timeline; `order` is 1 for the first. Times in ms."""

    order: int
    country: str
    first_seen: int
    last_seen: int
    organisations: tuple[str, ...]
    members: int
    sightings: tuple[Span, ...]


class Span(Struct, frozen=True):
    """From when to when one party saw something of it, ms."""

    organisation: str
    first_seen: int
    last_seen: int


class Cell(Struct, frozen=True):
    """Sources registered in `origin` that were seen in `country`."""

    origin: str
    country: str
    sources: int


class MemberShown(Struct, frozen=True):
    """An indicator of it. `value` is for copying, `shown` for the eye."""

    type: str
    value: str
    shown: str
    why: str
    p: float | None
    origin: Origin | None
    known_benign: tuple[str, ...]
    countries: tuple[str, ...]
    organisations: int
    first_seen: int | None
    last_seen: int | None
    alerts: tuple[str, ...]
    """The rules that it raised an alert by."""


class Dossier(Struct, frozen=True):
    timeline: tuple[Step, ...]
    origins: tuple[str, ...]
    """The rows of the matrix, those with most sources first."""
    matrix: tuple[Cell, ...]
    members: tuple[MemberShown, ...]
    honesty: str = HONESTY


def dossier(
    campaign: Campaign,
    alerts: Iterable[Alert],
    origin_of: Callable[[str], Origin | None],
    lists_of: Callable[[str, str], tuple[str, ...]],
) -> Dossier:
    """What a page says of a campaign, with those of its alerts that are known."""
    raised: dict[tuple[str, str], set[str]] = defaultdict(set)
    told: dict[str, Origin] = {}
    for alert in alerts:
        for one in alert.observables:
            raised[one.name, one.value].add(alert.finding_info.analytic.name)
            if alert.unmapped.origin is not None:
                told[one.value] = alert.unmapped.origin
    of: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for seen in campaign.sightings:
        of[seen.type, seen.value].append(seen)
    why = {(one.type, one.value): one for one in campaign.reasons}
    members = []
    for member in campaign.indicators:
        key = member.type, member.value
        reason = why.get(key)
        members.append(
            MemberShown(
                *key,
                defanged(*key),
                _shown(reason.why) if reason else "",
                reason.p if reason else None,
                (told.get(member.value) or origin_of(member.value)) if member.type == IP else None,
                lists_of(*key),
                tuple(sorted({one.country for one in of[key]})),
                len({one.organisation for one in of[key]}),
                min((one.first_seen for one in of[key]), default=None),
                max((one.last_seen for one in of[key]), default=None),
                tuple(sorted(raised[key])),
            )
        )
    cells = _matrix(members)
    return Dossier(timeline(campaign.sightings), _rows(cells), cells, tuple(members))


def _shown(why: str) -> str:
    """A reason with the indicator in it defanged: `with ip 198.51.100.7: 3 of 4 sightings`."""
    whom, colon, rest = why.rpartition(": ")
    words = whom.split(" ", 2)
    if len(words) < 3 or words[1] not in INDICATOR_TYPES:
        return why
    return f"{words[0]} {words[1]} {defanged(words[1], words[2])}{colon}{rest}"


def timeline(sightings: Iterable[Seen]) -> tuple[Step, ...]:
    """The countries in the order in which they were hit."""
    of: dict[str, list[Seen]] = defaultdict(list)
    for seen in sightings:
        of[seen.country].append(seen)
    ordered = sorted((min(one.first_seen for one in some), name) for name, some in of.items())
    return tuple(
        Step(
            order,
            country,
            first,
            max(one.last_seen for one in of[country]),
            tuple(sorted({one.organisation for one in of[country]})),
            len({(one.type, one.value) for one in of[country]}),
            _spans(of[country]),
        )
        for order, (first, country) in enumerate(ordered, 1)
    )


def _spans(some: Iterable[Seen]) -> tuple[Span, ...]:
    """One an organisation."""
    found: dict[str, tuple[int, int]] = {}
    for one in some:
        first, last = found.get(one.organisation, (one.first_seen, one.last_seen))
        found[one.organisation] = min(first, one.first_seen), max(last, one.last_seen)
    return tuple(Span(name, *found[name]) for name in sorted(found))


def _matrix(members: Iterable[MemberShown]) -> tuple[Cell, ...]:
    count: dict[tuple[str, str], int] = defaultdict(int)
    for one in members:
        if one.type == IP:
            origin = (one.origin.country if one.origin else None) or UNKNOWN
            for country in one.countries:
                count[origin, country] += 1
    return tuple(Cell(*key, sources) for key, sources in sorted(count.items()))


def _rows(cells: Iterable[Cell]) -> tuple[str, ...]:
    total: dict[str, int] = defaultdict(int)
    for cell in cells:
        total[cell.origin] += cell.sources
    return tuple(sorted(total, key=lambda name: (-total[name], name)))
