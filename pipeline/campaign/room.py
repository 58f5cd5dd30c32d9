"""How much of a campaign one record holds. No I/O here.

A broker refuses records beyond a size, and how many members a campaign comes to have, and how long
their values are, is for attackers to choose. What does not fit is left out and counted: of its
sightings the latest, of its members those that are out of sight for longest, of its alerts all but
the oldest, which it is named by, and the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized

import msgspec

from pipeline.campaign.campaign import Campaign, bounded, encode

MOST_BYTES = 800_000
"""Of a record: Kafka's own bound is 1 MiB, with a header and a key."""
_MEMBERS = MOST_BYTES // 2
_ALERTS = MOST_BYTES // 8


def fitted(one: Campaign) -> Campaign:
    """The campaign, as much of it as a record holds."""
    if len(encode(one)) <= MOST_BYTES:
        return one
    why = {(each.type, each.value): each for each in one.reasons}
    reasons = [why.get((each.type, each.value)) for each in one.indicators]
    fit = _fit(map(_size, zip(one.indicators, reasons, strict=True)), _MEMBERS)
    indicators = one.indicators[:fit]
    newest = one.alerts[:0:-1]
    alerts = (*one.alerts[:1], *newest[: _fit(map(_size, newest), _ALERTS)][::-1])
    left = msgspec.structs.replace(
        one,
        indicators=indicators,
        reasons=tuple(each for each in reasons[:fit] if each is not None),
        alerts=alerts,
        indicators_omitted=_omitted(one.indicators, indicators, one.indicators_omitted),
        alerts_omitted=_omitted(one.alerts, alerts, one.alerts_omitted),
    )
    most = len(one.sightings)
    while len(encode(left)) > MOST_BYTES and most:
        most //= 2
        sightings, gone = bounded(one.sightings, most)
        left = msgspec.structs.replace(
            left, sightings=sightings, sightings_omitted=gone + (one.sightings_omitted or 0)
        )
    return left


def _fit(sizes: Iterable[int], room: int) -> int:
    """How many of these fit, from the first on; one at least."""
    count = 0
    for size in sizes:
        room -= size + 1  # and a comma
        if room < 0 and count:
            break
        count += 1
    return count


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))


def _omitted(of: Sized, kept: Sized, before: int | msgspec.UnsetType) -> int | msgspec.UnsetType:
    """At the least: what was left out before, and lies in sight, is left out once more."""
    return max(len(of) - len(kept), before or 0) or msgspec.UNSET
