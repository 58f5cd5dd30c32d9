"""Alerts, campaigns and labels as the topics tell them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.alert import (
    Alert,
    AlertMetadata,
    AlertObservable,
    Analytic,
    FindingInfo,
    Product,
    Unmapped,
    encode,
)
from pipeline.campaign import label as labels
from pipeline.campaign.campaign import Campaign, Member, Seen, Status, Why
from pipeline.campaign.campaign import encode as encode_campaign
from pipeline.campaign.confidence import Witness
from pipeline.campaign.label import About, Label, Verdict
from pipeline.geo import Origin
from pipeline.share.tlp import Tlp
from pipeline.shell.serve.rows import Record
from tests.unit.making import HOUR, at

NOON = at("12:00")


def alert(
    identity: str = "a1",
    value: str = "218.237.65.47",
    kind: str = "ip",
    countries: Sequence[str] = ("CZ", "KE"),
    *,
    severity: int = 3,
    activity: int = 1,
    p_value: float | None = 0.0005,
    origin: str | None = "KR",
    benign: tuple[str, ...] = (),
    last: int = NOON,
) -> Alert:
    return Alert(
        activity, 2, 2004, 200400 + activity, severity, 1, last,
        f"the same {kind} seen in {', '.join(countries)}",
        AlertMetadata("1.5.0", Product("Sightline", "Sightline", "0")),
        FindingInfo(identity, "Spread", last - HOUR, last, Analytic(1, "r", "One source")),
        (AlertObservable(kind, 2, value),),
        Unmapped(
            tuple(countries), tuple(f"{one.lower()}-nren" for one in countries),
            Origin(origin) if origin else None, msgspec.UNSET, benign, p_value,
        ),
    )  # fmt: skip


def campaign(
    identity: str = "c1",
    members: Sequence[tuple[str, str]] = (("ip", "218.237.65.47"),),
    countries: Sequence[str] = ("CZ", "KE"),
    *,
    status: Status = Status.GROWING,
    severity: int = 4,
    p_value: float | None = 0.0005,
    alerts: tuple[str, ...] = ("a1",),
    first: int = NOON,
) -> Campaign:
    """Each country sees every member, an hour after the one before it."""
    sightings = tuple(
        Seen(*one, f"{country.lower()}-nren", country, since, since + HOUR, 3)
        for number, country in enumerate(countries)
        for one in members
        for since in (first + number * HOUR,)
    )
    last = max((one.last_seen for one in sightings), default=first)
    organisations = tuple(sorted({one.organisation for one in sightings}))
    return Campaign(
        identity, status, first, last, tuple(Member(*one) for one in members),
        tuple(sorted(countries)), organisations, alerts, severity, 80, p_value,
        tuple(Why(*one, "with the others: 3 of 4 sightings in the same events", 0.01) for one in members),
        Tlp.AMBER, first, last, "likely", "B2",
        tuple(Witness(name, 0.7, 0.9) for name in organisations), sightings,
    )  # fmt: skip


def label(identity: str = "a1", verdict: str = "benign", by: str = "ann", at: int = NOON) -> Label:
    about = About.CAMPAIGN if identity.startswith("c") else About.ALERT
    return Label(identity, about, Verdict(verdict), by, at)


def record(of: Alert | Campaign | Label, at: int = NOON) -> Record:
    if isinstance(of, Alert):
        return Record("alerts", of.finding_info.uid.encode(), encode(of), at)
    if isinstance(of, Campaign):
        return Record("campaigns", of.id.encode(), encode_campaign(of), at)
    return Record("labels", labels.key(of).encode(), labels.encode(of), at)
