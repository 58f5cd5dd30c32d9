"""An episode as the world reads it: an OCSF 1.5.0 Detection Finding. No I/O here."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from pipeline import __version__
from pipeline.benign import NOTHING_LISTED, Benign
from pipeline.episode import Change, Episode
from pipeline.geo import Geo, Origin
from pipeline.indicator_type import IP
from pipeline.lane import BANNER, Flag, flag_of
from pipeline.rule import Level
from pipeline.share.tlp import Pap, Tlp
from pipeline.surprise import lowered

CATEGORY_FINDINGS = 2
CLASS_DETECTION_FINDING = 2004
ANALYTIC_RULE = 1

# activity_id 1 create, 2 update, 3 close; status_id 1 new, 2 in progress, 4 resolved
STAGE = {
    Change.OPENED: (1, 1),
    Change.UPDATED: (2, 2),
    Change.CLOSED: (3, 4),
    Change.MERGED: (3, 4),
}
SEVERITY = {
    Level.INFORMATIONAL: 1,
    Level.LOW: 2,
    Level.MEDIUM: 3,
    Level.HIGH: 4,
    Level.CRITICAL: 5,
}
# OCSF's observable types; 99 is "Other", which `type` then names.
OBSERVABLE_TYPE = {
    "domain": 1,
    "ip": 2,
    "url": 6,
    "md5": 8,
    "sha1": 8,
    "sha256": 8,
    "user_agent": 16,
    "cve": 18,
    "credential": 19,
}
OTHER = 99


class Product(Struct, frozen=True):
    name: str
    vendor_name: str
    version: str


class AlertMetadata(Struct, frozen=True):
    version: str
    product: Product


class Analytic(Struct, frozen=True):
    """The rule."""

    type_id: int
    uid: str
    name: str


class FindingInfo(Struct, frozen=True):
    """`uid` is the alert's id: the same after a crash and replay. Times in ms."""

    uid: str
    title: str
    first_seen_time: int
    last_seen_time: int
    analytic: Analytic


class AlertObservable(Struct, frozen=True, omit_defaults=True):
    """The indicator: `name` is its type, `type` says it again where OCSF has no number for it."""

    name: str
    type_id: int
    value: str
    type: str | None = None


class Shared(Struct, frozen=True):
    """What a partner said of an indicator that is watched for (see `pipeline.watch`).

    `tlp` and `pap` are the partner's, `confidence` is in percent, `valid_until` in ms.
    """

    id: str
    source: str
    reference: str
    tlp: Tlp
    pap: Pap
    confidence: int | None
    valid_until: int | None


class Unmapped(Struct, frozen=True):
    """What OCSF has no place for. `origin` is of an `ip`; else null.

    `known_benign`: the names of the lists of benign infrastructure that the indicator is on.
    `p_value`: how likely its spread is by chance (see `pipeline.surprise`). `endemic`: it is
    everywhere always; this is its standing record, until it changes (see `pipeline.endemic`).
    Of a watched indicator: `watch`, who shared it, and `tlp` and `pap`, the strictest of what came
    together; `may_block` says whether that allows to block it.
    `exercise`: it is of this exercise, and not meant (see `pipeline.lane`).
    """

    countries: tuple[str, ...]
    organisations: tuple[str, ...]
    origin: Origin | None
    merged_into: str | msgspec.UnsetType = msgspec.UNSET
    known_benign: tuple[str, ...] = ()
    p_value: float | None = None
    endemic: bool = False
    watch: Shared | msgspec.UnsetType = msgspec.UNSET
    tlp: Tlp | msgspec.UnsetType = msgspec.UNSET
    pap: Pap | msgspec.UnsetType = msgspec.UNSET
    may_block: bool | msgspec.UnsetType = msgspec.UNSET
    exercise: Flag = msgspec.UNSET


class Alert(Struct, frozen=True):
    """One revision of an alert. `time` is its latest sighting, ms: event time, not the clock's."""

    activity_id: int
    category_uid: int
    class_uid: int
    type_uid: int
    severity_id: int
    status_id: int
    time: int
    message: str
    metadata: AlertMetadata
    finding_info: FindingInfo
    observables: tuple[AlertObservable, ...]
    unmapped: Unmapped


METADATA = AlertMetadata("1.5.0", Product("Sightline", "Sightline", __version__))
_encode = msgspec.json.Encoder().encode


