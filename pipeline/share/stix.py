"""Campaigns as STIX 2.1. No I/O here.

    campaign ──targets──▶ location (a country), identity (an organisation), vulnerability
       ▲
    indicates
       │
    indicator ──based-on──▶ observed data ──▶ the observables
       ▲
    sighting: one an indicator, organisation and country; where: the two of them
    grouping: all of it, under one marking

All is a function of the campaign: the same bytes whenever and wherever it is made. What belongs to
one campaign is named after it; organisations, countries, vulnerabilities and observables are named
after themselves and are shared by all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

import msgspec

from pipeline.campaign.campaign import Campaign, Member, Seen, Word
from pipeline.campaign.label import Verdict
from pipeline.lane import BANNER, TAG, tag_of
from pipeline.share.moment import moment
from pipeline.share.outward import (
    Producer,
    credibility,
    harmless,
    named,
    outward,
    plain,
    revised_at,
    revoked,
    seen_by,
    summary,
)
from pipeline.share.stix_object import EXERCISE, MARKINGS, Object, marking, name, shared, united
from pipeline.share.stix_value import EXTENDED, EXTENSION, EXTENSION_SCHEMA, Put, put

_MOST_COUNTED = 999_999_999
"""The most that STIX counts."""
_SURE = 80
_SEVERITIES = {1: "informational", 2: "low", 3: "medium", 4: "high", 5: "critical", 6: "fatal"}


class Profile(StrEnum):
    """For whom it is written."""

    FULL = "full"
    """All of it."""
    MISP = "misp"
    """For misp-stix, the importer of MISP. What has observed data loses its marking and its
    sightings there, so there is none; and as a vulnerability has none there, it is an indicator,
    too.
    """


def objects(
    campaign: Campaign, producer: Producer | None = None, profile: Profile = Profile.FULL
) -> list[Object]:
    """One campaign's objects, in the order of a bundle."""
    return united(_Writer(outward(campaign), producer or Producer(), profile).all())


def bundle(
    campaigns: Iterable[Campaign],
    producer: Producer | None = None,
    profile: Profile = Profile.FULL,
) -> bytes:
    """A STIX bundle of them, UTF-8."""
    return sealed(united(one for each in campaigns for one in objects(each, producer, profile)))


def sealed(found: list[Object]) -> bytes:
    """Objects as a bundle. Its id is that of its contents."""
    encoded = msgspec.json.encode(found)
    identity = f"bundle--{named('bundle', encoded.decode())}"
    head = msgspec.json.encode({"type": "bundle", "id": identity})
    return encoded.join((head[:-1] + b',"objects":', b"}\n")) if found else head + b"\n"


