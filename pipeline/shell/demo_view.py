"""What the demo puts on the screen: alerts as they open, one line of progress, a summary.

On a terminal the progress stays at the bottom and alerts scroll above it; anywhere else it is plain
lines without control sequences, few enough for a log. What could steer a terminal is written out,
and nothing is taken for markup.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from statistics import median
from textwrap import wrap
from types import TracebackType
from typing import Self

from msgspec import Struct
from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.alert import Alert
from pipeline.registry import Party
from pipeline.rule import Rule
from pipeline.shell.printable import printable

WIDTH = 100  # columns that no line of ours goes beyond
SHOWN_FIRST = 20  # alerts, where the output is no terminal
SHOWN_EVERY = 50  # after those
_COUNTRIES_SHOWN = 6
_SOURCES_SHOWN = 5
_BAR = 74

HEADER = (
    f"{'raised at':<11}  {'source':<15}  from  {'seen in':<17}  orgs  {'rule':<22}  {'after':>6}"
)

Hits = Mapping[str, Sequence[tuple[int, Party]]]
"""By source address, when it hit which party, in order of time."""


class Progress(Struct, frozen=True):
    """How far a replay is. `clock` is event time, ms; `rate` is events a second."""

    clock: int
    sent: int
    of: int
    received: int
    correlated: int
    opened: int
    closed: int
    rate: float


class Totals(Struct, frozen=True):
    """What the workers say they did with the events that were sent to them."""

    sent: int
    received: int
    correlated: int
    without_indicators: int
    rejected: int
    late: int
    sightings: int

    @property
    def add_up(self) -> bool:
        parts = self.correlated + self.without_indicators + self.rejected + self.late
        return self.sent == self.received == parts


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line; rich's own way, SystemExit, breaks an event loop."""
        raise BrokenPipeError


class Screen:
    """Where the demo writes; used with `with` while something moves on it."""

    def __init__(self, console: Console | None = None) -> None:
        # Not by rich's own lights: FORCE_COLOR must not put control sequences into a file.
        self._console = console or _Console(
            force_terminal=sys.stdout.isatty(), markup=False, highlight=False, emoji=False
        )
        if isinstance(self._console.file, TextIOWrapper):
            self._console.file.reconfigure(errors="replace")  # a terminal that is not UTF-8
        self._moves = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live = Live(console=self._console, transient=True, refresh_per_second=8)
        self._opened = 0
        self._tenth = 0

    def __enter__(self) -> Self:
        if self._moves:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, *lines: str, style: str = "") -> None:
        for line in lines:
            text = Text(printable(line), style=style)
            if self._moves:
                self._console.print(text, no_wrap=True, overflow="ellipsis")
            else:
                self._console.print(text, soft_wrap=True)
        self._console.file.flush()

    def opened(self, alert: Alert, rules: Mapping[str, Rule]) -> None:
        """Show an alert that has just been raised, or, in a log, some of them."""
        self._opened += 1
        if self._moves or self._opened <= SHOWN_FIRST or self._opened % SHOWN_EVERY == 0:
            self.say(alert_line(alert, rules))
        if not self._moves and self._opened == SHOWN_FIRST:
            self.say(f"… from here on one alert in {SHOWN_EVERY} is shown")

    def progress(self, now: Progress) -> None:
        if self._moves:
            done = _BAR * now.sent // now.of
            bar = f"[{'#' * done}{'.' * (_BAR - done)}] {100 * now.sent // now.of:>3} %"
            counts = (
                f"{now.sent:>6,} sent  {now.correlated:>6,} correlated  {now.opened:>5,} alerts "
                f"raised  {now.closed:>5,} closed  {now.rate:>6,.0f} events/s  "
                f"{now.sent - now.received:>5,} behind"
            )
            lines = f"{_when(now.clock)}  {bar}\n{counts}"
            self._live.update(Text(lines, style="bold", no_wrap=True, overflow="ellipsis"))
        elif (tenth := now.sent * 10 // now.of) > self._tenth:
            self._tenth = tenth
            self.say(
                f"{_when(now.clock)}: {now.sent:,} sent, {now.correlated:,} correlated, "
                f"{now.opened:,} alerts raised, {now.closed:,} closed"
            )


def alert_line(alert: Alert, rules: Mapping[str, Rule]) -> str:
    """An alert as it is when it is raised, in the columns of `HEADER`."""
    finding, unmapped = alert.finding_info, alert.unmapped
    origin = (unmapped.origin.country if unmapped.origin else None) or "?"
    rule = rules.get(finding.analytic.uid)
    return (
        f"{_when(alert.time)[5:]}  {alert.observables[0].value:<15}  {origin:<4}  "
        f"{_list(unmapped.countries):<17}  {len(unmapped.organisations):>4}  "
        f"{_short(rule) if rule else finding.title:<22}  "
        f"{_span(finding.last_seen_time - finding.first_seen_time):>6}"
    )


def totals_lines(totals: Totals) -> list[str]:
    parts = (
        f"{totals.correlated:,} correlated + {totals.without_indicators:,} without indicators "
        f"+ {totals.rejected:,} rejected + {totals.late:,} late"
    )
    return [
        f"In   {totals.sent:>8,}  events sent",
        f"     {totals.received:>8,}  read = {parts}",
        f"     {totals.sightings:>8,}  sightings made of them",
    ]


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
    many = {"country": "countries", "organisation": "organisations"}[rule.field]
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


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
