"""`sightline backtest`: what rules would have raised on recorded events."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from pipeline.decode import Rejection
from pipeline.episode import Episode
from pipeline.measure.raised import DAY_MS, Raised, raised
from pipeline.shell import files
from pipeline.shell.printable import cut, printable
from pipeline.shell.settings import FailedError, WrongUseError, load
from pipeline.shell.since import since_ms
from pipeline.tally import Tally

if TYPE_CHECKING:
    from pipeline.shell.backtesting import Backtest
    from pipeline.shell.past import Past

_WIDTH = 60
_DAYS = 31  # that are printed one by one


def backtest(
    sensors: Annotated[Path, typer.Option("--sensors", help="The sensor registry.")],
    rules: Annotated[Path, typer.Option("--rules", help="A rule file, or a folder of them.")],
    input_: Annotated[str, typer.Option("--input", help="Events, one a line; - for stdin.")] = "-",
    since: Annotated[
        str,
        typer.Option(help="Events of the topics instead, from 24h ago, or a time (UTC); 0s: all."),
    ] = "",
    most: Annotated[
        int, typer.Option(min=1, help="With --since: events' records that are read at most.")
    ] = 10_000_000,
    lateness: Annotated[str, typer.Option(help="How late an event may come.")] = "24h",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Say what rules would have raised on recorded events: how much, when, on what."""
    from pipeline.shell.backtesting import Backtest
    from pipeline.shell.offline import OfflineRun, alerts
    from pipeline.shell.past import Past, read

    settings = load(config, sensors=str(sensors), rules=str(rules), lateness=lateness)
    geo, benign = files.geo_of(settings), files.benign_of(settings)
    known = files.rules_of(rules, settings)
    run: Backtest | OfflineRun
    if since:
        if input_ != "-":
            raise WrongUseError("events of a file (--input), or of the topics (--since)?")
        past = Past(settings, since_ms(since), most)
        run = Backtest(files.registry_of(sensors, settings.topic_prefix), known, settings, geo)
        episodes = read(settings, _all(run, past))
        found = raised(alerts(episodes, geo, benign), known)
        for line in past.shortcomings():
            print(printable(line), file=sys.stderr)
    else:
        run = OfflineRun(files.registry_of(sensors), known, settings.lateness_ms, geo=geo)
        with files.open_events(input_) as file:
            episodes_ = run.episodes(files.events_in(file, input_), _passed_over)
            found = raised(alerts(episodes_, geo, benign), known)
    tally = run.tally
    if tally.received and not tally.correlated + tally.without_indicators:
        raise FailedError(f"none of {tally}: are they of these sensors?")
    if as_json:
        typer.echo(msgspec.json.encode(_as_json(found, tally)))
        return
    for line in _lines(found, tally):
        print(printable(line))


async def _all(run: Backtest, past: Past) -> list[Episode]:
    return [episode async for episode in run.episodes(past)]


def _passed_over(line: int, rejection: Rejection) -> None:
    """They are in the tally."""


def _as_json(found: Raised, tally: Tally) -> dict[str, Any]:
    return {
        "events": {
            "received": tally.received,
            "correlated": tally.correlated,
            "without_indicators": tally.without_indicators,
            "rejected": tally.rejected.total(),
            "late": tally.late,
        },
        **msgspec.structs.asdict(found),
        "days": {_day(day): count for day, count in found.days.items()},
    }


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).strftime("%Y-%m-%d")


def _lines(found: Raised, tally: Tally) -> Iterator[str]:
    yield str(tally)
    yield f"{found.alerts} alerts{_of(found.severities)}"
    yield ""
    yield f"{'alerts':>7} {'indicators':>10}  rule"
    for rule in found.rules:
        title = f"{cut(rule.title, _WIDTH)}{_of(rule.severities)}"
        yield f"{rule.alerts:>7} {rule.indicators:>10}  {title}"
    if not found.alerts:
        return
    yield ""
    yield f"{'alerts':>7}  day they began (UTC)"
    for n, (day, count) in enumerate(found.days.items()):
        if n == _DAYS:
            yield f"{sum(list(found.days.values())[n:]):>7}  in {len(found.days) - n} days more"
            break
        yield f"{count:>7}  {_day(day)}"
    yield ""
    yield f"{'alerts':>7} {'countries':>10}  indicator"
    for one in found.top:
        yield f"{one.alerts:>7} {one.countries:>10}  {one.type} {cut(one.value, _WIDTH)}"


def _of(severities: dict[str, int]) -> str:
    listed = ", ".join(f"{count} {word}" for word, count in severities.items())
    return f" ({listed})" if listed else ""
