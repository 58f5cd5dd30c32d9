"""`sightline audit`: what was done, and whether the log of it is whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.share import audit
from pipeline.share.audit import Entry
from pipeline.shell.audit_log import AuditLog, audit_path, verify
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import FailedError, WrongUseError, load

group = typer.Typer(no_args_is_help=True, help="What was done, and whether the log of it is whole.")

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]


@group.command("verify")
def verify_(
    key: Annotated[
        Path | None, typer.Option(help="Who must have signed; by default the key beside the log.")
    ] = None,
    checkpoints: Annotated[
        Path | None, typer.Option(help="Checkpoints that were kept elsewhere.")
    ] = None,
    config: Config = None,
) -> None:
    """Say whether anything was changed, removed, reordered or cut off."""
    path = audit_path(load(config))
    count, faults = verify(path, key, checkpoints)
    for fault in faults:
        where = f"{path}:{fault.line}" if fault.line else str(path)
        print(printable(f"{where}: {fault.what}"))
    if not faults:
        print(printable(f"{path}: {count} entries, whole"))
    raise typer.Exit(1 if faults else 0)


@group.command()
def show(
    about: Annotated[str, typer.Option(help="Only what was done to this.")] = "",
    action: Annotated[str, typer.Option(help="Only what was done in this way.")] = "",
    json: Annotated[bool, typer.Option("--json", help="As it stands in the log.")] = False,
    config: Config = None,
) -> None:
    """What was done, oldest first. It does not look whether the log is whole: `verify` does."""
    path = audit_path(load(config))
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(audit.MAX_LINE + 2), b""), 1):
                entry = audit.decode(line.removesuffix(b"\n"))
                if isinstance(entry, str):
                    raise FailedError(f"{path}:{number}: {entry}; `sightline audit verify`")
                if about in {"", entry.about} and action in {"", entry.action}:
                    print(plain_json(audit.encode(entry)) if json else printable(_row(entry)))
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None


def _row(entry: Entry) -> str:
    at = datetime.fromtimestamp(entry.time / 1000, UTC).isoformat("T", "seconds")
    facts = "".join(
        f" {name}={','.join(value) if isinstance(value, tuple) else value}"
        for name, value in sorted(entry.facts.items())
    )
    return f"{entry.sequence} {at} {entry.actor} {entry.action} {entry.about}{facts}"


@group.command()
def checkpoint(config: Config = None) -> None:
    """Sign how far the log has come. Keep what is printed elsewhere: it holds against the log."""
    path = audit_path(load(config))
    signed = AuditLog(path).checkpoint() if path.exists() else None
    if signed is None:
        raise WrongUseError(f"{path}: there is nothing in it")
    print(plain_json(audit.encode(signed)))