class _Writer:
    """The objects of one campaign."""

    def __init__(self, campaign: Campaign, producer: Producer, profile: Profile) -> None:
        self._campaign = campaign
        self._profile = profile
        self._tlp = campaign.tlp
        self._producer = self._shared(
            "identity", f"producer {producer.name}", None,
            name=producer.name, identity_class="system",
        )  # fmt: skip
        self._by = str(self._producer["id"])
        modified = revised_at(campaign)
        self._id = name("campaign", campaign.id)
        self._head = {
            "created_by_ref": self._by,
            "created": moment(min(campaign.first_told, modified)),
            "modified": moment(modified),
            **({"revoked": True} if revoked(campaign) else {}),
            "object_marking_refs": [
                MARKINGS[self._tlp],
                *([EXERCISE["id"]] if campaign.exercise else []),
            ],
        }
        sure = credibility(campaign)
        self._sure = {} if sure is None else {"confidence": sure}
        self._seen: dict[Member, list[Seen]] = {one: [] for one in campaign.indicators}
        for seen in campaign.sightings:
            if (member := Member(seen.type, seen.value)) in self._seen:
                self._seen[member].append(seen)

    def all(self) -> Iterator[Object]:
        campaign = self._campaign
        content = [self._producer, self._campaign_itself()]
        for member, sightings in self._seen.items():
            content += self._member(member, put(member.type, member.value), sightings)
        for country in filter(None, campaign.countries):
            content += self._targeted(self._country(country))
        for organisation in filter(None, campaign.organisations):
            content += self._targeted(self._organisation(organisation))
        if isinstance(campaign.label, Word):
            content.append(self._opinion())
        content = united(content)
        yield marking(self._tlp)
        if campaign.exercise:
            yield EXERCISE
        yield from content
        yield self._own(
            "grouping",
            **self._sure,
            name=self._title,
            description=summary(campaign),
            context="suspicious-activity",
            object_refs=[one["id"] for one in content if one["id"] != self._by],
        )

    @property
    def _title(self) -> str:
        """By their names some stores tell campaigns apart."""
        head = f"{BANNER}: " if self._campaign.exercise else ""
        return f"{head}Sightline campaign {self._campaign.id}"

    def _own(self, kind: str, *parts: str, **properties: Any) -> Object:
        identity = name(kind, self._campaign.id, *parts)
        return {"type": kind, "spec_version": "2.1", "id": identity, **self._head, **properties}

    def _shared(self, kind: str, key: str, by: str | None, **properties: Any) -> Object:
        return shared(kind, key, self._tlp, by, **properties)

    def _campaign_itself(self) -> Object:
        campaign = self._campaign
        labels = [f"status:{campaign.status}"]
        if campaign.severity in _SEVERITIES:
            labels.append(f"severity:{_SEVERITIES[campaign.severity]}")
        if campaign.pap:
            labels.append(f"PAP:{campaign.pap}")
        if isinstance(campaign.label, Word):
            labels.append(str(campaign.label.verdict))
        if campaign.exercise:
            labels += [TAG, tag_of(campaign.exercise)]
        grade = f"{campaign.confidence_word} ({campaign.admiralty})"
        return self._own(
            "campaign",
            **self._sure,
            labels=labels,
            name=self._title,
            description=f"{summary(campaign)}; {grade}",
            first_seen=moment(campaign.first_seen),
            last_seen=moment(max(campaign.first_seen, campaign.last_seen)),
        )

    def _member(self, member: Member, as_put: Put, sightings: list[Seen]) -> Iterator[Object]:
        of = self._indicator(member, as_put, sightings)
        indicates = as_put.vulnerable is None or self._profile is Profile.MISP
        if as_put.vulnerable is not None:
            found = self._vulnerability(as_put)
            yield from self._targeted(found)
            of = of if indicates else found
        if indicates:
            yield of
            yield self._related("indicates", of["id"], self._id)
            if member.type in EXTENDED:
                yield self._extension()
            if as_put.observable is not None and sightings and self._profile is Profile.FULL:
                yield from self._observed(member, as_put.observable, of["id"], sightings)
        for seen in sightings:
            yield from self._sighting(of["id"], seen)

    def _indicator(self, member: Member, as_put: Put, sightings: list[Seen]) -> Object:
        campaign = self._campaign
        since = min((seen.first_seen for seen in sightings), default=campaign.first_seen)
        label = campaign.label
        if harmless(campaign):
            kind = "benign"
        elif isinstance(label, Word) and label.verdict is Verdict.CONFIRMED:
            kind = "malicious-activity"
        else:
            kind = "anomalous-activity"
        references = {"external_references": list(as_put.references)} if as_put.references else {}
        return self._own(
            "indicator",
            *(member.type, member.value),
            **self._sure,
            **references,
            name=f"{member.type} {plain(member.value)}",
            description=seen_by(sightings),
            indicator_types=[kind],
            pattern=as_put.pattern,
            pattern_type="stix",
            pattern_version="2.1",
            valid_from=moment(since),
        )

    def _vulnerability(self, as_put: Put) -> Object:
        cve = str(as_put.vulnerable)
        return self._shared(
            "vulnerability", cve, self._by, external_references=list(as_put.references), name=cve
        )

    def _extension(self) -> Object:
        made = self._shared(
            "extension-definition",
            "fingerprints",
            self._by,
            name="Fingerprints and credentials",
            description="Client fingerprints and digests of credentials that were tried.",
            schema=EXTENSION_SCHEMA,
            version="1.0.0",
            extension_types=["property-extension"],
        )
        return made | {"id": EXTENSION}

    def _observed(
        self, member: Member, what: Object, indicator: str, sightings: list[Seen]
    ) -> Iterator[Object]:
        yield what | {"object_marking_refs": [MARKINGS[self._tlp]]}
        observed = self._own(
            "observed-data",
            *(member.type, member.value),
            first_observed=moment(min(seen.first_seen for seen in sightings)),
            last_observed=moment(max(max(s.first_seen, s.last_seen) for s in sightings)),
            number_observed=_counted(sum(seen.slices for seen in sightings)),
            object_refs=[what["id"]],
        )
        yield observed
        yield self._related("based-on", indicator, observed["id"])

    def _sighting(self, of: str, seen: Seen) -> Iterator[Object]:
        where: list[Object] = []
        if seen.organisation:
            where.append(self._organisation(seen.organisation))
        if seen.country:
            where.append(self._country(seen.country))
        yield from where
        yield self._own(
            "sighting",
            *(seen.organisation, seen.country, seen.type, seen.value),
            **self._sure,
            description=seen_by([seen]),
            first_seen=moment(seen.first_seen),
            last_seen=moment(max(seen.first_seen, seen.last_seen)),
            count=_counted(seen.slices),
            sighting_of_ref=of,
            **({"where_sighted_refs": [one["id"] for one in where]} if where else {}),
        )

    def _country(self, code: str) -> Object:
        return self._shared("location", code, self._by, name=code, country=code)

    def _organisation(self, organisation: str) -> Object:
        return self._shared(
            "identity", organisation, self._by, name=organisation, identity_class="organization"
        )

    def _targeted(self, whom: Object) -> Iterator[Object]:
        yield whom
        yield self._related("targets", self._id, whom["id"])

    def _related(self, how: str, source: str, target: str) -> Object:
        return self._own(
            "relationship",
            *(how, source, target),
            relationship_type=how,
            source_ref=source,
            target_ref=target,
        )

    def _opinion(self) -> Object:
        """What an analyst found. Who and on what ground is not said."""
        label = self._campaign.label
        assert isinstance(label, Word)  # asked before
        agrees = "disagree" if harmless(self._campaign) else "agree"
        return self._own(
            "opinion",
            explanation=f"An analyst found it {label.verdict}, {label.confidence} percent sure.",
            opinion=f"strongly-{agrees}" if label.confidence >= _SURE else agrees,
            object_refs=[self._id],
        )


def _counted(slices: int) -> int:
    return min(max(slices, 1), _MOST_COUNTED)
