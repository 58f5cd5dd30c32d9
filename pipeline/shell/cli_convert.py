"""`sightline convert` on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.shell.settings import WrongUseError

_SENSOR_LENGTH = 256


def convert(
    sensor: Annotated[str, typer.Option("--sensor", help="Its id in the registry.")],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE...]", help="Logs; none or - for stdin.")
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="See docs/formats.md; else told by the lines.")
    ] = None,
    rejects: Annotated[Path | None, typer.Option(help="What was rejected, one a line.")] = None,
    only_failed: Annotated[
        bool, typer.Option("--only-failed", help="Print what was rejected, and no events.")
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(metavar="LINE", help="How this line (its number, or itself) is understood."),
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="Of times without one: UTC, +01:00, Africa/Nairobi.")
    ] = "UTC",
    reference: Annotated[
        str | None, typer.Option(help="Times without a year are before it; by default now.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="For CSV: TOML that says which column is which.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="TOML: what leaves in clear, as a pseudonym, not at all.")
    ] = None,
) -> None:
    """Convert a sensor's native log to events, on stdout."""
    from pipeline.shell.converting import Converting, clock_of, format_named, options_of, run
    from pipeline.shell.ship.guarding import Gate

    if not 0 < len(sensor) <= _SENSOR_LENGTH:
        raise WrongUseError(f"--sensor: 1 to {_SENSOR_LENGTH} characters")
    if format_ is not None:
        format_named(format_)
    counts = run(
        Converting(
            format_,
            sensor,
            files or [],
            rejects,
            only_failed,
            explain,
            clock_of(timezone, reference),
            options_of(mapping),
            Gate(policy) if policy else None,
        )
    )
    if explain is None:
        undated = f", {counts.undated} without a time of their own" if counts.undated else ""
        print(
            f"{counts.records} records: {counts.events} events, {counts.rejected} rejected, "
            f"{counts.without_event} headers and comments{undated}",
            file=sys.stderr,
        )
