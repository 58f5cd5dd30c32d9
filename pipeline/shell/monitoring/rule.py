"""An alert rule, and the series that prove it: those it fires on, those it is quiet on."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Severity = Literal["page", "ticket"]
"""Somebody gets up for a page; a ticket waits for the morning."""

Series = dict[str, str]
"""By series, its values a minute, in promtool's notation: `0+5x10` is 0 5 10 … 50."""


class Trial(Struct, frozen=True):
    """Series, and what the rule says of them at a time."""

    series: Series
    at: str = "30m"
    labels: tuple[dict[str, str], ...] = ()
    """Of the alerts that fire, the labels besides severity; nothing fires if there are none."""


class AlertRule(Struct, frozen=True):
    """One alert. Its page is docs/runbooks/NAME.md."""

    name: str
    expr: str
    for_: str
    severity: Severity
    summary: str
    trials: tuple[Trial, ...]


class Recording(Struct, frozen=True):
    """What is worked out once and read often."""

    record: str
    expr: str


def fires(series: Series, *labels: dict[str, str], at: str = "30m") -> Trial:
    """A trial on which the rule fires: once for each of `labels`, by default once without any."""
    return Trial(series, at, labels or ({},))


def quiet(series: Series, at: str = "30m") -> Trial:
    """A trial on which it does not."""
    return Trial(series, at)
