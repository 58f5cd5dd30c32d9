"""Campaigns as MISP events, and the feed that they make. No I/O here.

A feed is a folder or a web path: `manifest.json` says which events there are, `hashes.csv` which
values, each as `md5(value),event`, and `{uuid}.json` holds one event. Events of a feed hold no
sightings; one that is pushed to a server does.

Source: MISP core format, as `pymisp` reads and writes it (`MISPEvent.to_feed`), which the tests
hold this to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import md5
from typing import Any, Final

import msgspec
from msgspec import Struct

from pipeline.campaign.campaign import Campaign, Member, Seen, Status
from pipeline.indicator_type import (
    CREDENTIAL,
    CVE,
    DOMAIN,
    HASSH,
    IP,
    JA3,
    JA4,
    MD5,
    PURL,
    SHA1,
    SHA256,
    URL,
    USER_AGENT,
)
from pipeline.lane import BANNER, tag_of
from pipeline.share.moment import date, moment
from pipeline.share.outward import (
    Producer,
    harmless,
    named,
    outward,
    plain,
    revised_at,
    revoked,
    seen_by,
    summary,
)
from pipeline.share.tlp import UNLABELLED_PAP, Pap, Tlp

_NETWORK, _PAYLOAD = "Network activity", "Payload delivery"
_ANALYSIS, _OTHER = "External analysis", "Other"
# MISP's type and category of each of ours, and whether a detection may be made of it. MISP has no
# type for ja4, credentials and purls: a comment says what they are.
_TYPES: Final[dict[str, tuple[str, str, bool]]] = {
    IP: ("ip-src", _NETWORK, True),
    DOMAIN: ("domain", _NETWORK, True),
    URL: ("url", _NETWORK, True),
    MD5: ("md5", _PAYLOAD, True),
    SHA1: ("sha1", _PAYLOAD, True),
    SHA256: ("sha256", _PAYLOAD, True),
    JA3: ("ja3-fingerprint-md5", _NETWORK, True),
    JA4: ("other", _OTHER, False),
    HASSH: ("hassh-md5", _NETWORK, True),
    CREDENTIAL: ("other", _OTHER, False),
    USER_AGENT: ("user-agent", _NETWORK, False),
    CVE: ("vulnerability", _ANALYSIS, False),
    PURL: ("other", _OTHER, False),
}
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII).fullmatch
_COLOURS = {
    Tlp.CLEAR: "#FFFFFF",
    Tlp.GREEN: "#33FF00",
    Tlp.AMBER: "#FFC000",
    Tlp.AMBER_STRICT: "#FFC000",
    Tlp.RED: "#FF2B2B",
}
# Of a server's event: who may see it there. Everybody on it is more than the recipient's clients.
_OURS_ONLY = "0"
_DISTRIBUTION = {Tlp.GREEN: "2", Tlp.CLEAR: "3"}
_PLAIN_COLOUR = "#0088CC"
_SEVERE, _MIDDLING, _SLIGHT, _UNSAID = "1", "2", "3", "4"
_THREAT = {3: _MIDDLING, 4: _SEVERE, 5: _SEVERE, 6: _SEVERE, 2: _SLIGHT, 1: _SLIGHT}
_ONGOING, _DONE = "1", "2"

Event = dict[str, Any]
"""What stands under `Event`, as MISP writes it: numbers as strings."""


class FeedEvent(Struct, frozen=True):
    """One file of a feed, and what the two lists say of it."""

    uuid: str
    content: bytes
    listed: dict[str, Any]
    hashes: tuple[str, ...]


def event(
    campaign: Campaign,
    producer: Producer | None = None,
    *,
    sightings: bool = False,
) -> Event:
    """A campaign as MISP has it. With `sightings`, each attribute says who saw it."""
    return _event(outward(campaign), producer or Producer(), sightings)


def _event(campaign: Campaign, producer: Producer, sightings: bool) -> Event:
    at = str(revised_at(campaign) // 1_000)
    over = campaign.status in {Status.CLOSED, Status.MERGED} or revoked(campaign)
    head = f"{BANNER}: " if campaign.exercise else ""
    head += "Withdrawn: " if revoked(campaign) else ""
    seen: dict[Member, list[Seen]] = {one: [] for one in campaign.indicators}
    for one in campaign.sightings:
        if (member := Member(one.type, one.value)) in seen:
            seen[member].append(one)
    pap = campaign.pap or UNLABELLED_PAP
    # What may be detected is blocked, too, by who exports MISP's detections to a firewall.
    detectable = not revoked(campaign) and not harmless(campaign) and pap in {Pap.CLEAR, Pap.GREEN}
    attributes = [
        _attribute(campaign.id, member, of, at, producer, detectable, sightings)
        for member, of in seen.items()
        if member.value.strip()
    ]
    return {
        "uuid": named("event", campaign.id),
        "info": f"{head}Sightline campaign {campaign.id}: {summary(campaign)}",
        "date": date(campaign.first_seen),
        "threat_level_id": _THREAT.get(campaign.severity, _UNSAID),
        "analysis": _DONE if over else _ONGOING,
        "timestamp": at,
        "publish_timestamp": at,
        "published": True,
        "extends_uuid": "",
        "protected": False,
        "Orgc": {"name": producer.name, "uuid": named("producer", producer.name)},
        "Tag": _tags(campaign, pap),
        "Attribute": attributes,
    }


def _attribute(
    campaign: str,
    member: Member,
    seen: list[Seen],
    at: str,
    producer: Producer,
    detectable: bool,
    sightings: bool,
) -> dict[str, Any]:
    kind, category, detects = _TYPES[member.type]
    if kind.endswith("-md5") and not _MD5(member.value):
        kind, category, detects = "other", _OTHER, False
    said = f"{member.type}: " if kind == "other" else ""
    times = {}
    if seen:
        first = min(one.first_seen for one in seen)
        times = {
            "first_seen": _iso(first),
            "last_seen": _iso(max(first, *(one.last_seen for one in seen))),
        }
    made = {
        "uuid": named("attribute", campaign, member.type, member.value),
        "type": kind,
        "category": category,
        "value": member.value.strip(),
        "comment": said + seen_by(seen),
        "to_ids": detects and detectable,
        "disable_correlation": False,
        "timestamp": at,
        **times,
    }
    if sightings:
        made["Sighting"] = [_sighting(campaign, one, producer) for one in seen]
    return made


def _sighting(campaign: str, seen: Seen, producer: Producer) -> dict[str, Any]:
    """Who saw it is the source; whose word it is, the producer's. When: at the last.

    Servers never change a sighting: one that was seen again is another.
    """
    at = str(max(seen.first_seen, seen.last_seen) // 1_000)
    parts = (campaign, seen.organisation, seen.country, at, seen.type, seen.value)
    return {
        "uuid": named("sighting", *parts),
        "type": "0",
        "source": seen_by([seen]),
        "date_sighting": at,
        "Organisation": {"name": producer.name, "uuid": named("producer", producer.name)},
    }


def _iso(ms: int) -> str:
    """As Python writes a time, which is what MISP reads: a whole second without its zeros."""
    return f"{moment(ms)[:-1]}000+00:00" if ms % 1_000 else f"{moment(ms)[:-5]}+00:00"


def _tags(campaign: Campaign, pap: Pap) -> list[dict[str, Any]]:
    tlp = campaign.tlp
    names = [(f"tlp:{tlp.lower()}", _COLOURS[tlp]), (f"PAP:{pap}", _PLAIN_COLOUR)]
    said = [f'estimative-language:likelihood-probability="{_hyphened(campaign.confidence_word)}"']
    if len(campaign.admiralty) == 2:
        reliability, credibility = campaign.admiralty[0].lower(), campaign.admiralty[1]
        said.append(f'admiralty-scale:source-reliability="{reliability}"')
        said.append(f'admiralty-scale:information-credibility="{credibility}"')
    if campaign.exercise:
        said.append(tag_of(campaign.exercise))
    names += [(one, _PLAIN_COLOUR) for one in said]
    return [
        {"name": one, "colour": colour, "local": False, "relationship_type": ""}
        for one, colour in names
    ]


def _hyphened(word: str) -> str:
    return plain(word).replace(" ", "-").replace('"', "")


def pushed(campaign: Campaign, producer: Producer | None = None) -> Event:
    """A campaign as it is sent to a server: with sightings, not yet published, and for whom its
    label allows there. RED is not to be sent.
    """
    made = event(campaign, producer, sightings=True)
    tlp = campaign.tlp
    del made["publish_timestamp"]
    return made | {"published": False, "distribution": _DISTRIBUTION.get(tlp, _OURS_ONLY)}


def feed_event(campaign: Campaign, producer: Producer | None = None) -> FeedEvent:
    """A campaign as a feed's file."""
    return of_feed(event(campaign, producer))


