"""`sightline serve`: dashboard and HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.shell.settings import load


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
