"""`sightline suppress`: what subscribers are not to hear of for a while."""

from __future__ import annotations

import asyncio
import getpass
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.campaign import campaign as campaigns
from pipeline.share import suppression as suppressions
from pipeline.share.filter import Condition, Fault, parse
from pipeline.share.moment import moment
from pipeline.share.subject import Subject, of_alert, of_campaign
from pipeline.share.suppression import LONGEST_MS, Preview, Suppression
from pipeline.shell.notify import records
from pipeline.shell.observe import decode_alert
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import Settings, WrongUseError, load, milliseconds

suppress_cli = typer.Typer(
    no_args_is_help=True, help="Keep from subscribers, for a while, what a filter lets through."
)
TOPIC = "suppressions"
Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Where = Annotated[str, typer.Argument(metavar="WHERE", help="A filter, such as 'country = CZ'.")]
Last = Annotated[str, typer.Option(help="How far to look back.")]


@suppress_cli.command()
def add(
    where: Where,
    for_: Annotated[str, typer.Option("--for", help="How long it holds: 4h, 7d.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    by: Annotated[str, typer.Option(help="Who says so; by default who is logged in.")] = "",
    config: Config = None,
) -> None:
    """Suppress what a filter lets through, and say what that would have hidden in the last 24 h."""
    settings = load(config)
    condition, now = _condition(where), records.now_ms()
    length = milliseconds("--for", for_)
    if not 0 < length <= LONGEST_MS:
        raise WrongUseError(f"--for {for_}: from now to {LONGEST_MS // 86_400_000} days")
    seen = asyncio.run(_preview(settings, condition, now - milliseconds("", "24h")))
    made = Suppression(
        secrets.token_hex(4), where, now, now + length, by or getpass.getuser(), reason
    )
    try:
        value = suppressions.encode(suppressions.decode(suppressions.encode(made)))
    except msgspec.ValidationError as error:
        raise WrongUseError(f"this cannot be said: {error}") from None
    records.produce(settings, TOPIC, made.id, value)
    print(printable(f"{made.id}: until {moment(made.until)}; {_told(seen, '24h')}"))


@suppress_cli.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: Config = None,
) -> None:
    """List those that hold, and what each hides of the last 24 h."""
    settings, now = load(config), records.now_ms()
    found = asyncio.run(_all(settings))
    standing = [one for one in found if one.holds_at(now)]
    if as_json:
        print(plain_json(msgspec.json.encode(standing)))
        return
    newest = asyncio.run(_newest(settings, now - milliseconds("", "24h")))
    for one in standing:
        condition = parse(one.where)
        hides = "no filter" if isinstance(condition, Fault) else _hides(condition, newest)
        why = f": {one.reason}" if one.reason else ""
        print(
            printable(
                f"{one.id}: {one.where}; until {moment(one.until)}, by {one.by}{why}; {hides}"
            )
        )
    print(f"{len(standing)} suppressions")


@suppress_cli.command()
def remove(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Of a suppression.")],
    config: Config = None,
) -> None:
    """End one before its time."""
    settings = load(config)
    if identity not in {one.id for one in asyncio.run(_all(settings))}:
        raise WrongUseError(f"there is no suppression {printable(identity)!r}")
    records.produce(settings, TOPIC, identity, None)
    print(printable(f"{identity}: removed"))


@suppress_cli.command()
def preview(where: Where, last: Last = "24h", config: Config = None) -> None:
    """Say how many alerts and campaigns a filter would have hidden lately."""
    settings = load(config)
    since = records.now_ms() - milliseconds("--last", last)
    print(_told(asyncio.run(_preview(settings, _condition(where), since)), last))


def _told(seen: Preview, last: str) -> str:
    return f"would have hidden {seen.hidden:,} of {seen.of:,} of the last {last}"


def _hides(condition: Condition, newest: dict[str, Subject]) -> str:
    seen = suppressions.preview(condition, newest)
    return f"hides {seen.hidden:,} of {seen.of:,} of the last 24h"


def _condition(where: str) -> Condition:
    condition = parse(where)
    if isinstance(condition, Fault):
        raise WrongUseError(f"{printable(where)!r}: {condition}")
    if not where.strip():
        raise WrongUseError("an empty filter would hide everything: say what")
    return condition


async def _all(settings: Settings) -> list[Suppression]:
    written = await records.newest(settings, TOPIC)
    return [suppressions.decode(value) for _, value in sorted(written.items())]


async def _preview(settings: Settings, condition: Condition, since: int) -> Preview:
    return suppressions.preview(condition, await _newest(settings, since))


async def _newest(settings: Settings, since: int) -> dict[str, Subject]:
    """What every alert and campaign that was told since then says now."""
    found: dict[str, Subject] = {}
    try:
        async for value in records.since(settings, "alerts", since):
            alert = decode_alert(value)
            found[alert.finding_info.uid] = of_alert(alert)
        async for value in records.since(settings, "campaigns", since):
            campaign = campaigns.decode(value)
            found[campaign.id] = of_campaign(campaign)
    except msgspec.DecodeError as error:
        raise WrongUseError(f"a record that no worker wrote: {error}") from None
    return found