def of_feed(made: Event) -> FeedEvent:
    """An event without sightings as a feed's file."""
    listed = {key: made[key] for key in ("Orgc", "Tag", "info", "date")}
    listed |= {key: int(made[key]) for key in ("analysis", "threat_level_id", "timestamp")}
    return FeedEvent(
        made["uuid"],
        _encode({"Event": made}),
        listed,
        tuple(_md5(one["value"]) for one in made["Attribute"]),
    )


def newer(made: Event, before: Event | None) -> Event:
    """An event of a feed that has one of its name: that one if it says the same; else later."""
    if before is None:
        return made
    return before if _said(made) == _said(before) else later(made, before)


def later(made: Event, before: Event) -> Event:
    """Ours, with a time after that of the one that is there."""
    at = str(max(int(made["timestamp"]), int(before["timestamp"]) + 1))
    attributes = [one | {"timestamp": at} for one in made["Attribute"]]
    changed = made | {"timestamp": at, "Attribute": attributes}
    return changed | {"publish_timestamp": at} if "publish_timestamp" in made else changed


def stands(made: Event, theirs: Event) -> bool:
    """Does a server's event say all that ours does? It may say more: others add to it."""
    there = {one.get("uuid"): one for one in theirs.get("Attribute", ())}
    tags = {one.get("name") for one in theirs.get("Tag", ())}
    return (
        int(theirs.get("timestamp") or 0) >= int(made["timestamp"])
        and all(str(theirs.get(key)) == str(made[key]) for key in _HEAD)
        and tags >= {one["name"] for one in made["Tag"]}
        and all(_holds(there.get(one["uuid"], {}), one) for one in made["Attribute"])
    )


_HEAD = ("info", "date", "threat_level_id", "analysis", "distribution")


def _holds(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    return all(theirs.get(key) == ours[key] for key in ("type", "value", "to_ids", "comment"))


def _said(made: Event) -> Event:
    attributes = [{**one, "timestamp": ""} for one in made["Attribute"]]
    return {**made, "timestamp": "", "publish_timestamp": "", "Attribute": attributes}


def manifest(events: Iterable[FeedEvent]) -> bytes:
    """`manifest.json`."""
    return _encode({one.uuid: one.listed for one in sorted(events, key=_by_uuid)})


def hashes(events: Iterable[FeedEvent]) -> bytes:
    """`hashes.csv`."""
    lines = (
        f"{digest},{one.uuid}\n" for one in sorted(events, key=_by_uuid) for digest in one.hashes
    )
    return "".join(lines).encode()


def _by_uuid(one: FeedEvent) -> str:
    return one.uuid


def _md5(value: str) -> str:
    """A name, by which MISP's users look a value up; it protects nothing."""
    return md5(value.encode(), usedforsecurity=False).hexdigest()


_encode = msgspec.json.Encoder().encode
