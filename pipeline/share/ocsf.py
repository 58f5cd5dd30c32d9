"""Campaigns as OCSF 1.5.0 Detection Findings (2004), the form that alerts have, too. No I/O here.

With the profile `osint`, whose entries carry the TLP label: one for each indicator. An Incident
Finding (2005) would have to name to whom it is assigned.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pipeline.alert import (
    CATEGORY_FINDINGS,
    CLASS_DETECTION_FINDING,
    METADATA,
    OBSERVABLE_TYPE,
    OTHER,
    AlertObservable,
    Product,
)
from pipeline.campaign.campaign import Campaign, Member, Seen, Status, Word
from pipeline.campaign.label import Verdict
from pipeline.indicator_type import (
    CVE,
    DOMAIN,
    HASSH,
    IP,
    JA3,
    JA4,
    MD5,
    SHA1,
    SHA256,
    URL,
    USER_AGENT,
)
from pipeline.lane import BANNER, Flag
from pipeline.share.outward import Producer, outward, revoked, summary
from pipeline.share.tlp import Pap, Tlp

_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_NEW, _IN_PROGRESS, _RESOLVED = 1, 2, 4
_STATUS = {
    Status.OPEN: (_CREATE, _NEW),
    Status.GROWING: (_UPDATE, _IN_PROGRESS),
    Status.DORMANT: (_UPDATE, _IN_PROGRESS),
    Status.CLOSED: (_CLOSE, _RESOLVED),
    Status.MERGED: (_CLOSE, _RESOLVED),
}
_ADDRESS, _DOMAIN, _HASH, _URL, _AGENT, _VULNERABILITY = 1, 2, 4, 5, 6, 10
_INTELLIGENCE = {
    **dict.fromkeys((MD5, SHA1, SHA256, JA3, JA4, HASSH), _HASH),
    IP: _ADDRESS,
    DOMAIN: _DOMAIN,
    URL: _URL,
    USER_AGENT: _AGENT,
    CVE: _VULNERABILITY,
}
_TLP = {Tlp.AMBER_STRICT: "AMBER STRICT"}


class Metadata(Struct, frozen=True):
    version: str
    product: Product
    profiles: tuple[str, ...]


class RelatedEvent(Struct, frozen=True):
    """An alert of it."""

    uid: str


class CampaignInfo(Struct, frozen=True):
    """The campaign. Times in ms."""

    uid: str
    title: str
    desc: str
    first_seen_time: int
    last_seen_time: int
    types: tuple[str, ...]
    related_events: tuple[RelatedEvent, ...]


class Intelligence(Struct, frozen=True, omit_defaults=True):
    """An indicator, and who may pass it on; `type` where OCSF has no number for it."""

    value: str
    type_id: int
    tlp: str
    type: str | None = None


class CampaignUnmapped(Struct, frozen=True):
    """What OCSF has no place for, named as the campaign names it."""

    status: Status
    countries: tuple[str, ...]
    organisations: tuple[str, ...]
    sightings: tuple[Seen, ...]
    p_value: float | None
    confidence_word: str
    admiralty: str
    produced_by: str
    verdict: Verdict | msgspec.UnsetType = msgspec.UNSET
    merged_into: str | msgspec.UnsetType = msgspec.UNSET
    split_from: str | msgspec.UnsetType = msgspec.UNSET
    withdrawn: bool | msgspec.UnsetType = msgspec.UNSET
    pap: Pap | msgspec.UnsetType = msgspec.UNSET
    unnamed: int | msgspec.UnsetType = msgspec.UNSET
    exercise: Flag = msgspec.UNSET


class CampaignFinding(Struct, frozen=True):
    """One revision of a campaign. `time` is its latest sighting, ms."""

    activity_id: int
    category_uid: int
    class_uid: int
    type_uid: int
    severity_id: int
    status_id: int
    confidence_score: int
    time: int
    start_time: int
    end_time: int
    message: str
    metadata: Metadata
    finding_info: CampaignInfo
    observables: tuple[AlertObservable, ...]
    osint: tuple[Intelligence, ...]
    unmapped: CampaignUnmapped


def finding(campaign: Campaign, producer: Producer | None = None) -> CampaignFinding:
    """The finding that one revision of a campaign is."""
    told = outward(campaign)
    activity, status = (_CLOSE, _RESOLVED) if revoked(told) else _STATUS[told.status]
    tlp = told.tlp
    said = summary(told)
    about = CampaignInfo(
        told.id,
        f"Sightline campaign {told.id}",
        said,
        told.first_seen,
        told.last_seen,
        ("campaign",),
        tuple(RelatedEvent(one) for one in told.alerts),
    )
    return CampaignFinding(
        activity_id=activity,
        category_uid=CATEGORY_FINDINGS,
        class_uid=CLASS_DETECTION_FINDING,
        type_uid=CLASS_DETECTION_FINDING * 100 + activity,
        severity_id=told.severity,
        status_id=status,
        confidence_score=told.confidence,
        time=told.last_seen,
        start_time=told.first_seen,
        end_time=told.last_seen,
        message=f"{BANNER}: {said}" if told.exercise else said,
        metadata=Metadata(METADATA.version, METADATA.product, ("osint",)),
        finding_info=about,
        observables=tuple(map(_observable, told.indicators)),
        osint=tuple(_intelligence(one, _TLP.get(tlp, tlp.value)) for one in told.indicators),
        unmapped=CampaignUnmapped(
            told.status,
            told.countries,
            told.organisations,
            told.sightings,
            told.p_value,
            told.confidence_word,
            told.admiralty,
            (producer or Producer()).name,
            told.label.verdict if isinstance(told.label, Word) else msgspec.UNSET,
            told.merged_into,
            told.split_from,
            told.withdrawn,
            told.pap,
            told.unnamed,
            told.exercise,
        ),
    )


def _observable(member: Member) -> AlertObservable:
    number = OBSERVABLE_TYPE.get(member.type, OTHER)
    return AlertObservable(
        member.type, number, member.value, member.type if number == OTHER else None
    )


def _intelligence(member: Member, tlp: str) -> Intelligence:
    number = _INTELLIGENCE.get(member.type, OTHER)
    return Intelligence(member.value, number, tlp, member.type if number == OTHER else None)


encode = msgspec.json.Encoder().encode
