"""`sightline generate`: a labelled world, written to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.shell.settings import WrongUseError
from pipeline.world.places import ZONES
from pipeline.world.truth import KTH
from pipeline.world.world import DAYS, Options, encode_truth, world

_DEFAULT = Options(seed=0)


def generate(
    seed: Annotated[int, typer.Option(help="The same seed and options make the same bytes.")],
    out: Annotated[Path, typer.Option(help="The folder that the files are written to.")],
    countries: Annotated[int, typer.Option(min=KTH, max=len(ZONES))] = _DEFAULT.countries,
    organisations: Annotated[
        int, typer.Option(min=KTH, max=2_000, help="Each country has one at least.")
    ] = _DEFAULT.organisations,
    days: Annotated[int, typer.Option(min=1, max=DAYS)] = _DEFAULT.days,
    events: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Of the background; campaigns come on top.")
    ] = _DEFAULT.events,
    campaigns: Annotated[
        int, typer.Option(min=0, max=500, help="Of six kinds in turn; 0 for background alone.")
    ] = _DEFAULT.campaigns,
    liars: Annotated[
        int, typer.Option(min=0, max=100, help="How many in a hundred sensors lie.")
    ] = _DEFAULT.liars,
) -> None:
    """Make a labelled world: sensors.toml, events.jsonl in order of arrival, truth.jsonl."""
    if organisations < countries:
        raise WrongUseError(
            f"--organisations {organisations} is too few: each of {countries} countries has one"
        )
    options = Options(seed, countries, organisations, days, events, campaigns, liars)
    made = world(options)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "sensors.toml").write_bytes(made.registry.encode())
        with (out / "events.jsonl").open("wb") as file:
            file.writelines(line + b"\n" for line in made.lines)
        with (out / "truth.jsonl").open("wb") as file:
            file.writelines(encode_truth(truth) + b"\n" for truth in made.truths)
    except OSError as error:
        raise WrongUseError(f"{error.filename or out}: {error.strerror}") from None
    typer.echo(
        f"{len(made.lines)} events, {made.distinct} of them distinct, {len(made.truths)} campaigns",
        err=True,
    )
