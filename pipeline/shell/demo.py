"""`sightline demo`: real attacks of 2013 through real workers, with nothing but Python.

Three weeks of the carried honeypot events are replayed, in the order in which they arrived, to
workers on the embedded broker; then the offline core runs over the same events, and both must have
found the same alerts.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections import Counter
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from textwrap import wrap
from types import FrameType, TracebackType
from typing import Any, Self

import msgspec

from pipeline.registry import Party, Registry
from pipeline.rule import Rule
from pipeline.shell import demo_view as view
from pipeline.shell import files, marx, observe, offline
from pipeline.shell.demo_replay import Events, Replay
from pipeline.shell.processes import Child, ChildFailed
from pipeline.shell.settings import FailedError, Settings

START = datetime(2013, 4, 1, tzinfo=UTC)
END = datetime(2013, 4, 22, tzinfo=UTC)
SECONDS = 66.0  # that the replay takes, if the workers keep up
GRACE_S = 8.0  # for the workers to stop by themselves
HURRIED_S = 2.0  # the same, where somebody waits for the prompt
_DIFFERENCES_SHOWN = 5


def run(start: datetime = START, end: datetime = END, seconds: float = SECONDS) -> int:
    """The demo; the exit status: 0 if all events are accounted for and both runs are equal."""
    screen = view.Screen()
    # Whatever the clients meet while a child stops is told by the child, or is of no interest.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with Stop() as stop:
        try:
            return _run(screen, stop, start, end, seconds)
        except (KeyboardInterrupt, FailedError, ChildFailed):
            if not stop.number:
                raise
            # Children that were told to stop before we were look like failures.
            screen.say("Stopped before the end; nothing is left running.")
            return 128 + stop.number


def _run(screen: view.Screen, stop: Stop, start: datetime, end: datetime, seconds: float) -> int:
    settings = Settings(
        sensors=str(files.carried("marx", "sensors.toml")), metrics_port=_free_port()
    )
    registry = files.registry_of(files.carried("marx", "sensors.toml"))
    rules = files.rules_of(None)
    rows = list(marx.carried(start, end))
    events = Events(rows, list(marx.events(rows)), start, end)
    if not rows:
        raise FailedError(f"there are no events between {start} and {end}")
    screen.say(*_introduction(events, registry, seconds))
    with Child("-m", "pipeline.shell.embedded", name="embedded broker") as broker:
        screen.say(f"broker   on {broker.ready} (process {broker.pid})")
        settings = msgspec.structs.replace(settings, broker=broker.ready)
        workers = Child(
            "-m",
            "pipeline",
            "worker",
            # All settings are here: no file of the caller's shall have a say.
            environment=settings.environment() | {"SIGHTLINE_CONFIG": ""},
            name="workers",
        )
        with workers:
            screen.say(
                f"workers  {workers.ready.replace(' ', ', ')} (process {workers.pid}), metrics "
                f"on http://{settings.metrics_host}:{settings.metrics_port}/metrics",
                "",
            )
            replay = Replay(settings, registry, rules, events, (broker, workers), screen)
            screen.say(view.HEADER, style="bold")
            try:
                with screen:
                    stop.run(replay.run(seconds))
            finally:
                # A terminal's Ctrl-C has ended the broker, too: nothing to wait for without it.
                workers.stop(HURRIED_S if stop.number else GRACE_S)
    return _conclude(screen, settings, registry, rules, events, replay)


def _introduction(events: Events, registry: Registry, seconds: float) -> list[str]:
    last = events.end - timedelta(milliseconds=1)
    hosts = {row.host for row in events.rows}
    countries = {registry.sensors[host].country for host in hosts}
    return [
        *wrap(
            f"Sightline replays {len(events.rows):,} real events, {events.start:%Y-%m-%d} to "
            f"{last:%Y-%m-%d}, that {len(hosts)} honeypots in {len(countries)} countries "
            f"recorded, through real workers in about {seconds:.0f} seconds, and shows every alert "
            "as it is raised: a source that several of them met. At the end it checks the alerts "
            f"against a second, offline run. The {len(registry.organisations)} organisations are "
            "made up from where the honeypots stood. The broker is the embedded one: it is for "
            "trying out, and forgets everything at the end.",
            view.WIDTH,
        ),
        *wrap(
            "Data: Marx, Data-Driven Security Contributors, CC BY-SA 4.0. Where a source's network "
            "is registered (2026): statistics of the Number Resource Organization, CC BY 4.0.",
            view.WIDTH,
        ),
        "",
    ]


class Stop:
    """SIGINT and SIGTERM while the demo runs: the first one ends it, further ones are ignored,
    for it is cleaning up.
    """

    def __init__(self) -> None:
        self.number = 0
        self._task: asyncio.Task[Any] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """`asyncio.run`; a signal cancels the work, and is a KeyboardInterrupt after it."""
        try:
            asyncio.run(self._stoppable(work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        if self.number:
            raise KeyboardInterrupt

    async def _stoppable(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.current_task()
        try:
            await work
        finally:
            self._task = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            return
        self.number = number
        if self._task is None:
            raise KeyboardInterrupt
        self._task.get_loop().call_soon_threadsafe(self._task.cancel)


def _conclude(
    screen: view.Screen,
    settings: Settings,
    registry: Registry,
    rules: Sequence[Rule],
    events: Events,
    replay: Replay,
) -> int:
    totals = totals_of(len(events.rows), replay.seen)
    newest = {alert.finding_info.uid: alert for alert in replay.revisions}
    alerts = [one for one in newest.values() if one.unmapped.merged_into is msgspec.UNSET]
    screen.say("", *view.totals_lines(totals), "")
    screen.say(*view.alerts_lines(alerts, {r.id: r for r in rules}, _hits(events, registry)), "")
    again = offline.OfflineRun(registry, rules, settings.lateness_ms, geo=files.geo_of(settings))
    episodes = again.episodes(events.lines, lambda *_: None)
    expected = list(offline.alerts(episodes, files.geo_of(settings)))
    status = compare(screen, observe.final(replay.revisions), observe.final(expected))
    if status == 0 and observe.chances(replay.revisions) != observe.chances(expected):
        screen.say("DIFFERENT: the p-values of the workers are not those of the offline run.")
        status = 1
    if not totals.add_up:
        screen.say("DIFFERENT: the workers' counts do not add up to the events that were sent.")
        status = 1
    screen.say(
        "",
        *wrap(
            "Next: README.md says how to connect sensors of your own. `sightline check FILE` tells "
            "what is wrong with a sensors, rules or events file; `sightline broker` and `sightline "
            "worker` run it for real.",
            view.WIDTH,
        ),
    )
    return status


def totals_of(sent: int, seen: dict[str, float]) -> view.Totals:
    def count(name: str) -> int:
        return int(seen.get(f"sightline_{name}_total", 0))

    return view.Totals(
        sent=sent,
        received=count("events_received"),
        correlated=count("events_correlated"),
        without_indicators=count("events_without_indicators"),
        rejected=count("events_rejected"),
        late=count("events_late"),
        sightings=count("sightings_sent"),
    )


def compare(
    screen: view.Screen,
    workers: Sequence[observe.AlertKey],
    again: Sequence[observe.AlertKey],
) -> int:
    """Say whether the workers and the offline run found the same alerts; 1 if they did not."""
    mine, theirs = Counter(workers), Counter(again)
    if mine == theirs:
        screen.say(f"equal: {len(workers):,} alerts, the same from the workers and offline")
        return 0
    only = [("workers", mine - theirs), ("offline", theirs - mine)]
    screen.say(
        f"DIFFERENT: {len(workers):,} alerts from the workers, {len(again):,} offline; "
        + ", ".join(f"{extra.total():,} only {who}" for who, extra in only)
    )
    for who, extra in only:
        for key in sorted(extra.elements())[:_DIFFERENCES_SHOWN]:
            screen.say(f"only {who}: {key}")
    return 1


def _hits(events: Events, registry: Registry) -> dict[str, list[tuple[int, Party]]]:
    hits: dict[str, list[tuple[int, Party]]] = {}
    for row in sorted(events.rows, key=lambda row: row.time_ms):
        hits.setdefault(row.src, []).append((row.time_ms, registry.sensors[row.host]))
    return hits


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
