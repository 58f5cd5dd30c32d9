"""What rules would have raised: alerts summed up by rule, by day, by indicator. No I/O here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from pipeline.alert import SEVERITY, Alert
from pipeline.rule import Rule

DAY_MS = 86_400_000
TOP = 10
_WORDS = {number: str(level) for level, number in SEVERITY.items()}


class RaisedByRule(Struct, frozen=True):
    """What one rule raised. `severities`: how many alerts of each, in Sigma's words for levels."""

    rule: str
    title: str
    alerts: int
    indicators: int
    severities: dict[str, int]


class TopIndicator(Struct, frozen=True):
    """An indicator, how many alerts it had, and in how many countries it was seen in all."""

    type: str
    value: str
    alerts: int
    countries: int


class Raised(Struct, frozen=True):
    """What all rules raised. `days`: alerts by the day (UTC, days since the epoch) they began."""

    alerts: int
    rules: tuple[RaisedByRule, ...]
    days: dict[int, int]
    severities: dict[str, int]
    top: tuple[TopIndicator, ...]


def raised(alerts: Iterable[Alert], rules: Sequence[Rule]) -> Raised:
    """Sums up final revisions. Rules that raised nothing are there too; most alerts come first."""
    by_rule: dict[str, list[Alert]] = {rule.id: [] for rule in rules}
    by_indicator: dict[tuple[str, str], list[Alert]] = {}
    for alert in alerts:
        by_rule.setdefault(alert.finding_info.analytic.uid, []).append(alert)
        observable = alert.observables[0]
        by_indicator.setdefault((observable.name, observable.value), []).append(alert)
    every = [alert for of in by_rule.values() for alert in of]
    days = Counter(alert.finding_info.first_seen_time // DAY_MS for alert in every)
    top = [
        TopIndicator(kind, value, len(of), len({one for a in of for one in a.unmapped.countries}))
        for (kind, value), of in by_indicator.items()
    ]
    top.sort(key=lambda one: (-one.alerts, -one.countries, one.type, one.value))
    told = [
        RaisedByRule(
            rule.id,
            rule.title,
            len(by_rule[rule.id]),
            len({alert.observables[0].value for alert in by_rule[rule.id]}),
            _severities(by_rule[rule.id]),
        )
        for rule in rules
    ]
    told.sort(key=lambda one: -one.alerts)
    return Raised(
        len(every), tuple(told), dict(sorted(days.items())), _severities(every), tuple(top[:TOP])
    )


def _severities(alerts: Iterable[Alert]) -> dict[str, int]:
    """The gravest first."""
    counts = Counter(alert.severity_id for alert in alerts)
    return {_WORDS[number]: counts[number] for number in sorted(counts, reverse=True)}
