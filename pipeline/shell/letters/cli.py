"""`sightline dead-letters`: what was rejected is read, counted, kept, and sent in again."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from aiokafka.errors import KafkaConnectionError, KafkaError

from pipeline.decode import Reason
from pipeline.resend import Judge
from pipeline.shell import files
from pipeline.shell.letters import view
from pipeline.shell.letters.file import create, letters_of, line_of
from pipeline.shell.letters.reading import Drawer, Filed, Wanted, place_of
from pipeline.shell.letters.resending import Resender
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import FailedError, Settings, WrongUseError, load
from pipeline.shell.since import since_ms

T = TypeVar("T")

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What was rejected: read it, and send it in again once its cause is mended.",
)

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Reasons = Annotated[list[Reason] | None, typer.Option("--reason", help="Of this reason.")]
Topics = Annotated[list[str] | None, typer.Option("--topic", help="From this topic, full name.")]
Organisations = Annotated[
    list[str] | None, typer.Option("--organisation", help="From this organisation's topics.")
]
Sensors = Annotated[
    list[str] | None, typer.Option("--sensor", help="That say they are from this sensor.")
]
Since = Annotated[
    str | None,
    typer.Option(help="That came in since: 2h (ago), or a time, 2026-01-31T09:30 (UTC)."),
]
All = Annotated[bool, typer.Option("--all", help="Also those that were sent in again since.")]
Json = Annotated[bool, typer.Option("--json", help="Lines of JSON.")]


def _wanted(
    reasons: list[Reason] | None,
    topics: list[str] | None,
    organisations: list[str] | None,
    sensors: list[str] | None,
    since: str | None,
    *,
    settled: bool,
    places: Iterable[str] = (),
) -> Wanted:
    return Wanted(
        places=frozenset(map(place_of, places)),
        reasons=frozenset(reasons or ()),
        topics=frozenset(topics or ()),
        organisations=frozenset(organisations or ()),
        sensors=frozenset(sensors or ()),
        since_ms=0 if since is None else since_ms(since),
        settled=settled,
    )


@group.command("list")
def list_(
    reason: Reasons = None,
    topic: Topics = None,
    organisation: Organisations = None,
    sensor: Sensors = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest, not the newest.")] = False,
    settled: All = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """List letters, the newest last; each with its PARTITION/OFFSET."""
    wanted = _wanted(reason, topic, organisation, sensor, since, settled=settled)

    settings = load(config)

    async def collect() -> tuple[Iterable[Filed], int]:
        kept: deque[Filed] = deque(maxlen=None if oldest else limit)
        async with Drawer(settings) as drawer, aclosing(drawer.letters(wanted)) as letters:
            async for filed in letters:
                kept.append(filed)
                if oldest and len(kept) == limit:
                    break
            return kept, drawer.unreadable

    found, unreadable = _run(settings, collect())
    for filed in found:
        print(plain_json(line_of(filed)) if as_json else view.row(filed))
    _tell_unreadable(unreadable)


@group.command()
def summary(
    reason: Reasons = None,
    topic: Topics = None,
    organisation: Organisations = None,
    sensor: Sensors = None,
    since: Since = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Count letters by reason and topic."""
    wanted = _wanted(reason, topic, organisation, sensor, since, settled=True)

    settings = load(config)

    async def collect() -> tuple[list[view.Pile], int]:
        found: dict[tuple[Reason, str], view.Pile] = {}
        async with Drawer(settings) as drawer:
            async for filed in drawer.letters(wanted):
                view.add(found, filed)
            return view.ranked(found), drawer.unreadable

    found, unreadable = _run(settings, collect())
    if as_json:
        import msgspec

        for pile in found:
            print(plain_json(msgspec.json.encode(pile)))
    else:
        for line in view.summary_lines(found):
            print(line)
    _tell_unreadable(unreadable)


