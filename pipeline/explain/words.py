"""What was found out, in plain sentences: one line each. No I/O here.

Every figure stands in what is explained; nothing is worked out here but how it is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.explain.absence import Miss, Verdict, WhyNot
from pipeline.explain.found import AlertExplained, Asked, Country
from pipeline.explain.grouped import CampaignExplained, MemberExplained
from pipeline.explain.inquiry import Source
from pipeline.explain.judge import ORDER, Condition
from pipeline.explain.watched import WatchExplained
from pipeline.explain.when import moment
from pipeline.rule import Level
from pipeline.share.defang import defanged
from pipeline.surprise import Surprise

_PLURAL = {
    "country": ("country", "countries"),
    "organisation": ("organisation", "organisations"),
    "origin_country": ("country of origin", "countries of origin"),
    "origin_as": ("network of origin", "networks of origin"),
    "event": ("event", "events"),
    "rule": ("base rule", "base rules"),
}
_LEVELS = tuple(level.value for level in Level)
_SHOWN = 20


def duration(ms: int) -> str:
    """`70 minutes`: in the largest unit of which it is a whole number, or in seconds."""
    for unit, length in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000)):
        if ms >= length and ms % length == 0:
            return _count(ms // length, (unit, f"{unit}s"))
    if ms % 1000 == 0:
        return _count(ms // 1000, ("second", "seconds"))
    return f"{ms / 1000:.1f} seconds" if ms > 1000 else f"{ms} ms"


def of_alert(found: AlertExplained) -> Iterator[str]:
    """Why an alert is there."""
    rule = found.rule
    yield f"alert {found.id}: {found.type} {defanged(found.type, found.value)}"
    if found.merged_into is not None:
        yield f"merged into {found.merged_into}, which goes on"
    yield f"rule {rule.title!r} ({rule.id}): {_asks(rule)}"
    if found.held is None:
        yield "what led to it is not among what was read: look further back"
    else:
        held = found.held
        yield f"it held first in the window {_span(held.begins, held.ends)}: " + ", ".join(
            _had(of) for of in held.conditions
        )
        yield f"{_count(found.windows, ('window', 'windows'))} in a row held"
    yield from _severity(found)
    if found.known_benign:
        yield f"known as benign by: {', '.join(found.known_benign)}"
    yield from _chance(found.surprise)
    if found.standing is not None:
        stands = found.standing
        is_so = "endemic" if stands.endemic else "not endemic"
        yield (
            f"{is_so}: {stands.before} sightings by {stands.spread} of {stands.groups} in the "
            f"{stands.base} slices before its last window, {stands.now} in it"
        )
    yield "seen, the first country first:"
    yield from _countries(found.countries)
    yield from _sources(found.sources, found.sources_omitted, "raw events")


def of_watch(found: WatchExplained) -> Iterator[str]:
    """Why an alert on what a partner shared is there."""
    watch = found.watch
    reference = f", there {watch.reference}" if watch.reference else ""
    until = "" if watch.valid_until is None else f", until {moment(watch.valid_until)}"
    sure = "" if watch.confidence is None else f", {watch.confidence} percent sure"
    yield f"alert {found.id}: {found.type} {defanged(found.type, found.value)}"
    yield f"by no rule: {watch.source} shared it{reference} (TLP:{watch.tlp}{sure}{until})"
    why = "its source is not sure" if found.unsure else "as of all that is watched for"
    if found.known_benign:
        why = f"known as benign by: {', '.join(found.known_benign)}"
    yield f"severity {_LEVELS[found.severity - 1]}: {why}"
    if not found.countries:
        yield "what led to it is not among what was read: look further back"
        return
    yield "seen, the first country first:"
    yield from _countries(found.countries)
    yield from _sources(found.sources, found.sources_omitted, "raw events")


def of_campaign(found: CampaignExplained) -> Iterator[str]:
    """Why a campaign is there."""
    yield (
        f"campaign {found.id}: {found.status}, {_LEVELS[found.severity - 1]}, "
        f"{_count(len(found.members), ('member', 'members'))}, "
        f"{_count(len(found.alerts), ('alert', 'alerts'))}"
    )
    if found.merged_into is not None:
        yield f"merged into {found.merged_into}, which goes on"
    if found.split_from is not None:
        yield f"split from {found.split_from}"
    if found.withdrawn:
        yield "withdrawn: by what is known now it does not hold"
    if (label := found.label) is not None:
        on = f", on the ground: {label.basis}" if label.basis else ""
        yield f"label {label.verdict}, says {label.by}, {label.confidence} percent sure{on}"
    yield (
        f"seen {moment(found.first_seen)} to {moment(found.last_seen)}; it could be told from "
        f"{moment(found.first_told)} on"
    )
    yield (
        f"confidence {found.confidence} of 100, {found.confidence_word} ({found.admiralty}), by "
        f"the word of {_count(len(found.organisations), _PLURAL['organisation'])}"
    )
    if found.p_value is not None:
        known = [one for one in found.alerts if one.p_value is not None]
        yield (
            f"p-value {found.p_value:g}: e times the geometric mean of its alerts'"
            f"{f' {len(known)}' if known else ''}"
        )
    yield "seen, the first country first:"
    yield from _countries(found.countries)
    yield "members, and why each belongs:"
    for member in found.members:
        yield from _member(member)
    yield "alerts:"
    for one in found.alerts[:_SHOWN]:
        chance = "" if one.p_value is None else f", p-value {one.p_value:g}"
        yield f"  {one.id}: {one.title or 'not among what was read'}{chance}"
    yield from _more(len(found.alerts) - _SHOWN)


def of_absence(found: WhyNot) -> Iterator[str]:
    """Why there is no alert."""
    name = f"{found.type} {defanged(found.type, found.value)}"
    match found.verdict:
        case Verdict.ALERTED:
            yield f"{name}: there is an alert on it"
            for raised in found.alerts[:_SHOWN]:
                grade = raised.grade
                because = f", lowered: {' and '.join(grade.because)}" if grade.because else ""
                yield (
                    f"  {raised.id}: {raised.title}, "
                    f"{_LEVELS[grade.severity - 1]}{because}, "
                    f"seen {moment(raised.first_seen)} to {moment(raised.last_seen)}"
                )
            yield from _more(len(found.alerts) - _SHOWN)
        case Verdict.REFUSED:
            yield f"{name}: no event of it was taken"
        case Verdict.UNSEEN:
            yield f"{name}: no event of it is among what was read"
        case Verdict.UNASKED:
            yield f"{name}: no rule looks at indicators of type {found.type}"
        case Verdict.UNMET:
            yield f"{name}: it was seen, and no rule held"
        case Verdict.OUT_OF_SIGHT:
            yield f"{name}: a rule holds in what was read, and no alert on it was found there"
    if found.known_benign:
        yield f"known as benign by: {', '.join(found.known_benign)}"
    for refusals in found.refusals:
        whose = f" of {', '.join(refusals.sensors)}" if refusals.sensors else ""
        yield (
            f"{_count(refusals.count, _PLURAL['event'])}{whose} not taken, {refusals.reason}: "
            f"{refusals.detail} ({', '.join(refusals.places)})"
        )
    if found.countries:
        yield "seen, the first country first:"
        yield from _countries(found.countries)
    counted = [miss for miss in found.rules if miss.conditions]
    for miss in sorted(counted, key=lambda miss: miss.lack):
        if miss.holds or found.verdict is not Verdict.ALERTED:
            yield from _miss(miss)
    if found.verdict is Verdict.UNMET:
        for miss in found.rules:
            if not miss.conditions:
                which = " or ".join(miss.rule.base_rules)
                yield f"rule {miss.rule.title!r}: nothing that was seen of it is: {which}"


def _miss(miss: Miss) -> Iterator[str]:
    rule = miss.rule
    yield f"rule {rule.title!r}: {_asks(rule)}"
    if miss.begins is None or miss.ends is None:
        return
    where = _span(miss.begins, miss.ends)
    if miss.holds:
        yield f"  holds: {', '.join(_had(of) for of in miss.conditions)} in the window {where}"
        return
    yield f"  misses: {', '.join(_had(of) for of in miss.missing)} in the nearest window, {where}"
    if miss.takes_ms is None:
        yield "  no window is long enough"
    else:
        yield (
            f"  it would take a window of {duration(miss.takes_ms)}; the rule's is "
            f"{duration(rule.timespan_ms)}"
        )


def _asks(rule: Asked) -> str:
    events = {"any": " or ", "each": ", ", "in order": ", then "}[rule.meets].join(rule.base_rules)
    return f"{rule.indicator_type}, {events}, within {duration(rule.timespan_ms)}, {rule.level}"


def _had(of: Condition) -> str:
    if of.field == ORDER:
        return "in order" if of.met else "not in order"
    one, many = _PLURAL[of.field]
    at_least = "at least " if of.field == "event" and of.met else ""
    return f"{at_least}{of.had} of {of.needed} {one if of.needed == 1 else many}"


def _severity(found: AlertExplained) -> Iterator[str]:
    grade = found.grade
    severity = _LEVELS[grade.severity - 1]
    if not grade.because:
        yield f"severity {severity}: the rule's level"
    else:
        ceiling = _LEVELS[grade.ceiling - 1]
        because = " and ".join(grade.because)
        yield f"severity {severity}: the rule says {ceiling}, lowered: {because}"


def _chance(surprise: Surprise | None) -> Iterator[str]:
    if surprise is None:
        return
    yield (
        f"p-value {surprise.p_value:g}: the tail P(at least {surprise.spread} of "
        f"{surprise.groups} see it in {surprise.stretch} slices)"
    )
    yield (
        f"  rate: {surprise.before} sightings in the {surprise.base} slices before, and "
        f"{surprise.prior:g} for those nobody counted: {surprise.expected:.3g} expected; the rate "
        "is uncertain, and averaged over (gamma)"
    )
    yield f"  shares: the same for each of the {surprise.groups}: 1/{surprise.groups}"


def _countries(countries: Iterable[Country]) -> Iterator[str]:
    for of in countries:
        sensors = f", by {', '.join(of.sensors)}" if of.sensors else ""
        yield f"  {of.country}  {moment(of.first_seen)}  {', '.join(of.organisations)}{sensors}"


def _member(member: MemberExplained) -> Iterator[str]:
    seen = ", ".join(of.country for of in member.seen)
    yield f"  {member.type} {defanged(member.type, member.value)}, seen in {seen or 'no country'}"
    edge = member.edge
    why = member.why
    if edge is not None and edge.other is not None:
        other = edge.other
        why = why.replace(other.value, defanged(other.type, other.value))
    yield f"    {why} (p {member.p:.3g})"
    if edge is not None:
        parts = [
            f"{name} {tie.hits} of {drawn}, p {tie.p:.3g}"
            for name, tie, drawn in (
                ("company", edge.company, edge.company and edge.company.drawn),
                ("presence", edge.presence, edge.presence and edge.presence.visits),
                ("acquaintances", edge.acquaintances,
                 edge.acquaintances and edge.acquaintances.drawn),
                ("near-equal commands", edge.alike, edge.alike and edge.alike.drawn),
            )
            if tie is not None
        ]  # fmt: skip
        parts += ["of one network, p " + f"{edge.kin:.3g}"] if edge.kin is not None else []
        yield f"    edge: {'; '.join(parts)}"
    for line in _sources(member.sources, member.sources_omitted, "raw events"):
        yield f"    {line}"


def _sources(sources: tuple[Source, ...], omitted: int, what: str) -> Iterator[str]:
    if not sources:
        return
    yield f"{what}, {len(sources) + omitted}:"
    for one in sources[:_SHOWN]:
        yield f"  {moment(one.time)}  {one.uid}  {one.sensor}  {one.place}"
    yield from _more(len(sources) + omitted - _SHOWN)


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  and {count} more"


def _span(begins: int, ends: int) -> str:
    return f"{moment(begins)} to {moment(ends)}"


def _count(number: int, words: tuple[str, str]) -> str:
    return f"{number} {words[0] if number == 1 else words[1]}"
