"""Where the demo writes: steps and what they show, alerts as they open, one line of progress.

On a terminal the progress stays at the bottom and alerts scroll above it; anywhere else it is plain
lines without control sequences, few enough for a log. What could steer a terminal is written out,
and nothing is taken for markup.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from io import TextIOWrapper
from textwrap import wrap
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.alert import Alert
from pipeline.rule import Rule
from pipeline.shell.demo.lines import WIDTH, Progress, alert_line, when
from pipeline.shell.printable import printable

BADGE = "DEMONSTRATION"
SHOWN_FIRST = 20  # alerts, where the output is no terminal
SHOWN_EVERY = 50  # after those
_BAR = 54


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
        self._steps = 0
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

    def step(self, title: str, *told: str) -> None:
        """What comes now, and what it means."""
        self._steps += 1
        self.say("", f"{BADGE}  {self._steps}. {title}", style="bold")
        for text in told:
            self.tell(text)

    def tell(self, text: str) -> None:
        """A sentence or two, wrapped."""
        self.say(*wrap(text, WIDTH, break_on_hyphens=False))

    def show(self, *lines: str, style: str = "cyan") -> None:
        """What a command or a topic said, indented."""
        for line in lines:
            indent = " " * (len(line) - len(line.lstrip()) + 2)
            self.say(
                *wrap(
                    line.strip(),
                    WIDTH,
                    initial_indent=indent,
                    subsequent_indent=f"{indent}  ",
                    break_on_hyphens=False,
                    break_long_words=False,
                ),
                style=style,
            )

    def rest(self, seconds: float) -> None:
        """Time to read, where somebody reads."""
        if self._moves:
            time.sleep(seconds)

    def progress(self, now: Progress) -> None:
        if self._moves:
            done = _BAR * now.sent // now.of
            bar = f"[{'#' * done}{'.' * (_BAR - done)}] {100 * now.sent // now.of:>3} %"
            counts = (
                f"{now.sent:>6,} of {now.of:,} sent {now.behind:>6,} behind "
                f"{now.opened:>6,} alerts raised {now.rate:>6,.0f} events/s"
            )
            lines = f"{when(now.clock)} {bar}\n{counts}"
            self._live.update(Text(lines, style="bold", no_wrap=True, overflow="ellipsis"))
        elif (tenth := now.sent * 10 // now.of) > self._tenth:
            self._tenth = tenth
            self.say(
                f"{when(now.clock)}: {now.sent:,} sent, {now.behind:,} behind, "
                f"{now.opened:,} alerts raised"
            )
