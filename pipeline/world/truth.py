"""What is true of a world: a line a campaign. Source: the contract, "Campaign"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from pipeline.indicator import Indicator
from pipeline.indicator_type import INDICATOR_TYPES

KTH = 3
"""The k of `kth_country_event`: the country that makes it a matter of more than two."""


class Marked(Struct, frozen=True):
    """An indicator as campaigns and their truth name it."""

    type: str
    value: str


class Truth(Struct, frozen=True):
    """One campaign. Times are what the sensors' clocks said, ms.

    `indicators` are its own, seen in `KTH` countries or more: these are to be found. `fringe` came
    with it but is not asked for: what fewer countries saw of its own, and forged sources. Finding
    that is no fault. `events` are the `metadata.uid` of its events, in order of time, without what
    liars say. `kth_country_event` is null where fewer countries saw it.
    """

    campaign: str
    kind: str
    indicators: tuple[Marked, ...]
    countries: tuple[str, ...]
    first_event: int
    kth_country_event: int | None
    events: tuple[str, ...]
    fringe: tuple[Marked, ...] = ()


class Witness(Struct, frozen=True, gc=False):
    """One event of a campaign, as the sensor told it. `own` and `foreign` as an act has them."""

    time: int
    uid: str
    country: str
    own: tuple[Indicator, ...]
    foreign: tuple[Indicator, ...]


def truth(campaign: str, kind: str, witnesses: Iterable[Witness]) -> Truth:
    """What its events, one at least, come to."""
    told = sorted(witnesses, key=lambda witness: (witness.time, witness.uid))
    where: dict[Indicator, set[str]] = defaultdict(set)
    fringe: set[Indicator] = set()
    met: set[str] = set()
    kth: int | None = None
    for witness in told:
        for indicator in witness.own:
            where[indicator].add(witness.country)
        fringe.update(witness.foreign)
        met.add(witness.country)
        if kth is None and len(met) == KTH:
            kth = witness.time
    found = [indicator for indicator, countries in where.items() if len(countries) >= KTH]
    fringe.update(where.keys() - set(found))
    return Truth(
        campaign=campaign,
        kind=kind,
        indicators=_marked(found),
        countries=tuple(sorted(met)),
        first_event=told[0].time,
        kth_country_event=kth,
        events=tuple(witness.uid for witness in told),
        fringe=_marked(fringe),
    )


def _marked(indicators: Iterable[Indicator]) -> tuple[Marked, ...]:
    order = {kind: number for number, kind in enumerate(INDICATOR_TYPES)}
    by_type = sorted(indicators, key=lambda each: (order[each[0]], each[1]))
    return tuple(Marked(kind, value) for kind, value in by_type)
