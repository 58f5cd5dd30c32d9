"""The command line. Exit status: 0 done, 1 failed, 2 wrong use; an error is one readable line."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from pipeline import __version__
from pipeline.shell.cli_group import Commands
from pipeline.shell.printable import plain_json, printable, printable_lines
from pipeline.shell.processes import ChildFailed, exit_with_parent
from pipeline.shell.settings import FailedError, WrongUseError, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.alert import Alert
    from pipeline.decode import Rejection

cli = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Streaming cross-border attack correlation: exact alerts from many countries' sensors.",
)

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Sensors = Annotated[Path, typer.Option("--sensors", help="The sensor registry.")]
Rules = Annotated[Path, typer.Option("--rules", help="A rule file, or a folder of them.")]


class Stage(StrEnum):
    intake = "intake"
    correlate = "correlate"
    campaign = "campaign"
    share = "share"
    alliances = "alliances"
    all = "all"


@cli.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="The page stays at the end, until Ctrl-C.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Where it leaves what it wrote.")] = Path("var/demo"),
) -> None:
    """The whole of it in a few minutes: logs in, alerts and campaigns out, checked."""
    from pipeline.shell.demo.story import run

    raise typer.Exit(run(out=out, keep=keep))


@cli.command()
def broker(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where it keeps its data; else forgets it.")
    ] = None,
    port: Annotated[int, typer.Option(help="Loopback port; 0 for any that is free.")] = 9092,
    secure: Annotated[
        bool, typer.Option("--secure", help="TLS, logins and access control; DIR/admin is its key.")
    ] = False,
) -> None:
    """Run a real single-node Apache Kafka in the foreground."""
    from pipeline.shell.broker import run

    raise typer.Exit(run(directory, port, secure=secure))


@cli.command()
def topics(
    apply: Annotated[
        bool, typer.Option("--apply", help="Mend the configuration of topics that are there.")
    ] = False,
    config: Config = None,
) -> None:
    """Create or check every topic that the registry and the settings call for."""
    from pipeline.shell.cli_topics import run

    raise typer.Exit(run(load(config), mend=apply))


@cli.command()
def worker(
    stage: Annotated[Stage, typer.Option(help="What it does; by default everything.")] = Stage.all,
    config: Config = None,
    restart: Annotated[
        bool, typer.Option(help="Start a stage again that ended; else end with its status.")
    ] = True,
) -> None:
    """Run Faust agents until SIGTERM or SIGINT."""
    from pipeline.shell.notify.sources import are_set
    from pipeline.shell.worker import configure_logging, stages_of, supervise

    configure_logging()
    settings = load(config)
    if stage is Stage.share and not are_set(settings):
        raise WrongUseError("nobody is to be told of anything: set directory, or delivery")
    if stage is Stage.alliances and not settings.alliances:
        raise WrongUseError("there is no alliance to share with: set alliances, a folder of them")
    stages = stages_of(settings) if stage is Stage.all else (stage.value,)
    raise typer.Exit(supervise(settings, stages, restart=restart))


@cli.command()
def correlate(
    sensors: Sensors,
    rules: Rules,
    input_: Annotated[str, typer.Option("--input", help="Events, one a line; - for stdin.")] = "-",
    output: Annotated[str, typer.Option(help="Alerts, one a line; - for stdout.")] = "-",
    rejects: Annotated[Path | None, typer.Option(help="What was rejected, one a line.")] = None,
    campaigns: Annotated[Path | None, typer.Option(help="Campaigns, one a line.")] = None,
    watches: Annotated[
        Path | None, typer.Option(help="Indicators of partners, as `intel import --out` writes.")
    ] = None,
    lateness: Annotated[str, typer.Option(help="How late an event may come.")] = "24h",
    config: Config = None,
) -> None:
    """Correlate recorded events without a broker: each alert's final revision."""
    from pipeline import alert
    from pipeline.campaign import campaign
    from pipeline.shell import files
    from pipeline.shell.intel.watch_file import read_watches
    from pipeline.shell.offline import OfflineRun, Reject, alerts, encode_reject

    settings = load(config, sensors=str(sensors), rules=str(rules), lateness=lateness)
    geo, benign = files.geo_of(settings), files.benign_of(settings)
    run = OfflineRun(
        files.registry_of(sensors),
        files.rules_of(rules, settings),
        settings.lateness_ms,
        grouping=campaigns is not None,
        benign=benign,
        horizon_ms=settings.campaign_horizon_ms,
        least_countries=settings.campaign_countries,
        geo=geo,
        watches=read_watches(watches) if watches else (),
        exercise=settings.exercise,
    )
    with ExitStack() as stack:
        lines = files.events_in(stack.enter_context(files.open_events(input_)), input_)
        out = _open(stack, output)
        rejected = _open(stack, str(rejects)) if rejects else None
        grouped = _open(stack, str(campaigns)) if campaigns else None

        def reject(line: int, rejection: Rejection) -> None:
            if rejected is not None:
                row = Reject(line, rejection.reason, rejection.detail)
                rejected.write(encode_reject(row) + b"\n")

        # On a terminal all in ASCII: JSON leaves C1 controls and bidirectional marks as they are.
        plain = out is sys.stdout.buffer and sys.stdout.isatty()

        def write(findings: Iterable[Alert]) -> None:
            for finding in findings:
                encoded = alert.encode(finding)
                out.write((plain_json(encoded).encode() if plain else encoded) + b"\n")

        write(alerts(run.episodes(lines, reject), geo, benign, settings.exercise))
        write(run.watched())
        out.flush()
        if grouped is not None:
            grouped.writelines(campaign.encode(one) + b"\n" for one in run.campaigns())
    print(run.tally, file=sys.stderr)


