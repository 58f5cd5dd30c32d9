"""`sightline sensor` and `sightline principal`: who may do what, changed by the broker's admin."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.registry import topic_name
from pipeline.shell import files
from pipeline.shell.access import registry_file
from pipeline.shell.access.grants import (
    NOBODY,
    Principal,
    Role,
    State,
    check_name,
    grants,
    principal_of,
)
from pipeline.shell.access.handover import CONFIG, new_password, write_handover
from pipeline.shell.access.join import write_bundle
from pipeline.shell.printable import printable
from pipeline.shell.settings import Settings, WrongUseError, load

if TYPE_CHECKING:
    from pipeline.shell.access.principals import Principals

sensor_cli = typer.Typer(no_args_is_help=True, help="Sensors: their logins, and their registry.")
principal_cli = typer.Typer(no_args_is_help=True, help="Logins of workers, readers and partners.")

Config = Annotated[Path | None, typer.Option("--config", help="Settings of the broker's admin.")]
Out = Annotated[Path, typer.Option("--out", help="Where hand-overs are written, a folder each.")]
Renew = Annotated[bool, typer.Option("--renew", help="Another password; let in who was revoked.")]
HANDOVERS = Path("handover")


@sensor_cli.command("add")
def add_sensor(
    organisation: Annotated[str, typer.Argument(metavar="ORG", help="The organisation's id.")],
    country: Annotated[
        str, typer.Option(help="Where the sensor stands; by default where its organisation is.")
    ] = "",
    sensor_id: Annotated[str, typer.Option(help="By default ORG-1, ORG-2, …")] = "",
    name: Annotated[str, typer.Option(help="The organisation's name, if it is new.")] = "",
    out: Out = HANDOVERS,
    renew: Renew = False,
    config: Config = None,
) -> None:
    """Register a sensor, make its topic and its login, and say what to hand over."""
    settings = load(config)
    path = Path(settings.sensors)
    new = registry_file.NewSensor(organisation, country.upper(), sensor_id, name)
    text = registry_file.read(path)
    prefix = settings.topic_prefix
    principals = _principals(settings)
    known = (principal_of(user, prefix) for user in principals.states())
    taken = {found.name for found in known if found and found.role is Role.SENSOR}
    change = registry_file.with_sensor(text, new, str(path), prefix, taken)
    principal = Principal(Role.SENSOR, change.sensor.id)
    topic = change.topic(prefix)
    folder = admit(principals, principal, settings, out, renew=renew, change=change)
    bundle = write_bundle(folder, load(folder / CONFIG, {}), change.sensor.id, topic)
    if change.text != text:
        registry_file.write(path, change.text)
    party = change.sensor.party
    print(f"sensor   {change.sensor.id} of {party.organisation} in {party.country}")
    print(f"may      write {topic}, and nothing else")
    _say_handover(folder)
    print(f"join     {bundle} is all that `sightline ship --join` needs there")
    if change.text != text:
        print(f"next     nothing: {path} has it now, and workers that read it see that")


@sensor_cli.command("list")
def list_sensors(config: Config = None) -> None:
    """Show every sensor, and whether the broker lets it do what it should, no more, no less."""
    settings = load(config)
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    states = _principals(settings).states()
    rows = []
    for sensor, party in sorted(registry.sensors.items()):
        principal = Principal(Role.SENSOR, sensor)
        topic = topic_name(party, settings.topic_prefix)
        state = states.pop(principal.user(settings.topic_prefix), NOBODY)
        rows.append((sensor, party.organisation, party.country, topic,
                     _word(state, principal, settings, topic)))  # fmt: skip
    for user, state in sorted(states.items()):
        found = principal_of(user, settings.topic_prefix)
        if found is not None and found.role is Role.SENSOR:
            word = "revoked" if _is_out(state) else "NOT IN THE REGISTRY, but it has a login"
            rows.append((found.name, "-", "-", "-", word))
    _table(("SENSOR", "ORGANISATION", "COUNTRY", "TOPIC", "STATE"), rows)


@sensor_cli.command("status")
def sensor_status(
    sensor: Annotated[str, typer.Argument(metavar="[SENSOR]", help="Only this one.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
) -> None:
    """Say what came of what each sensor sent."""
    from pipeline.shell.access.status import statuses, told

    settings = load(config)
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    for line in told(statuses(settings, registry, sensor), as_json=as_json):
        print(line)


@sensor_cli.command("revoke")
def revoke_sensor(
    sensor: Annotated[str, typer.Argument(metavar="SENSOR", help="The sensor's id.")],
    config: Config = None,
) -> None:
    """Cut a sensor off at once, connected or not, and take it out of the registry."""
    settings = load(config)
    path = Path(settings.sensors)
    registry = files.registry_of(path, settings.topic_prefix)
    principals = _principals(settings)
    user = Principal(Role.SENSOR, sensor).user(settings.topic_prefix)
    known = sensor in registry.sensors
    if not known and user not in principals.states():
        raise WrongUseError(f"there is no sensor {sensor!r}, neither in {path} nor on the broker")
    principals.expel(user)
    _say_revoked(sensor)
    if known:
        text = registry_file.read(path)
        change = registry_file.without_sensor(text, sensor, str(path), settings.topic_prefix)
        registry_file.write(path, change.text)
        print(
            f"next     nothing: it is out of {path}, and workers that read it see that. Events of"
        )
        print("         it that wait are rejected as unknown-sensor")


@principal_cli.command("add")
def add_principal(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="What it may do.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who, or what, it is.")],
    out: Out = HANDOVERS,
    renew: Renew = False,
    config: Config = None,
) -> None:
    """Make a login for a stage, a worker, an operator, a reader, a partner or a member."""
    if role is Role.SENSOR:
        raise WrongUseError("a sensor is registered, too: `sightline sensor add`")
    settings = load(config)
    principal = Principal(role, name)
    folder = admit(_principals(settings), principal, settings, out, renew=renew)
    for grant in sorted(grants(principal, settings)):
        name = f"{grant.name}*" if grant.prefixed else grant.name
        print(f"may      {grant.operation.lower():16} {grant.kind} {name}")
    _say_handover(folder)


@principal_cli.command("list")
def list_principals(config: Config = None) -> None:
    """Show every login but the sensors', and whether the broker lets it do what it should."""
    settings = load(config)
    rows = []
    for user, state in sorted(_principals(settings).states().items()):
        principal = principal_of(user, settings.topic_prefix)
        if principal is None:
            rows.append(("-", user, "not made here"))
        elif principal.role is not Role.SENSOR:
            rows.append((principal.role, principal.name, _word(state, principal, settings)))
    _table(("ROLE", "NAME", "STATE"), rows)


