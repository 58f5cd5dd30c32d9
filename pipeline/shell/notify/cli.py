"""`sightline notify`: who was told of a campaign, and what waits for a person."""

from __future__ import annotations

import asyncio
import getpass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.share import directory_import
from pipeline.share.account import Account, account
from pipeline.share.moment import moment
from pipeline.share.route import is_stale
from pipeline.share.ruling import Open, Ruling, decode_open, encode_ruling
from pipeline.shell.files import read_text
from pipeline.shell.notify import records
from pipeline.shell.notify.sources import directory_of, sources_of
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import Settings, WrongUseError, load

notify_cli = typer.Typer(
    no_args_is_help=True, help="Who was told of what, and what waits for a person."
)
NOBODY = "nobody"
Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


class Source(StrEnum):
    first = "first"
    trusted_introducer = "trusted-introducer"


def configured(config: Path | None) -> Settings:
    """Settings that name somebody to notify."""
    settings = load(config)
    if not settings.directory and not settings.delivery:
        raise WrongUseError("nobody is to be told of anything: set directory, or delivery")
    return settings


@notify_cli.command()
def status(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id.")],
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Say who was told of a campaign, how far that is, and what came back."""
    settings = configured(config)

    async def read() -> Account:
        return account(campaign, await records.entries(settings), await records.replies(settings))

    found = asyncio.run(read())
    if as_json:
        print(plain_json(msgspec.json.encode(found)))
        return
    if not found.recipients:
        print(printable(f"campaign {campaign}: nobody was told of it"))
        return
    for one in found.recipients:
        ways = ", ".join(f"{way} {state}" for way, state in sorted(one.ways.items()))
        said = one.said or "nothing said yet"
        print(printable(f"{one.id}: revision {one.revision} of {moment(one.at)}; {ways}; {said}"))
    for line in found.lines:
        what = line.word or (f"to {line.to}, {line.id}" if line.to else line.id)
        text = f": {' '.join(line.text.split())}" if line.text else ""
        print(printable(f"  {moment(line.at)} {line.by} {line.kind} {what}{text}"))


@notify_cli.command()
def queue(as_json: Json = False, config: Config = None) -> None:
    """List what waits for a person: victims for whom nobody, too many or nobody lately answers."""
    settings = configured(config)
    found = asyncio.run(_questions(settings))
    if as_json:
        print(plain_json(msgspec.json.encode(found)))
        return
    for one in found:
        of = one.question
        who = f"{of.victim.country}/{of.victim.organisation}"
        whom = f" ({', '.join(of.candidates)})" if of.candidates else ""
        print(printable(f"{one.campaign} {who}: {of.reason}{whom}"))
    print(f"{len(found)} questions", flush=True)


async def _questions(settings: Settings) -> list[Open]:
    written = await records.newest(settings, "questions")
    return [decode_open(value) for _, value in sorted(written.items())]


@notify_cli.command("route")
def route_(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id.")],
    victim: Annotated[str, typer.Argument(metavar="COUNTRY/ORGANISATION", help="Of whom.")],
    to: Annotated[str, typer.Argument(metavar="CSIRT|nobody", help="Who is told.")],
    by: Annotated[str, typer.Option(help="Who says so; by default who is logged in.")] = "",
    config: Config = None,
) -> None:
    """Answer a question of the queue: who is told of a campaign for one of its victims."""
    settings = configured(config)
    country, slash, organisation = victim.partition("/")
    if not slash:
        raise WrongUseError(f"{victim!r}: write COUNTRY/ORGANISATION, such as CZ/cz-nren")
    known = {one.id for one in directory_of(settings).csirts}
    if to != NOBODY and to not in known:
        raise WrongUseError(f"there is no CSIRT {to!r} in the directory")
    ruling = Ruling(
        campaign,
        country,
        organisation,
        "" if to == NOBODY else to,
        by or getpass.getuser(),
        records.now_ms(),
    )
    key = f"{campaign}/{country}/{organisation}"
    records.produce(settings, "rulings", key, encode_ruling(ruling))
    print(printable(f"{campaign} {victim}: {to}, says {ruling.by}"))


@notify_cli.command()
def check(config: Config = None) -> None:
    """Read the directory and the delivery file as the share stage does, and say what is in them."""
    settings = configured(config)
    found = sources_of(settings)
    now = records.now_ms()
    for csirt in found.directory.csirts:
        box = found.ways[csirt.id].mailbox
        says = [
            *(["not verified within 180 days: asked of a person"] if is_stale(csirt, now) else []),
            *(["its key cannot be used: no mail goes to it"] if box and box.unusable else []),
        ]
        print(printable(f"{csirt.id}: {'; '.join(says) or 'good'}"))
    for one in found.delivery.subscribers:
        print(printable(f"{one.id}: good (a subscriber)"))


@notify_cli.command("import")
def import_(
    source: Annotated[Source, typer.Argument(help="Whose list it is.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What they serve, in JSON.")],
) -> None:
    """Turn another's directory into records of ours, on stdout, to be verified by a person."""
    read = directory_import.first if source is Source.first else directory_import.trusted_introducer
    imported = read(read_text(file))
    print(directory_import.written(imported.csirts))
    for line in imported.left_out:
        typer.echo(printable(f"left out: {line}"), err=True)
    typer.echo(f"{len(imported.csirts)} records, {len(imported.left_out)} left out", err=True)
    if not imported.csirts and imported.left_out:
        raise typer.Exit(1)
