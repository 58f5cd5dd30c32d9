"""Campaigns that tests tell others of."""

from __future__ import annotations

from typing import Any

from pipeline.campaign.campaign import Campaign, Member, Seen, Status, Why
from pipeline.campaign.confidence import Witness
from pipeline.share.tlp import Tlp
from tests.unit.making import MINUTE, at


def campaign(*parties: str, value: str = "218.237.65.47", **changed: Any) -> Campaign:
    """One address, seen by one organisation (`org-cz`) in each of some countries, a minute apart.

    A party is a country, or `organisation/country`.
    """
    named = [party.split("/") if "/" in party else [f"org-{party}", party] for party in parties]
    sightings = tuple(
        Seen("ip", value, who, country.upper(), first, first + 5 * MINUTE, 2)
        for number, (who, country) in enumerate(named)
        for first in [at("12:00") + number * MINUTE]
    )
    organisations = tuple(sorted({seen.organisation for seen in sightings}))
    made: dict[str, Any] = {
        "id": "0b6f1c52-93a5-5d6e-9d1e-0d3a5f6f7a10",
        "status": Status.GROWING,
        "first_seen": min(seen.first_seen for seen in sightings),
        "last_seen": max(seen.last_seen for seen in sightings),
        "indicators": (Member("ip", value),),
        "countries": tuple(sorted({seen.country for seen in sightings})),
        "organisations": organisations,
        "alerts": ("e3f979ff-cd2f-5ed2-a143-b3f2dc228cec",),
        "severity": 3,
        "confidence": 70,
        "p_value": 0.001,
        "reasons": (Why("ip", value, "with the others: its alert", 0.001),),
        "tlp": Tlp.AMBER,
        "first_told": at("12:02"),
        "grown_at": at("12:02"),
        "confidence_word": "likely",
        "admiralty": "C3",
        "corroboration": tuple(Witness(who, 0.5, 1.0) for who in organisations),
        "sightings": sightings,
    }
    return Campaign(**made | changed)
