"""Why there is no alert on an indicator. No I/O here.

One of these is so, and the first that is, is the answer:

    alerted       there is one
    refused       nothing of it was taken: all was rejected, or too late
    unseen        nothing of it was seen
    unasked       no rule looks at its type
    unmet         it was seen, and no rule held: by how much each missed
    out-of-sight  a rule holds in what was read, and no alert was found there
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct

from pipeline.alert import Alert, Grade, grade
from pipeline.decode import Reason
from pipeline.explain.found import Asked, Country, by_country
from pipeline.explain.inquiry import Inquiry, Refusal
from pipeline.explain.judge import Condition, Judged, judge, spanned
from pipeline.indicator import Indicator
from pipeline.rule import Rule
from pipeline.slices import SLICES

_PLACES = 5


class Verdict(StrEnum):
    """Why there is no alert."""

    ALERTED = "alerted"
    REFUSED = "refused"
    UNSEEN = "unseen"
    UNASKED = "unasked"
    UNMET = "unmet"
    OUT_OF_SIGHT = "out-of-sight"


class Miss(Struct, frozen=True):
    """How one rule finds it.

    `conditions`: what its nearest window has, which begins … ends (ms, the end not covered); none
    if nothing that was seen counts for the rule. `takes_ms`: how long a window would have to be for
    the rule to hold; None if none is long enough. `holds`: the rule holds.
    """

    rule: Asked
    holds: bool
    conditions: tuple[Condition, ...] = ()
    begins: int | None = None
    ends: int | None = None
    takes_ms: int | None = None

    @property
    def lack(self) -> float:
        """How far it is off: the part of what is asked that is missing."""
        needed = sum(condition.needed for condition in self.conditions)
        return sum(of.needed - of.had for of in self.missing) / max(needed, 1)

    @property
    def missing(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if not condition.met)


class Refusals(Struct, frozen=True):
    """Events of it that were not taken for one reason. `places`: some of them."""

    reason: Reason
    count: int
    detail: str
    sensors: tuple[str, ...]
    places: tuple[str, ...]


class Raised(Struct, frozen=True):
    """An alert on it that there is, and why its severity is what it is."""

    id: str
    title: str
    first_seen: int
    last_seen: int
    grade: Grade


class WhyNot(Struct, frozen=True):
    """Why there is no alert on one indicator."""

    type: str
    value: str
    verdict: Verdict
    events: int
    countries: tuple[Country, ...]
    rules: tuple[Miss, ...]
    refusals: tuple[Refusals, ...]
    known_benign: tuple[str, ...]
    alerts: tuple[Raised, ...]


def why_not(
    one: Indicator,
    inquiry: Inquiry,
    alerts: Iterable[Alert],
    known_benign: tuple[str, ...],
    *,
    lowers: bool,
) -> WhyNot:
    """`alerts`: those there are, of whatever, and those that were; `lowers` as of
    `pipeline.explain.found`.
    """
    by_id = {rule.id: rule for rule in inquiry.rules}
    raised = tuple(
        _raised(alert, by_id, lowers=lowers)
        for alert in sorted(alerts, key=lambda alert: alert.finding_info.first_seen_time)
        if (alert.observables[0].name, alert.observables[0].value) == one
        and alert.unmapped.merged_into is msgspec.UNSET
    )
    misses = tuple(_misses(one, inquiry))
    refusals = _refusals(inquiry.refusals.get(one, ()))
    countries = by_country(one, inquiry)
    if raised:
        verdict = Verdict.ALERTED
    elif not countries:
        verdict = Verdict.REFUSED if refusals else Verdict.UNSEEN
    elif not misses:
        verdict = Verdict.UNASKED
    else:
        held = any(miss.holds for miss in misses)
        verdict = Verdict.OUT_OF_SIGHT if held else Verdict.UNMET
    return WhyNot(
        *one,
        verdict,
        len(inquiry.sources.get(one, ())),
        countries,
        misses,
        refusals,
        known_benign,
        raised,
    )


def _misses(one: Indicator, inquiry: Inquiry) -> Iterable[Miss]:
    found: dict[str, Judged] = {}
    for track in inquiry.tracks(one[0]):
        found.update((judged.rule.id, judged) for judged in judge(track, one[1]))
    for rule in inquiry.rules:
        if rule.indicator_type == one[0]:
            yield _miss(rule, found.get(rule.id))


def _miss(rule: Rule, judged: Judged | None) -> Miss:
    if judged is None:
        return Miss(Asked.of(rule), holds=False)
    begins, ends = spanned(rule, judged.nearest - SLICES + 1, judged.nearest)
    takes = judged.takes
    return Miss(
        Asked.of(rule),
        bool(judged.episodes),
        judged.conditions,
        begins,
        ends,
        None if takes is None else -(-takes * rule.timespan_ms // SLICES),
    )


def _raised(alert: Alert, rules: Mapping[str, Rule], *, lowers: bool) -> Raised:
    finding, unmapped = alert.finding_info, alert.unmapped
    rule = rules.get(finding.analytic.uid)
    severity = alert.severity_id
    found = Grade(severity, severity)
    if rule is not None:
        benign = bool(unmapped.known_benign) and lowers
        found = grade(rule.level, unmapped.p_value, endemic=unmapped.endemic, benign=benign)
    return Raised(
        finding.uid, finding.title, finding.first_seen_time, finding.last_seen_time, found
    )


def _refusals(refused: Iterable[Refusal]) -> tuple[Refusals, ...]:
    by_reason: dict[Reason, list[Refusal]] = {}
    for one in refused:
        by_reason.setdefault(one.reason, []).append(one)
    return tuple(
        Refusals(
            reason,
            len(those),
            those[0].detail,
            tuple(sorted({one.sensor for one in those if one.sensor is not None})),
            tuple(one.place for one in those[:_PLACES]),
        )
        for reason, those in sorted(by_reason.items())
    )
