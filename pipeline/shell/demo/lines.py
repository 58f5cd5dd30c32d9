"""What the demo says of alerts and campaigns: lines of text, no wider than `WIDTH`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from textwrap import wrap

from msgspec import Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.registry import Party
from pipeline.rule import Rule
from pipeline.share.defang import defanged
from pipeline.shell.printable import cut

WIDTH = 80  # columns that no line of ours goes beyond
_COUNTRIES_SHOWN = 6
_SOURCES_SHOWN = 5
_SEVERITIES = {1: "informational", 2: "low", 3: "medium", 4: "high", 5: "critical"}

HEADER = f"{'raised at':<11}  {'source':<18}  from  {'seen in':<17}  {'rule':<21}"

Hits = Mapping[str, Sequence[tuple[int, Party]]]
"""By source address, when it hit which party, in order of time."""


class Progress(Struct, frozen=True):
    """How far a replay is. `clock` is event time, ms; `rate` is events a second."""

    clock: int
    sent: int
    of: int
    behind: int
    opened: int
    rate: float


def alert_line(alert: Alert, rules: Mapping[str, Rule]) -> str:
    """An alert as it is when it is raised, in the columns of `HEADER`."""
    finding, unmapped = alert.finding_info, alert.unmapped
    origin = (unmapped.origin.country if unmapped.origin else None) or "?"
    rule = rules.get(finding.analytic.uid)
    return (
        f"{when(alert.time)[5:]}  {cut(alert.observables[0].value, 18):<18}  {origin:<4}  "
        f"{_list(unmapped.countries):<17}  {cut(_short(rule) if rule else finding.title, 21):<21}"
    )


def alert_lines(alert: Alert) -> list[str]:
    """The same where there is room to say what it is."""
    finding, said = alert.finding_info, alert.unmapped
    of = alert.observables[0]
    chance = "not known" if said.p_value is None else f"p = {said.p_value:.3g}"
    return [
        finding.title,
        f"  {of.name} {defanged(of.name, of.value)}",
        f"  seen in {' '.join(said.countries)}, by {', '.join(said.organisations)}",
        f"  severity {_SEVERITIES.get(alert.severity_id, '?')}; by chance: {chance}",
        f"  id {finding.uid}",
    ]


def campaign_lines(campaign: Campaign) -> list[str]:
    """A campaign: what belongs to it, where it was seen, and why its first member belongs."""
    lines = [
        f"campaign {campaign.id}: {campaign.status}",
        f"  seen in {' '.join(campaign.countries)}; {len(campaign.alerts)} alerts; "
        f"confidence {campaign.confidence} %",
    ]
    lines += [f"  {one.type:<7} {defanged(one.type, one.value)}" for one in campaign.indicators]
    if campaign.reasons:
        why = campaign.reasons[0]
        lines += wrap(
            f"{defanged(why.type, why.value)} belongs: {why.why}",
            WIDTH, initial_indent="  why     ", subsequent_indent="          ",
        )  # fmt: skip
    return lines


def alerts_lines(alerts: Sequence[Alert], rules: Mapping[str, Rule], hits: Hits) -> list[str]:
    """How many alerts, where, from whom, how soon. `alerts` are the newest revisions."""
    by_countries = Counter(len(alert.unmapped.countries) for alert in alerts)
    by_rule = Counter(alert.finding_info.analytic.uid for alert in alerts)
    by_source = Counter(alert.observables[0].value for alert in alerts)
    lines = [f"Out  {len(alerts):>8,}  alerts about {len(by_source):,} sources"]
    lines += [
        f"     {count:>8,}  by the rule {_short(rules[rule]) if rule in rules else rule}"
        for rule, count in by_rule.most_common()
    ]
    lines += [
        f"     {count:>8,}  seen in {number} countr{'y' if number == 1 else 'ies'}"
        for number, count in sorted(by_countries.items())
    ]
    if by_source:
        lines += ["", "Sources with most alerts", *_sources(alerts, by_source, hits), ""]
    return [*lines, *_soon(alerts, rules, hits)]


def _sources(alerts: Sequence[Alert], by_source: Counter[str], hits: Hits) -> Iterable[str]:
    yield f"     {'source':<15}  from  alerts  events  seen in"
    for source, count in by_source.most_common(_SOURCES_SHOWN):
        of = [alert.unmapped for alert in alerts if alert.observables[0].value == source]
        origin = next((one.origin.country for one in of if one.origin), None) or "?"
        countries = sorted({country for one in of for country in one.countries})
        yield (
            f"     {source:<15}  {origin:<4}  {count:>6,}  {len(hits.get(source, ())):>6,}  "
            f"{_list(countries)}"
        )


def _soon(alerts: Sequence[Alert], rules: Mapping[str, Rule], hits: Hits) -> Iterable[str]:
    for rule in rules.values():
        took: list[int] = []
        further = 0
        for alert in alerts:
            if alert.finding_info.analytic.uid != rule.id:
                continue
            after = time_to_raise(alert, rule, hits)
            if after is not None:
                took.append(after)
                met = {
                    "country": alert.unmapped.countries,
                    "organisation": alert.unmapped.organisations,
                }
                further += len(met[rule.field]) > rule.gte
        if took:
            minutes = math.ceil(median(took) / 60_000)
            yield from wrap(
                f"How soon: half of the {len(took):,} alerts on {_short(rule)} were due within "
                f"{minutes} min of the source's first hit, by the events' own times. In "
                f"{further:,} of them a further {rule.field} was hit after that.",
                WIDTH,
            )


def time_to_raise(alert: Alert, rule: Rule, hits: Hits) -> int | None:
    """From an episode's first sighting to the one with which its first window held, ms.

    Exact but for the slice: until then, no window held what the rule asks for.
    """
    first = alert.finding_info.first_seen_time
    met: set[str] = set()
    for time, party in hits.get(alert.observables[0].value, ()):
        if time >= first:
            met.add(getattr(party, rule.field))
            if len(met) >= rule.gte:
                return time - first
    return None


def _short(rule: Rule) -> str:
    many = {"country": "countries", "organisation": "organisations"}.get(rule.field, rule.field)
    return f"{rule.gte} {many} in {_span(rule.timespan_ms)}"


def _list(countries: Sequence[str]) -> str:
    if len(countries) <= _COUNTRIES_SHOWN:
        return " ".join(countries)
    shown = _COUNTRIES_SHOWN - 1
    return f"{' '.join(countries[:shown])} +{len(countries) - shown}"


def _span(ms: int) -> str:
    seconds = ms // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600 or (seconds < 7200 and seconds % 3600):
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} d"


def when(ms: int) -> str:
    """To the minute, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
