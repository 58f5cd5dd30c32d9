"""`sightline canary`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.shell.settings import load


def canary(
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Have the workers carry a synthetic attack now and then, and measure how long it takes."""
    from pipeline.shell.canary_probe import run
    from pipeline.shell.worker import configure_logging

    configure_logging()
    raise typer.Exit(run(load(config)))
