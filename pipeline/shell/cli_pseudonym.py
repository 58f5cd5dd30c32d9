"""`sightline pseudonym`: for whoever holds the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.share.privacy import canonical
from pipeline.share.pseudonym import MissingKey
from pipeline.shell import key_ring
from pipeline.shell.audit_log import AuditLog, actor, audit_path
from pipeline.shell.printable import printable
from pipeline.shell.settings import FailedError, WrongUseError, load

group = typer.Typer(no_args_is_help=True, help="The keys of pseudonyms: made, extended, destroyed.")

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Folder = Annotated[Path, typer.Argument(metavar="RING", help="The folder of the keys.")]
Ahead = Annotated[int, typer.Option(help="For so many epochs after the one of now.")]


@group.command()
def make(
    folder: Folder,
    epoch: Annotated[str, typer.Option(help="How long a value has one pseudonym.")] = "7d",
    overlap: Annotated[
        str, typer.Option(help="The longest window of a rule, and the lateness allowed.")
    ] = "49h",
    keep: Annotated[str, typer.Option(help="After its epoch, until a key is destroyed.")] = "30d",
    ahead: Ahead = 4,
    config: Config = None,
) -> None:
    """Make a new ring, to be handed to all who are to speak by the same pseudonyms."""
    settings = load(config)
    terms = key_ring.make(folder, epoch, overlap, keep, ahead)
    AuditLog(audit_path(settings)).append(
        actor(), "key-ring-made", folder.name, first=terms.first, ahead=ahead
    )
    print(printable(f"{folder}: keys of the epochs {terms.first} to {terms.first + ahead}"))


@group.command()
def extend(folder: Folder, ahead: Ahead = 4, config: Config = None) -> None:
    """Make the keys of coming epochs; hand them over before their epoch begins."""
    settings = load(config)
    made = [str(epoch) for epoch in key_ring.extend(folder, ahead)]
    if made:
        AuditLog(audit_path(settings)).append(
            actor(), "key-ring-extended", folder.name, epochs=tuple(made)
        )
    print(printable(f"{folder}: {', '.join(made) or 'all were there'}"))


@group.command()
def destroy(folder: Folder, config: Config = None) -> None:
    """Destroy the keys that were kept as long as the ring says."""
    settings = load(config)
    gone = [str(epoch) for epoch in key_ring.destroy_old(folder)]
    if gone:
        AuditLog(audit_path(settings)).append(
            actor(), "keys-destroyed", folder.name, epochs=tuple(gone)
        )
    print(printable(f"{folder}: {', '.join(gone) or 'none is old enough'}"))


@group.command()
def of(
    folder: Folder,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="ip, domain, url, …")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="In clear.")],
    config: Config = None,
) -> None:
    """Say by which pseudonyms a value is told now. That is logged, by the value's digest."""
    settings = load(config)
    known = canonical(kind, value)
    if known is None:
        raise WrongUseError(f"{printable(value)!r} is no {printable(kind)} with a pseudonym")
    ring = key_ring.read(folder)
    usable = ring.usable(key_ring.now_ms())
    if isinstance(usable, MissingKey):
        raise FailedError(f"{folder}: there is no key of epoch {usable.epoch}")
    audit = AuditLog(audit_path(settings))
    audit.append(actor(), "pseudonym-evaluated", audit.digest(kind, known), ring=folder.name)
    for epoch in usable:
        print(ring.pseudonym(epoch, kind, known))