@principal_cli.command("revoke")
def revoke_principal(
    role: Annotated[Role, typer.Argument(metavar="ROLE")],
    name: Annotated[str, typer.Argument(metavar="NAME")],
    config: Config = None,
) -> None:
    """Cut a principal off at once, connected or not."""
    if role is Role.SENSOR:
        raise WrongUseError("a sensor is registered, too: `sightline sensor revoke`")
    settings = load(config)
    principals = _principals(settings)
    user = Principal(role, name).user(settings.topic_prefix)
    if user not in principals.states():
        raise WrongUseError(f"there is no {role} {name!r} at {settings.broker}")
    principals.expel(user)
    _say_revoked(user)


def admit(
    principals: Principals,
    principal: Principal,
    settings: Settings,
    out: Path,
    *,
    renew: bool,
    change: registry_file.Change | None = None,
) -> Path:
    """Make a login; the folder to hand over. For a sensor, its topic is made before."""
    check_name(principal.role, principal.name)
    prefix = settings.topic_prefix
    user = principal.user(prefix)
    state = principals.states().get(user, NOBODY)
    if state.credential and not renew:
        raise WrongUseError(f"{user} has a login; --renew gives it another password")
    if state.denied and not renew:
        raise WrongUseError(f"{user} was revoked; --renew lets it in again")
    topic = ""
    if change is not None:
        topic = change.topic(prefix)
        from pipeline.shell import topics

        asyncio.run(topics.ensure(change.registry, settings))
    password = new_password()
    folder = out / user.replace("/", "-")
    # The file first: a login whose password was lost would have to be renewed.
    write_handover(folder, settings, user, password)
    principals.admit(user, password, grants(principal, settings, topic))
    return folder


def _principals(settings: Settings) -> Principals:
    from pipeline.shell.access.principals import (
        Principals,  # librdkafka: other commands start without it
    )

    return Principals(settings)


def _say_handover(folder: Path) -> None:
    print(f"hand it  {folder}/, on a way that nobody else can read: settings for Sightline or any")
    print("         Kafka client (SASL_SSL, SCRAM-SHA-512), the password, the broker's authority")


def _say_revoked(who: str) -> None:
    print(f"revoked  {printable(who)}: the broker refuses it from now on, also if it is connected")


def _is_out(state: State) -> bool:
    return state.denied and not state.credential and not state.allowed and not state.strange


def _word(state: State, principal: Principal, settings: Settings, topic: str = "") -> str:
    """A principal's state in words; `ready` if all is as it should be."""
    should = grants(principal, settings, topic)
    if _is_out(state):
        return "revoked"
    wrong = [
        word
        for word, is_so in (
            ("denied", state.denied),
            ("no login", not state.credential),
            ("lacks rights", bool(should - state.allowed)),
            ("HAS MORE RIGHTS THAN IT SHOULD", bool(state.allowed - should or state.strange)),
        )
        if is_so
    ]
    return ", ".join(wrong) or "ready"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        print(printable("  ".join(cells).rstrip()))
