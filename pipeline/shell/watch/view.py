"""Alerts and campaigns as lines: for a terminal with colours and a line of state at its bottom,
anywhere else without a control sequence.

What sensors said passes `printable`, and nothing is taken for markup. Indicators are defanged.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from types import TracebackType
from typing import Final, Self

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.lane import BANNER
from pipeline.share.defang import defanged
from pipeline.shell.printable import cut, printable
from pipeline.shell.watch.pace import Pace

_SEVERITY: Final = {
    1: ("info", "dim"),
    2: ("low", "cyan"),
    3: ("medium", "yellow"),
    4: ("high", "red"),
    5: ("critical", "bold white on red"),
}
_ALERT: Final = {1: "new", 2: "grown", 3: "closed"}
_COUNTRIES = 8
_VALUE = 44
_INDICATORS = 3

HEADER: Final = (
    f"{'last seen, UTC':<16} {'severity':<8} {'what':<8} {'indicator':<{_VALUE}} seen in"
)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line; rich's own way, SystemExit, breaks an event loop."""
        raise BrokenPipeError


class Screen:
    """Where lines go; used with `with` while something moves on it."""

    def __init__(self, console: Console | None = None, exercise: str = "") -> None:
        """`exercise`: whose lane is watched; it is said all the time."""
        self._exercise = exercise
        # Not by rich's own lights: FORCE_COLOR must not put control sequences into a file.
        self._console = console or _Console(
            force_terminal=sys.stdout.isatty(), markup=False, highlight=False, emoji=False
        )
        if isinstance(self._console.file, TextIOWrapper):
            self._console.file.reconfigure(errors="replace")  # a terminal that is not UTF-8
        self._moves = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live = Live(console=self._console, transient=True, refresh_per_second=4)
        self._shown = self._passed = 0

    def __enter__(self) -> Self:
        if self._moves:
            self._live.start()
        if self._exercise:
            self.say(f"{BANNER}: {self._exercise}", "bold reverse")
        self.say(HEADER, "bold")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, line: str, style: str = "") -> None:
        self._print(Text(printable(line), style=style))

    def alert(self, alert: Alert) -> None:
        self._shown += 1
        self._print(alert_line(alert))

    def campaign(self, campaign: Campaign) -> None:
        self._shown += 1
        self._print(campaign_line(campaign))

    def passed(self) -> None:
        """One came that the filter does not want."""
        self._passed += 1

    def state(self, pace: Pace) -> None:
        """The line at the bottom."""
        if not self._moves:
            return
        how = "no broker" if pace.lost else f"{pace.behind:,} behind" if pace.behind else "live"
        banner = f"{BANNER}   " if self._exercise else ""
        line = f"{banner}{how}   {self._shown:,} shown, {self._passed:,} filtered out   Ctrl-C ends"
        self._live.update(Text(line, style="reverse" if pace.lost or pace.behind else "dim"))

    def _print(self, text: Text) -> None:
        if self._moves:
            self._console.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(text, soft_wrap=True)

    def flush(self) -> None:
        self._console.file.flush()


def alert_line(alert: Alert) -> Text:
    """One revision of an alert, in the columns of `HEADER`."""
    said, one = alert.unmapped, alert.observables[0]
    merged = said.merged_into is not msgspec.UNSET
    what = "merged" if merged else _ALERT.get(alert.activity_id, "alert")
    notes = [alert.finding_info.title]
    if said.exercise is not msgspec.UNSET:
        notes.insert(0, "EXERCISE")
    if said.known_benign:
        notes.append("known benign")
    if said.endemic:
        notes.append("endemic")
    if said.p_value is not None:
        notes.append(f"p {said.p_value:.2g}")
    origin = said.origin.country if said.origin is not None else None
    where = _countries(said.countries) + (f" from {origin}" if origin else "")
    return _line(
        alert.finding_info.last_seen_time,
        alert.severity_id,
        what,
        f"{one.name} {defanged(one.name, one.value)}",
        f"{where}, {_organisations(said.organisations)}: {', '.join(notes)}",
    )


def campaign_line(campaign: Campaign) -> Text:
    """One revision of a campaign, in the columns of `HEADER`."""
    first = [defanged(one.type, one.value) for one in campaign.indicators[:_INDICATORS]]
    more = len(campaign.indicators) - len(first)
    named = ", ".join(first) + (f" and {more} more" if more > 0 else "")
    return _line(
        campaign.last_seen,
        campaign.severity,
        campaign.status,
        f"campaign {campaign.id}",
        f"{_countries(campaign.countries)}, {_organisations(campaign.organisations)}: "
        f"{'' if campaign.exercise is msgspec.UNSET else 'EXERCISE, '}"
        f"{len(campaign.alerts)} alerts, {campaign.confidence_word}, {named}",
    )


def _line(time: int, severity: int, what: str, name: str, rest: str) -> Text:
    word, style = _SEVERITY.get(severity, (str(severity), ""))
    text = Text()
    text.append(f"{_when(time):<16} ", style="dim")
    text.append(f"{word:<8} ", style=style)
    text.append(f"{printable(what):<8} ")
    text.append(f"{cut(printable(name), _VALUE):<{_VALUE}} ", style="bold")
    text.append(printable(rest))
    return text


def _countries(countries: tuple[str, ...]) -> str:
    more = len(countries) - _COUNTRIES
    return " ".join(countries[:_COUNTRIES]) + (f" +{more}" if more > 0 else "")


def _organisations(organisations: tuple[str, ...]) -> str:
    return f"{len(organisations)} org{'' if len(organisations) == 1 else 's'}"


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%m-%d %H:%M:%S")
