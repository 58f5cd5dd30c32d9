"""By what alerts and campaigns are found: facets. No I/O here.

A facet is one thing that is true of a row, as `dimension:value`: `country:CZ`, `severity:4`. A
`Wanted` asks for some values of some dimensions: a row is wanted if it has one of them in each.
Everything that selects rows (the read store, the page for rows that come live) holds to this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign, Status
from pipeline.campaign.label import Label
from pipeline.campaign.verdict import verdict_on

ALL: Final = "all:"
"""The facet that every row has."""
DIMENSIONS: Final = (
    *("status", "severity", "surprise", "country", "sector", "type", "organisation"),
    *("alliance", "exercise", "label", "tlp", "rule", "origin", "benign", "day"),
)
SURPRISES: Final = ("1e-6", "1e-4", "1e-2", "0.05", "1", "none")
"""Classes of p-values by their upper ends, the most surprising first; `none` has no p-value."""
SEVERITIES: Final = ("6", "5", "4", "3", "2", "1", "0", "99")
LIVE: Final = (Status.GROWING, Status.OPEN, Status.DORMANT)
"""The statuses that a queue is made of."""
_DAY_MS = 86_400_000
_STATUS_OF_ALERT = {1: "new", 2: "updated", 3: "closed"}
_VALUE_LENGTH = 256

Wanted = Mapping[str, tuple[str, ...]]
"""By dimension, the values of which a row must have one."""


class Beside(Struct, frozen=True):
    """What a campaign or alert may carry besides, where whoever wrote it says it."""

    alliances: tuple[str, ...] = ()


def surprise(p_value: float | None) -> str:
    """The class of a p-value."""
    if p_value is None:
        return "none"
    return next((name for name in SURPRISES[:-2] if p_value <= float(name)), "1")


def of_campaign(
    one: Campaign, sectors: Mapping[str, str], label: Label | None, beside: Beside
) -> frozenset[str]:
    """The facets of a campaign; `sectors` is by organisation."""
    verdict = verdict_on(one, label)
    status = "withdrawn" if one.withdrawn is not msgspec.UNSET else one.status
    return frozenset(
        _named(
            {
                "status": (status,),
                "severity": (str(one.severity),),
                "surprise": (surprise(one.p_value),),
                "country": one.countries,
                "organisation": one.organisations,
                "sector": {sectors[name] for name in one.organisations if name in sectors},
                "type": {member.type for member in one.indicators},
                "tlp": (one.tlp,),
                "label": (verdict or "none",),
                "day": (day(one.last_seen),),
                "exercise": ("yes" if one.exercise else "no",),
            },
            beside,
        )
    )


def of_alert(
    one: Alert, sectors: Mapping[str, str], label: Label | None, beside: Beside
) -> frozenset[str]:
    """The facets of an alert; `sectors` is by organisation."""
    said = one.unmapped
    merged = said.merged_into is not msgspec.UNSET
    return frozenset(
        _named(
            {
                "status": ("merged" if merged else _STATUS_OF_ALERT.get(one.activity_id, "other"),),
                "severity": (str(one.severity_id),),
                "surprise": (surprise(said.p_value),),
                "country": said.countries,
                "organisation": said.organisations,
                "sector": {sectors[name] for name in said.organisations if name in sectors},
                "type": {observable.name for observable in one.observables},
                "rule": (one.finding_info.analytic.name,),
                "origin": (said.origin.country,) if said.origin and said.origin.country else (),
                "benign": ("yes" if said.known_benign else "no",),
                "label": (label.verdict if label else "none",),
                "day": (day(one.finding_info.last_seen_time),),
                "exercise": ("yes" if said.exercise else "no",),
            },
            beside,
        )
    )


def _named(values: Mapping[str, Iterable[str]], beside: Beside) -> Iterable[str]:
    yield ALL
    for dimension, of in values.items():
        for value in of:
            yield facet(dimension, value)
    for name in beside.alliances:
        yield facet("alliance", name)


def facet(dimension: str, value: str) -> str:
    return f"{dimension}:{value[:_VALUE_LENGTH]}"


def day(at: int) -> str:
    """The UTC day of a time in ms, as days since the epoch."""
    return str(at // _DAY_MS)


def is_wanted(facets: frozenset[str], wanted: Wanted) -> bool:
    """The law that the store's bitmaps and the page's script must come to as well."""
    return all(
        any(facet(dimension, value) in facets for value in values)
        for dimension, values in wanted.items()
    )
