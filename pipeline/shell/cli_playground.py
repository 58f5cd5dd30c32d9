"""`sightline playground` on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def playground(
    task: Annotated[
        list[str] | None, typer.Option("--task", help="Only this one; may be given again.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="en, es, fr or another; by default the terminal's.")
    ] = None,
    progress: Annotated[Path, typer.Option(help="The file that keeps what has been done.")] = Path(
        "var/playground.json"
    ),
    solve: Annotated[bool, typer.Option("--solve", help="Show how each task is done.")] = False,
) -> None:
    """Learn it by doing: three simulated countries, and tasks that check themselves."""
    from pipeline.shell.play.game import chosen, run, typed
    from pipeline.shell.play.messages import Messages, language_of

    say = Messages(language or language_of(os.environ))
    raise typer.Exit(run(say, chosen(task or ()), progress, typed(), solve=solve))
