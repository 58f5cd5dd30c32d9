"""An alert or a campaign as filters see it: texts and numbers by field. No I/O here.

The fields are those of `pipeline.share.filter`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign

_STATUS: Final = {1: "new", 2: "in progress", 4: "resolved"}  # OCSF's status_id of a finding


class Subject(Struct, frozen=True):
    """An alert or a campaign, as filters see it: texts by field, in lower case; numbers."""

    texts: dict[str, frozenset[str]]
    numbers: dict[str, float]


def of_alert(alert: Alert) -> Subject:
    said, one, rule = alert.unmapped, alert.observables[0], alert.finding_info.analytic
    origin = said.origin.country if said.origin else None
    return Subject(
        {
            "kind": frozenset({"alert"}),
            "id": _lower(alert.finding_info.uid),
            "status": _lower(_STATUS.get(alert.status_id, "unknown")),
            "country": _lower(*said.countries),
            "organisation": _lower(*said.organisations),
            "type": _lower(one.name),
            "value": _lower(one.value),
            "rule": _lower(rule.uid, rule.name),
            "origin": _lower(origin) if origin else frozenset(),
            "benign": _lower(*said.known_benign),
        },
        {
            "severity": alert.severity_id,
            "countries": len(said.countries),
            "organisations": len(said.organisations),
            "indicators": 1,
        },
    )


def of_campaign(campaign: Campaign, rules: Iterable[str] = ()) -> Subject:
    """`rules`: ids and titles of those that raised its alerts, if they are known."""
    return Subject(
        {
            "kind": frozenset({"campaign"}),
            "id": _lower(campaign.id),
            "status": _lower(campaign.status),
            "country": _lower(*campaign.countries),
            "organisation": _lower(*campaign.organisations),
            "type": _lower(*(one.type for one in campaign.indicators)),
            "value": _lower(*(one.value for one in campaign.indicators)),
            "rule": _lower(*rules),
            "tlp": _lower(campaign.tlp),
        },
        {
            "severity": campaign.severity,
            "confidence": campaign.confidence,
            "countries": len(campaign.countries),
            "organisations": len(campaign.organisations),
            "indicators": len(campaign.indicators),
        },
    )


def _lower(*texts: str) -> frozenset[str]:
    return frozenset(text.lower() for text in texts)
