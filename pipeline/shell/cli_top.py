"""`sightline top`: what the workers do now, in a terminal."""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.shell import scrape
from pipeline.shell.printable import printable
from pipeline.shell.scrape import STALE_S, Scrape, StageView, View, view
from pipeline.shell.settings import Settings, WrongUseError, load

TIMEOUT_S = 2.0
MOST_BYTES = 16 << 20
"""An answer that is longer is no worker's."""
SILENT_S = 5.0
"""An event loop that came round longer ago stands still."""


def top(
    workers: Annotated[
        list[str] | None,
        typer.Argument(metavar="URL...", help="Workers; by default the one of the settings."),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="One look, and no more.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Show what the workers do now: rates, lag, errors."""
    urls = [address(worker) for worker in workers or [_own(load(config))]]
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        watched = Watched(client, urls)
        if once:
            watched.look()
            time.sleep(interval)
            seen = watched.look()
            Console().print(drawn(seen))
            raise typer.Exit(1 if seen.stale else 0)
        _live(watched, interval)


def _live(watched: Watched, interval: float) -> None:
    stop = threading.Event()
    with Live(Text("…"), screen=True, auto_refresh=False) as live:
        try:
            while True:
                live.update(drawn(watched.look()), refresh=True)
                stop.wait(interval)
        except KeyboardInterrupt:
            return


def _own(settings: Settings) -> str:
    if not settings.metrics_port:
        raise WrongUseError("metrics_port is 0: the worker of these settings serves no metrics")
    host = settings.metrics_host
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://{f'[{own}]' if ':' in own else own}:{settings.metrics_port}"


def address(text: str) -> str:
    """Where a worker's metrics are: `host:port`, or a URL, with its path or without."""
    parts = urllib.parse.urlsplit(text if "//" in text else f"http://{text}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WrongUseError(f"{text!r}: write http://HOST:PORT")
    path = parts.path.rstrip("/") or "/metrics"
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, "", ""))


class Watched:
    """The workers, and what was read of each the last two times."""

    def __init__(self, client: httpx.Client, urls: Sequence[str]) -> None:
        self._client = client
        self._urls = urls
        self._now: dict[str, Scrape] = {}
        self._before: dict[str, Scrape] = {}

    def look(self) -> View:
        """Read all of them at once."""
        with ThreadPoolExecutor(min(len(self._urls), 16)) as pool:
            stale = [why for why in pool.map(self._read, self._urls) if why]
        return view(self._now, self._before, stale, time.time())

    def _read(self, url: str) -> str:
        """Why it is stale; nothing if it is not."""
        try:
            read = scrape.read(self._fetch(url), time.monotonic())
        except (httpx.HTTPError, ValueError) as error:
            known = self._now.get(url)
            age = f"; what is shown is {time.monotonic() - known.at:.0f} s old" if known else ""
            return f"{url} does not answer: {error or type(error).__name__}{age}"
        known = self._now.get(url)
        if known is not None:
            self._before[url] = known
        self._now[url] = read
        return ""

    def _fetch(self, url: str) -> str:
        with self._client.stream("GET", url) as answer:
            answer.raise_for_status()
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise ValueError("its answer is too long")
        return body.decode()


def drawn(seen: View) -> RenderableType:
    """A view as a terminal shows it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("stage", "in/s", "out/s", "lag", "waits", "partitions", "state", "loop late"):
        table.add_column(title, justify="left" if title == "stage" else "right")
    for stage in seen.stages:
        table.add_row(*_cells(stage))
    return Group(*_banner(seen), _head(seen), Text(), table, Text(), _errors(seen))


def _head(seen: View) -> Text:
    workers = f"{seen.workers} worker{'' if seen.workers == 1 else 's'}"
    alerts, campaigns = f"{seen.open_alerts:,.0f}", f"{seen.campaigns:,.0f}"
    return Text(f"{workers} · {alerts} alerts may still change · {campaigns} live campaigns")


def _banner(seen: View) -> Iterator[Text]:
    """What makes the rest not to be believed."""
    for why in seen.stale:
        yield Text(printable(f" STALE  {why} "), style="bold white on red")
    for stage in seen.stages:
        if stage.silent_s is not None and stage.silent_s > SILENT_S:
            yield Text(
                f" STALE  the event loop of {stage.stage} stands still for {stage.silent_s:.0f} s ",
                style="bold white on red",
            )
        elif seen.workers and not stage.partitions:
            yield Text(f" NOBODY  has a partition of {stage.stage} ", style="bold black on yellow")


def _cells(stage: StageView) -> list[str | Text]:
    waits = Text(f"{stage.waited_s:.0f} s", style="red" if stage.waited_s > STALE_S else "")
    late = "" if stage.loop_lag_s is None else f"{stage.loop_lag_s * 1000:.0f} ms"
    return [
        stage.stage,
        _rate(stage.rate_in),
        _rate(stage.rate_out),
        f"{stage.lag:,.0f}",
        waits,
        f"{stage.partitions:,.0f}",
        f"{stage.state_bytes / (1 << 20):,.0f} MiB",
        late,
    ]


def _rate(rate: float | None) -> str:
    return "…" if rate is None else f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _errors(seen: View) -> Text:
    text = Text()
    for kind, count in seen.errors.items():
        style = "bold red" if seen.recent[kind] else "" if count else "dim"
        text.append(f"{kind} {count:,.0f}", style)
        text.append("   ")
    return text
