"""An alert or a campaign in one line: what a queue shows of it, and what travels when it changes.

No I/O here. A campaign with a thousand sightings is some 150 KB; its line is about one.
"""

from __future__ import annotations

from msgspec import Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.label import Label
from pipeline.campaign.verdict import verdict_on
from pipeline.share.defang import defanged

_NAMED = 3


class Named(Struct, frozen=True):
    """An indicator; `value` is for copying, `shown` for the eye."""

    type: str
    value: str
    shown: str


class Line(Struct, frozen=True, omit_defaults=True):
    """Times in ms. `indicators` is how many there are, `named` the first few of them."""

    id: str
    kind: str
    revision: int
    status: str
    severity: int
    p_value: float | None
    first_seen: int
    last_seen: int
    countries: tuple[str, ...]
    organisations: int
    indicators: int
    named: tuple[Named, ...]
    facets: tuple[str, ...]
    verdict: str | None = None
    rule: str | None = None
    origin: str | None = None
    known_benign: tuple[str, ...] = ()
    confidence: int | None = None
    grown_at: int | None = None


class Gone(Struct, frozen=True):
    """What a topic no longer holds."""

    id: str
    kind: str
    revision: int
    gone: bool = True


def _facet(facets: frozenset[str], dimension: str) -> str:
    return next((one.partition(":")[2] for one in facets if one.startswith(dimension + ":")), "")


def of_campaign(one: Campaign, facets: frozenset[str], revision: int, label: Label | None) -> Line:
    return Line(
        id=one.id,
        kind="campaigns",
        revision=revision,
        status=_facet(facets, "status"),
        severity=one.severity,
        p_value=one.p_value,
        first_seen=one.first_seen,
        last_seen=one.last_seen,
        countries=one.countries,
        organisations=len(one.organisations) + (one.unnamed or 0),
        indicators=len(one.indicators),
        named=tuple(
            Named(m.type, m.value, defanged(m.type, m.value)) for m in one.indicators[:_NAMED]
        ),
        facets=tuple(sorted(facets)),
        verdict=verdict_on(one, label),
        confidence=one.confidence,
        grown_at=one.grown_at,
    )


def of_alert(one: Alert, facets: frozenset[str], revision: int, label: Label | None) -> Line:
    said, finding = one.unmapped, one.finding_info
    return Line(
        id=finding.uid,
        kind="alerts",
        revision=revision,
        status=_facet(facets, "status"),
        severity=one.severity_id,
        p_value=said.p_value,
        first_seen=finding.first_seen_time,
        last_seen=finding.last_seen_time,
        countries=said.countries,
        organisations=len(said.organisations),
        indicators=len(one.observables),
        named=tuple(
            Named(o.name, o.value, defanged(o.name, o.value)) for o in one.observables[:_NAMED]
        ),
        facets=tuple(sorted(facets)),
        verdict=label.verdict if label else None,
        rule=finding.analytic.name,
        origin=said.origin.country if said.origin else None,
        known_benign=said.known_benign,
    )
