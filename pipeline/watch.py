"""An indicator that a partner shared, and the alert on it when a sensor sees it. No I/O here."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta, Struct

from pipeline.alert import (
    ANALYTIC_RULE,
    CATEGORY_FINDINGS,
    CLASS_DETECTION_FINDING,
    METADATA,
    OBSERVABLE_TYPE,
    OTHER,
    STAGE,
    Alert,
    AlertObservable,
    Analytic,
    FindingInfo,
    Shared,
    Unmapped,
)
from pipeline.benign import Benign
from pipeline.canonical import MAX_VALUE_CHARACTERS
from pipeline.episode import Change
from pipeline.geo import Geo
from pipeline.indicator import Indicator
from pipeline.indicator_type import IP
from pipeline.lane import BANNER, flag_of
from pipeline.share.tlp import (
    UNLABELLED_PAP,
    UNLABELLED_TLP,
    Pap,
    Tlp,
    strictest_pap,
    strictest_tlp,
)

_NAMESPACE = UUID("7d1f0a52-6b0e-5f3c-9d5c-1a4be2f7c9d0")
WATCHED = Analytic(ANALYTIC_RULE, "b8a1f6d4-7c55-4d0b-8a52-5d6c7e0a94f3", "Watched indicator")
"""In place of a rule, what these alerts are by."""
_SURE = 50
_SEVERITY, _UNSURE, _INFORMATIONAL = 3, 2, 1

Text = Annotated[str, Meta(max_length=256)]
Named = Annotated[str, Meta(min_length=1, max_length=256)]


class Watch(Struct, frozen=True):
    """A record of the topic `watches`, by its id. Times in ms; `confidence` in percent.

    `source` is who shared it, `reference` its id over there. The value is in canonical form.
    """

    id: Named
    type: Literal[
        "ip", "domain", "url", "md5", "sha1", "sha256", "ja3", "ja4", "hassh", "credential",
        "user_agent", "cve", "purl",
    ]  # fmt: skip
    value: Annotated[str, Meta(min_length=1, max_length=MAX_VALUE_CHARACTERS)]
    source: Named
    reference: Text = ""
    tlp: Tlp = UNLABELLED_TLP
    pap: Pap = UNLABELLED_PAP
    confidence: Annotated[int, Meta(ge=0, le=100)] | None = None
    valid_from: Annotated[int, Meta(ge=0)] = 0
    valid_until: int | None = None

    @property
    def indicator(self) -> Indicator:
        return self.type, self.value


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Watch).decode


def identity(source: str, reference: str, indicator: Indicator) -> str:
    """The id of a watch: the same whenever it is read, whatever else was said of it meanwhile."""
    return str(uuid5(_NAMESPACE, "\0".join((source, reference, *indicator))))


def alert_id(watch: str) -> str:
    """The id of the alert on a watch."""
    return str(uuid5(_NAMESPACE, watch))


def is_watched(alert: Alert) -> bool:
    """Whether an alert is on a watched indicator, and not by a rule."""
    return alert.finding_info.analytic.uid == WATCHED.uid


class Seen:
    """When and by whom a watched indicator was seen, and under which labels. Times in ms."""

    __slots__ = ("countries", "first", "labels", "last", "organisations")

    def __init__(self) -> None:
        self.first = 1 << 62
        self.last = -1
        self.countries: set[str] = set()
        self.organisations: set[str] = set()
        self.labels: set[tuple[Tlp, Pap]] = set()

    def note(self, first: int, country: str, organisation: str, label: tuple[Tlp, Pap]) -> bool:
        """Whether there is more to it than that it goes on."""
        if first >= self.first and country in self.countries and organisation in self.organisations:
            return False
        self.first = min(self.first, first)
        self.countries.add(country)
        self.organisations.add(organisation)
        self.labels.add(label)
        return True


def watch_alert(
    watch: Watch, seen: Seen, change: Change, benign: Benign, geo: Geo, exercise: str = ""
) -> Alert:
    """The finding that a watch is, once it was seen; `exercise`: of whose lane, if of one."""
    listed = benign.lists(*watch.indicator)
    severity = _UNSURE if is_unsure(watch.confidence) else _SEVERITY
    number = OBSERVABLE_TYPE.get(watch.type, OTHER)
    countries, organisations = tuple(sorted(seen.countries)), tuple(sorted(seen.organisations))
    count = len(organisations)
    pap = strictest_pap((watch.pap, *(of for _, of in seen.labels)))
    message = (
        f"the {watch.type} that {watch.source} shared seen by {count} "
        f"organisation{'s' if count != 1 else ''} in {', '.join(countries)}"
    )
    alert = Alert(
        activity_id=0,
        category_uid=CATEGORY_FINDINGS,
        class_uid=CLASS_DETECTION_FINDING,
        type_uid=0,
        severity_id=_INFORMATIONAL if listed and benign.lowers else severity,
        status_id=0,
        time=seen.last,
        message=f"{BANNER}: {message}" if exercise else message,
        metadata=METADATA,
        finding_info=FindingInfo(
            alert_id(watch.id), WATCHED.name, seen.first, seen.last, WATCHED
        ),
        observables=(
            AlertObservable(
                watch.type, number, watch.value, watch.type if number == OTHER else None
            ),
        ),
        unmapped=Unmapped(
            countries,
            organisations,
            geo.origin(watch.value) if watch.type == IP else None,
            known_benign=listed,
            watch=Shared(
                watch.id, watch.source, watch.reference, watch.tlp, watch.pap,
                watch.confidence, watch.valid_until,
            ),
            tlp=strictest_tlp((watch.tlp, *(of for of, _ in seen.labels))),
            pap=pap,
            may_block=may_block(pap),
            exercise=flag_of(exercise),
        ),
    )  # fmt: skip
    return staged(alert, change)


def is_unsure(confidence: int | None) -> bool:
    """Whether a partner that is so sure, in percent, is not: that lowers the severity."""
    return confidence is not None and confidence < _SURE


def is_closed(alert: Alert) -> bool:
    return alert.activity_id == STAGE[Change.CLOSED][0]


def change_of(alert: Alert) -> Change:
    """What became of it."""
    return next(change for change, stage in STAGE.items() if stage[0] == alert.activity_id)


def may_block(pap: Pap) -> bool:
    """Whether what was shared under it may be blocked: that is an active measure."""
    return pap.strictness <= Pap.GREEN.strictness


def staged(alert: Alert, change: Change) -> Alert:
    """The same, in that stage of its life."""
    activity, status = STAGE[change]
    return msgspec.structs.replace(
        alert,
        activity_id=activity,
        status_id=status,
        type_uid=CLASS_DETECTION_FINDING * 100 + activity,
    )