@group.command()
def show(
    place: Annotated[str, typer.Argument(metavar="PARTITION/OFFSET", help="As `list` says.")],
    raw: Annotated[bool, typer.Option("--raw", help="Its bytes and nothing else.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Show one letter and its bytes, what could steer a terminal written out."""
    if raw and sys.stdout.isatty():
        raise WrongUseError("--raw writes bytes as a sensor sent them: not to a terminal")
    wanted = Wanted(places=frozenset({place_of(place)}))

    settings = load(config)

    async def find() -> Filed | None:
        async with Drawer(settings) as drawer, aclosing(drawer.letters(wanted)) as letters:
            return await anext(letters, None)

    filed = _run(settings, find())
    if filed is None:
        raise FailedError(f"there is no dead letter at {place}")
    if raw:
        sys.stdout.buffer.write(filed.letter.raw)
    elif as_json:
        print(plain_json(line_of(filed)))
    else:
        for line in view.letter_lines(filed):
            print(line)


@group.command()
def export(
    out: Annotated[str, typer.Option(help="A new file; - for stdout.")] = "-",
    reason: Reasons = None,
    topic: Topics = None,
    organisation: Organisations = None,
    sensor: Sensors = None,
    since: Since = None,
    settled: All = False,
    config: Config = None,
) -> None:
    """Write letters as lines of JSON, to be mended and sent with `resend --from`."""
    wanted = _wanted(reason, topic, organisation, sensor, since, settled=settled)
    settings = load(config)

    async def write() -> tuple[int, int]:
        written = 0
        async with Drawer(settings) as drawer:
            # Opened when there is something to read from: a failure leaves no empty file.
            file = sys.stdout.buffer if out == "-" else create(out)
            try:
                async for filed in drawer.letters(wanted):
                    file.write(plain_json(line_of(filed)).encode() + b"\n")
                    written += 1
            finally:
                file.flush() if out == "-" else file.close()
            return written, drawer.unreadable

    written, unreadable = _run(settings, write())
    print(f"{written} letters", file=sys.stderr)
    _tell_unreadable(unreadable)


@group.command()
def resend(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[PARTITION/OFFSET...]", help="These letters.")
    ] = None,
    reason: Reasons = None,
    topic: Topics = None,
    organisation: Organisations = None,
    sensor: Sensors = None,
    since: Since = None,
    from_: Annotated[
        Path | None, typer.Option("--from", help="Those of an export, mended or not.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 10_000,
    insist: Annotated[
        bool, typer.Option("--insist", help="Also what is held back, where it can be sent.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send; else only say what would be.")] = False,
    config: Config = None,
) -> None:
    """Send letters in again, each to the topic it came from.

    Without --yes nothing is sent. Held back is what the registry would have rejected again, what
    was sent in again before, and what cannot be sent.
    """
    wanted = _wanted(reason, topic, organisation, sensor, since, settled=True, places=places or ())
    if wanted.anything and from_ is None:
        raise WrongUseError("which letters? A place, --reason, --topic, --since, --from …")
    settings = load(config)
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    judge = Judge(registry, settings.topic_prefix, settings.lateness_ms, settings.clock)
    resender = Resender(settings, judge, insist=insist, dry=not yes)

    async def send() -> int:
        async with Drawer(settings) as drawer:
            source = drawer.letters(wanted) if from_ is None else _of_file(from_, wanted, drawer)
            async with aclosing(source) as letters:
                await resender.resend(letters, limit)
            return drawer.unreadable

    unreadable = _run(settings, send())
    for line in view.outcome_lines(resender.outcome, dry=not yes):
        print(line)
    _tell_unreadable(unreadable)


async def _of_file(path: Path, wanted: Wanted, drawer: Drawer) -> AsyncGenerator[Filed, None]:
    for filed in letters_of(path):
        now = Filed(filed.place, filed.key, filed.letter, drawer.settled(filed.key, filed.place))
        if wanted.takes(now):
            yield now


def _run(settings: Settings, work: Coroutine[object, object, T]) -> T:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says is said below
    try:
        return asyncio.run(work)
    except KafkaConnectionError:
        raise FailedError(
            f"no Kafka answers at {settings.broker}: start one (`sightline broker`), or set "
            "SIGHTLINE_BROKER"
        ) from None
    except KafkaError as error:
        raise FailedError(f"dead letters at {settings.broker}: {error!r}") from None


def _tell_unreadable(count: int) -> None:
    if count:
        print(
            printable(f"{count} records are no dead letters: somebody else writes to the topic"),
            file=sys.stderr,
        )
