"""A campaign as every format begins with it: no credential in clear. No I/O here.

What leaves is a `Campaign`, as it is or as `pipeline.share.release` left it for a recipient.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from pipeline.campaign.campaign import Campaign, Member, Seen, Status, Word
from pipeline.campaign.label import Verdict
from pipeline.canonical import is_pseudonym
from pipeline.event import LAST_TIME_MS
from pipeline.indicator_type import CREDENTIAL
from pipeline.share.credential import covered, kept

replace = msgspec.structs.replace
_PSEUDONYM = re.compile(r"pseudonym:1:\d+:[0-9a-f]{32}", re.ASCII)
_RANK = {status: number for number, status in enumerate(Status)}

NAMESPACE = UUID("6f0d3a52-94f3-5c0a-8f0e-5a3f7c1c9d27")
"""Of all names that we give to objects of other formats."""

# Admiralty credibility as STIX counts it (STIX 2.1, appendix A); 6 cannot be judged.
_CONFIDENCE = {"1": 90, "2": 70, "3": 50, "4": 30, "5": 10}


class Producer(Struct, frozen=True):
    """Who says it: the name that recipients see."""

    name: str = "Sightline"


def named(*parts: str) -> str:
    """The UUID of what these parts name. No part holds a zero byte but a value, which is last."""
    return str(uuid5(NAMESPACE, "\0".join(parts)))


def outward(campaign: Campaign) -> Campaign:
    """Without a clear credential, and with one sighting of an indicator, organisation and country:
    one organisation may have labelled its events differently, and those whose names are withheld
    from a recipient all bear the same one. Without pseudonyms, too: no format has a word for them,
    and to whoever has no key they say nothing.
    """
    campaign = _in_clear(campaign)
    named_so = {(one.type, one.value) for one in campaign.indicators}
    named_so |= {(one.type, one.value) for one in campaign.sightings}
    clear = {value for kind, value in named_so if value and not kept(kind, value)}
    folded: dict[tuple[str, str, str, str], Seen] = {}
    for seen in campaign.sightings:
        value = covered(seen.type, seen.value)
        key = (seen.type, value, seen.organisation, seen.country)
        known = folded.get(key)
        folded[key] = replace(
            seen,
            value=value,
            first_seen=seen.first_seen if known is None else min(seen.first_seen, known.first_seen),
            last_seen=seen.last_seen if known is None else max(seen.last_seen, known.last_seen),
            slices=seen.slices + (0 if known is None else known.slices),
            # Its own labels are part of the campaign's, which is the strictest.
            tlp=msgspec.UNSET,
            pap=msgspec.UNSET,
        )
    members = dict.fromkeys(
        Member(one.type, covered(one.type, one.value)) for one in campaign.indicators
    )
    return replace(
        campaign,
        indicators=tuple(members),
        sightings=tuple(folded.values()),
        reasons=tuple(
            replace(one, value=covered(one.type, one.value), why=_without(one.why, clear))
            for one in campaign.reasons
        ),
    )


def _in_clear(campaign: Campaign) -> Campaign:
    if not any(is_pseudonym(one.value) for one in campaign.indicators):
        return campaign
    return replace(
        campaign,
        indicators=tuple(one for one in campaign.indicators if not is_pseudonym(one.value)),
        sightings=tuple(one for one in campaign.sightings if not is_pseudonym(one.value)),
        reasons=tuple(
            replace(one, why=_PSEUDONYM.sub("(a pseudonym)", one.why))
            for one in campaign.reasons
            if not is_pseudonym(one.value)
        ),
    )


def _without(why: str, clear: set[str]) -> str:
    for value in sorted(clear, key=len, reverse=True):
        why = why.replace(value, covered(CREDENTIAL, value))
    return why


def revoked(campaign: Campaign) -> bool:
    """It is no more: another took it in, or what was told does not hold."""
    return campaign.status is Status.MERGED or campaign.withdrawn is True


def harmless(campaign: Campaign) -> bool:
    """An analyst found so."""
    label = campaign.label
    return isinstance(label, Word) and label.verdict is not Verdict.CONFIRMED


def credibility(campaign: Campaign) -> int | None:
    """0 … 100, as the Admiralty grade says; None where it says nothing."""
    return _CONFIDENCE.get(campaign.admiralty[-1:])


def revised_at(campaign: Campaign) -> int:
    """When this revision was made, ms: later for one that knows more, from what it says alone.

    The clock is not asked, so that exporting twice comes to the same bytes, and a recipient learns
    nothing of what it may not see. Where nothing is later but a late sighting came, each thing that
    a campaign is made of counts for a millisecond. What a revision takes away without anything new,
    and that a slice's first sighting was earlier than thought, is not seen here: who remembers what
    was exported sees to that (`pipeline.share.stix_version`).
    """
    said = campaign.label.at if isinstance(campaign.label, Word) else 0
    latest = max(
        campaign.first_seen,
        campaign.last_seen,
        campaign.first_told,
        campaign.grown_at,
        said,
    )
    made_of = (
        len(campaign.indicators)
        + len(campaign.alerts)
        + len(campaign.sightings)
        + sum(seen.slices for seen in campaign.sightings)
        + (campaign.sightings_omitted or 0)
        + _RANK[campaign.status]
        + revoked(campaign)
    )
    return min(latest + made_of, LAST_TIME_MS)


def plain(text: str, most: int = 120) -> str:
    """A value within a sentence or a title: what does not print is not printed, and it is bounded.

    Characters beyond `most` are left out.
    """
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text[:most])
    return shown + "…" if len(text) > most else shown


def summary(campaign: Campaign) -> str:
    """What was seen, in one sentence."""
    said = _of(len(campaign.indicators), "indicator")
    if whom := len(campaign.organisations) + (campaign.unnamed or 0):
        said += f" seen by {_of(whom, 'organisation')}"
    return f"{said} in {', '.join(campaign.countries)}" if campaign.countries else said


def seen_by(sightings: Iterable[Seen]) -> str:
    """Who saw one indicator: one by name, of several how many; `in` where, as far as that is told.

    Organisations whose names are withheld are not counted.
    """
    seen = list(sightings)
    if not seen:
        return "belongs to the campaign"
    names = sorted({one.organisation for one in seen} - {""})
    countries = sorted({one.country for one in seen} - {""})
    whom = names[0] if len(names) == 1 else _of(len(names), "organisation") if names else ""
    by = f" by {whom}" if whom else ""
    return f"seen{by} in {', '.join(countries)}" if countries else f"seen{by}"


def _of(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
