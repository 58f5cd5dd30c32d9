"""`sightline serve`: dashboard and HTTP API; `sightline user`: who may log in to it."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.shell.serve.people import Role, hashed, user_table
from pipeline.shell.settings import FailedError, WrongUseError, load

_SHORTEST = 10  # characters of a password


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 for a free one.")] = None,
    users: Annotated[Path | None, typer.Option(help="Who may log in, a TOML file.")] = None,
    store: Annotated[Path | None, typer.Option(help="The read store, a file.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Serve the dashboard and the HTTP API until SIGTERM or SIGINT."""
    from pipeline.shell.serve.run import run
    from pipeline.shell.worker import configure_logging

    configure_logging()
    settings = load(
        config,
        serve_host=host,
        serve_port=port,
        serve_users=str(users) if users else None,
        serve_store=str(store) if store else None,
    )
    raise typer.Exit(run(settings))


def user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What he or she is called.")],
    role: Annotated[Role, typer.Option(help="An analyst may label.")] = Role.ANALYST,
    organisation: Annotated[str, typer.Option(help="Whom he or she speaks for.")] = "",
    sees: Annotated[
        str,
        typer.Option(
            help="As whom: an organisation, country, CSIRT, alliance:ID, community, public, or * "
            "for everything; by default as the organisation."
        ),
    ] = "",
    users: Annotated[Path, typer.Option(help="The file to add to.")] = Path("var/users.toml"),
) -> None:
    """Add somebody who may log in to `sightline serve`."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password of {name}: ")
        if password != getpass.getpass("Again: "):
            raise WrongUseError("the two differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < _SHORTEST:
        raise WrongUseError(f"a password has {_SHORTEST} characters or more")
    table = user_table(name, role, hashed(password), organisation, sees)
    try:
        users.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(users, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
            file.write(table)
    except OSError as error:
        raise FailedError(f"{users}: {error.strerror}") from None
    print(f"{users}: added; sightline serve reads it when it starts")