def _open(stack: ExitStack, path: str) -> IO[bytes]:
    if path == "-":
        return sys.stdout.buffer
    try:
        return stack.enter_context(Path(path).open("wb"))
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None


@cli.command()
def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE|FOLDER...", help="*.toml, *.yml, events.")
    ],
    sensors: Annotated[
        Path | None, typer.Option("--sensors", help="The registry that events are held against.")
    ] = None,
    config: Config = None,
) -> None:
    """Say which lines of an events, sensors or rules file are wrong, where and why."""
    from pipeline.shell import files
    from pipeline.shell.checking import Checker, listed

    settings = load(config)
    registry = files.registry_of(sensors, settings.topic_prefix) if sensors else None
    checker = Checker(settings, registry)
    good = True
    for checked in map(checker.check, listed(paths)):
        for problem in checked.problems:
            print(printable(str(problem)))
        if checked.more:
            print(printable(f"{checked.path}: and {checked.more} more problems"))
        if checked.good:
            print(printable(f"{checked.path}: good ({checked.kind})"))
        good = good and checked.good
    raise typer.Exit(0 if good else 1)


@cli.command()
def warninglists(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A checkout of MISP/misp-warninglists.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Where to; by default the cut that is in use.")
    ] = None,
    config: Config = None,
) -> None:
    """Cut the lists of benign infrastructure anew, and say what changed."""
    from pipeline.shell.warninglists import run

    raise typer.Exit(run(directory, output, load(config)))


@cli.command()
def version() -> None:
    """Print the version."""
    print(__version__)


_OF_KAFKA = ("aiokafka", "cimpl")
"""Modules of what is raised where a broker is away or refuses; they are not imported for that."""


def main() -> None:
    """The console script."""
    exit_with_parent()
    # What a command has to say of a broker it says itself; a worker has handlers of its own.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        cli(standalone_mode=True, prog_name="sightline")
    except WrongUseError as error:
        _say(error)
        sys.exit(2)
    except (FailedError, ChildFailed) as error:
        _say(error)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has seen enough; let Python not complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _OF_KAFKA:
            raise
        _say(f"Kafka: {error}; is there a broker (`sightline broker`) where SIGHTLINE_BROKER says?")
        sys.exit(1)


def _say(error: Exception | str) -> None:
    print(printable_lines(f"sightline: {error}"), file=sys.stderr)