def alert(episode: Episode, geo: Geo, benign: Benign = NOTHING_LISTED, exercise: str = "") -> Alert:
    """The finding that one revision of an episode is; `exercise`: of whose lane, if of one."""
    rule = episode.rule
    activity, status = STAGE[episode.change]
    kind = rule.indicator_type
    number = OBSERVABLE_TYPE.get(kind, OTHER)
    origin = geo.origin(episode.value) if kind == IP else None
    listed = benign.lists(kind, episode.value)
    merged_into = msgspec.UNSET if episode.merged_into is None else episode.merged_into
    return Alert(
        activity_id=activity,
        category_uid=CATEGORY_FINDINGS,
        class_uid=CLASS_DETECTION_FINDING,
        type_uid=CLASS_DETECTION_FINDING * 100 + activity,
        severity_id=grade(
            rule.level,
            episode.p_value,
            endemic=episode.endemic,
            benign=bool(listed) and benign.lowers,
        ).severity,
        status_id=status,
        time=episode.last_seen,
        message=f"{BANNER}: {_message(episode)}" if exercise else _message(episode),
        metadata=METADATA,
        finding_info=FindingInfo(
            episode.id,
            rule.title,
            episode.first_seen,
            episode.last_seen,
            Analytic(ANALYTIC_RULE, rule.id, rule.title),
        ),
        observables=(
            AlertObservable(kind, number, episode.value, kind if number == OTHER else None),
        ),
        unmapped=Unmapped(
            episode.countries,
            episode.organisations,
            origin,
            merged_into,
            listed,
            episode.p_value,
            episode.endemic,
            exercise=flag_of(exercise),
        ),
    )


def marked(finding: Alert, exercise: str) -> Alert:
    """An alert that was made without its lane, as it is told on that lane."""
    if not exercise:
        return finding
    replace = msgspec.structs.replace
    unmapped = replace(finding.unmapped, exercise=exercise)
    if unmapped.may_block is not msgspec.UNSET:
        unmapped = replace(unmapped, may_block=False)
    return replace(finding, message=f"{BANNER}: {finding.message}", unmapped=unmapped)


class Grade(Struct, frozen=True):
    """An alert's severity (OCSF's id), and why it is lower than its rule's level, if it is."""

    severity: int
    ceiling: int
    because: tuple[Literal["likely by chance", "endemic", "known benign"], ...] = ()


def grade(level: Level, p_value: float | None, *, endemic: bool, benign: bool) -> Grade:
    """The rule's level is the ceiling; what is likely by chance, benign or endemic is lower."""
    ceiling, least = SEVERITY[level], SEVERITY[Level.INFORMATIONAL]
    if endemic or benign:
        whys: tuple[tuple[bool, Literal["endemic", "known benign"]], ...] = (
            (endemic, "endemic"),
            (benign, "known benign"),
        )
        return Grade(least, ceiling, tuple(why for is_so, why in whys if is_so))
    down = lowered(p_value)
    return Grade(max(ceiling - down, least), ceiling, ("likely by chance",) if down else ())


def _message(episode: Episode) -> str:
    where = ", ".join(episode.countries)
    if episode.change is Change.MERGED:
        return f"merged into {episode.merged_into}"
    count = len(episode.organisations)
    by = f"{count} organisation{'s' if count != 1 else ''}"
    rule = episode.rule
    selected = " or ".join("any event" if of is None else of.name for of in rule.selections)
    of = "" if rule.selections == (None,) else f" ({selected})"
    what = f"the same {rule.indicator_type}"
    match rule.field:
        case "event":
            what = f"{rule.gte} or more events of {what}{of}"
        case "origin_country" | "origin_as":
            origins = "countries" if rule.field == "origin_country" else "networks"
            what = f"{what}{of} from {rule.gte} or more {origins} of origin"
        case "rule":
            names = ["any event" if of is None else of.name for of in rule.selections]
            joined = ", then ".join(names) if rule.ordered else ", ".join(names)
            some = "" if rule.gte == len(names) else f"{rule.gte} or more of "
            what = f"{what}: {some}{joined};"
        case _:
            what = f"{what}{of}"
    return f"{what} seen by {by} in {where}"


def encode(finding: Alert) -> bytes:
    """The finding as JSON."""
    return _encode(finding)
