"""`sightline exercise`: start, inject, stop, score, list."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from aiokafka.errors import KafkaConnectionError, KafkaError

from pipeline.exercise.control import Control, State
from pipeline.exercise.team import result
from pipeline.lane import BANNER, exercise_of, prefix_of
from pipeline.shell import files, topics
from pipeline.shell.exercise import switch
from pipeline.shell.exercise.folder import SETTINGS, Folder, digest, scenario_of
from pipeline.shell.exercise.injecting import Injecting, StoppedError
from pipeline.shell.exercise.making import logins, one_world, worlds
from pipeline.shell.exercise.post import notified
from pipeline.shell.exercise.standing import standing
from pipeline.shell.exercise.view import result_lines
from pipeline.shell.past import instead
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import FailedError, Settings, WrongUseError, load, milliseconds

T = TypeVar("T")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Exercises, on a lane of their own: nothing of one is meant, and nothing of it gets out.",
)

Name = Annotated[str, typer.Argument(metavar="ID", help="The exercise's: a-z, 0-9 and -.")]
Where = Annotated[
    Path | None, typer.Option("--dir", help="Its folder; by default var/exercises/ID.")
]
Config = Annotated[Path | None, typer.Option("--config", help="Settings of the broker, not of it.")]


@group.command()
def start(
    exercise: Name,
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario in CEXF; else one world by the next options.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the world.")] = 0,
    countries: Annotated[int, typer.Option(min=3, help="Teams.")] = 4,
    organisations: Annotated[int, typer.Option(min=3)] = 8,
    days: Annotated[int, typer.Option(min=1, max=14)] = 2,
    events: Annotated[int, typer.Option(min=0, max=1_000_000, help="Of the background.")] = 5_000,
    campaigns_: Annotated[int, typer.Option("--campaigns", min=0, max=100)] = 6,
    sensors: Annotated[
        Path | None, typer.Option(help="The teams' registry, where the scenario has no world.")
    ] = None,
    directory: Where = None,
    config: Config = None,
) -> None:
    """Make the lane of a new exercise, and seal its truth."""
    settings = _broker(load(config))
    folder = _folder(exercise, directory)
    if scenario is not None:
        try:
            raw = scenario.read_bytes()
        except OSError as error:
            raise WrongUseError(f"{scenario}: {error.strerror}") from None
    else:
        options = {
            "seed": seed, "countries": countries, "organisations": organisations, "days": days,
            "events": events, "campaigns": campaigns_, "liars": 0,
        }  # fmt: skip
        raw = one_world(exercise, options)
    read = scenario_of(raw, str(scenario or "scenario"))
    folder.make()
    started = time.time_ns() // 1_000_000
    truths = worlds(read, folder, started, sensors)
    lane = folder.lane(settings)
    registry = files.registry_of(Path(lane.sensors), lane.topic_prefix)
    folder.write("scenario.json", raw)
    folder.write_settings(lane)
    _quiet()
    made = asyncio.run(topics.ensure(registry, lane))
    before = asyncio.run(switch.control_of(lane))
    if before is not None:
        raise WrongUseError(f"there was an exercise {exercise!r} already ({before.state})")
    teams = tuple(sorted({party.country for party in registry.parties}))
    control = Control(
        exercise, read.name, State.RUNNING, started, folder.seal(truths), digest(raw), teams
    )
    switch.say(lane, control)
    print(BANNER)
    print(printable(f"exercise {exercise}: {read.name}, {len(read.flow)} injects"))
    print(f"teams    {', '.join(teams)}")
    print(f"seal     {control.seal}: publish it; the truth is in {folder.path}")
    print(f"topics   {lane.topic_prefix}*, {len(made.partitions)} of them")
    if settings.security_protocol == "SASL_SSL":
        logins(lane, teams, folder.path / "handover")
    print(f"next     sightline worker --config {folder.path / SETTINGS}")
    print(f"         sightline exercise inject {exercise}")


@group.command()
def inject(
    exercise: Name,
    now: Annotated[bool, typer.Option("--now", help="All at once, whenever it is due.")] = False,
    step: Annotated[str, typer.Option(help="Only this inject, by its UUID.")] = "",
    rate: Annotated[
        int, typer.Option(min=0, help="Events a second at most; 0 for as many as can be.")
    ] = 2_000,
    directory: Where = None,
    config: Config = None,
) -> None:
    """Bring what the scenario brings, when it is due; Ctrl-C interrupts it, again goes on."""
    folder = _folder(exercise, directory)
    lane = folder.lane(_broker(load(config)))
    _quiet()
    control = _asked(lane, lambda: switch.running(lane))
    scenario = folder.scenario()
    if digest(folder.read("scenario.json")) != control.scenario:
        raise FailedError(f"{folder.path / 'scenario.json'} is not the one that was started")
    if step and step not in scenario.injects:
        raise WrongUseError(f"there is no inject {printable(step)!r}")
    registry = files.registry_of(Path(lane.sensors), lane.topic_prefix)
    stop = threading.Event()
    switch.heed(lane, stop)
    injecting = Injecting(folder, lane, registry, stop, lambda line: print(printable(line)))
    try:
        count = injecting.run(scenario, control.started, now=now, only=step, rate=rate)
    except StoppedError:
        raise FailedError(f"exercise {exercise!r} has been stopped") from None
    finally:
        stop.set()
    print(f"{count} injects done, {len(folder.done())} of {len(scenario.flow)} in all")


@group.command()
def stop(
    exercise: Name,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete its topics and groups, score and all.")
    ] = False,
    config: Config = None,
) -> None:
    """Stop an exercise for good: workers and injects end, its logins are cut off."""
    settings = _broker(load(config))
    lane = _lane(settings, exercise)
    _quiet()
    control = _asked(lane, partial(_control, lane))
    if control is None:
        raise WrongUseError(f"there is no exercise {exercise!r} at {settings.broker}")
    if control.state is State.RUNNING:
        now = time.time_ns() // 1_000_000
        switch.say(lane, msgspec.structs.replace(control, state=State.STOPPED, stopped=now))
    print(f"stopped  {exercise}: its workers and injects end")
    if settings.security_protocol == "SASL_SSL":
        from pipeline.shell.access.principals import Principals

        principals = Principals(lane)
        users = [user for user in principals.states() if user.startswith(lane.topic_prefix)]
        for user in sorted(users):
            principals.expel(user)
        print(f"revoked  {len(users)} logins")
    if delete:
        print(f"deleted  {_delete(lane)} topics and groups")


def _delete(lane: Settings) -> int:
    from confluent_kafka.admin import AdminClient

    from pipeline.shell.security import for_librdkafka

    admin = AdminClient(for_librdkafka(lane))
    prefix = lane.topic_prefix
    names = [name for name in admin.list_topics(timeout=15).topics if name.startswith(prefix)]
    listed = admin.list_consumer_groups(request_timeout=15).result(30).valid
    groups = [one.group_id for one in listed if one.group_id.startswith(prefix)]
    for done in (
        *(admin.delete_topics(names).values() if names else ()),
        *(admin.delete_consumer_groups(groups).values() if groups else ()),
    ):
        done.result(30)
    return len(names) + len(groups)


@group.command()
def score(
    exercise: Name,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    within: Annotated[
        str, typer.Option(help="How long a CSIRT may take to answer a letter.")
    ] = "24h",
    directory: Where = None,
    config: Config = None,
) -> None:
    """Hold what was told against the truth that was sealed, for each team."""
    within_ms = milliseconds("within", within)
    folder = _folder(exercise, directory)
    lane = folder.lane(_broker(load(config)))
    _quiet()
    control = _asked(lane, partial(_control, lane))
    if control is None:
        raise WrongUseError(f"there is no exercise {exercise!r} at {lane.broker}")
    truths = folder.truths(control.seal)
    told, alerts, said = _asked(lane, lambda: asyncio.run(standing(lane)))
    who = _asked(lane, lambda: asyncio.run(notified(lane, control, within_ms)))
    of = result(exercise, folder.scenario(), truths, told, alerts, said, control.teams, who)
    if as_json:
        print(plain_json(msgspec.json.encode(of)))
        return
    for line in result_lines(of, control):
        print(printable(line))


@group.command("list")
def list_(config: Config = None) -> None:
    """Show the exercises that the broker knows of."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    from pipeline.shell.security import for_librdkafka

    settings = _broker(load(config))
    _quiet()
    try:
        there = AdminClient(for_librdkafka(settings)).list_topics(timeout=15).topics
    except KafkaException:
        raise instead(settings) from None
    names = [exercise_of(topic.removesuffix("control")) for topic in there]
    for name in sorted(name for name in names if name):
        lane = _lane(settings, name)
        if lane.topic("control") not in there:
            continue
        control = _asked(lane, partial(_control, lane))
        if control is not None:
            when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(control.started / 1000))
            teams = ", ".join(control.teams)
            print(printable(f"{name:20} {control.state:8} {when}  {teams}  {control.name}"))


def _control(lane: Settings) -> Control | None:
    return asyncio.run(switch.control_of(lane))


def _broker(settings: Settings) -> Settings:
    if settings.lane == "exercise":
        raise WrongUseError("these settings are of an exercise's lane: --config names the broker's")
    return settings


def _folder(exercise: str, directory: Path | None) -> Folder:
    _check(exercise)
    return Folder(directory or Path("var/exercises") / exercise, exercise)


def _lane(settings: Settings, exercise: str) -> Settings:
    _check(exercise)
    prefix = prefix_of(exercise)
    return msgspec.structs.replace(settings, lane="exercise", topic_prefix=prefix)


def _check(exercise: str) -> None:
    if not _ID.fullmatch(exercise):
        raise WrongUseError(
            f"exercise {printable(exercise[:60])!r}: an id is of a-z, 0-9 and -, 40 at most"
        )


def _quiet() -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says is said by us


def _asked(lane: Settings, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except KafkaConnectionError:
        raise instead(lane) from None
    except KafkaError as error:
        raise FailedError(f"topics at {lane.broker}: {error!r}") from None
