"""`sightline bench`: the options, one for each factor that a run can vary."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from pipeline.shell.bench.load import Load, Skew

_D = Load()


class Table(StrEnum):
    quick = "quick"
    full = "full"


def bench(
    events: Annotated[int, typer.Option(min=1, help="How many events.")] = _D.events,
    seed: Annotated[int, typer.Option(help="Of the generated events.")] = _D.seed,
    indicators: Annotated[
        int, typer.Option(min=1, max=3, help="Indicators an event: a honeypot's has one.")
    ] = _D.indicators,
    size: Annotated[
        int, typer.Option(min=0, metavar="BYTES", help="Of an event; 0 for some 330.")
    ] = _D.size,
    skew: Annotated[Skew, typer.Option(help="How often which indicator is met.")] = _D.skew,
    packed: Annotated[int, typer.Option(min=1, max=10_000, help="Events a message.")] = _D.packed,
    window: Annotated[str, typer.Option(help="The rules' timespan: 10m, 24h, 7d.")] = _D.window,
    span: Annotated[str, typer.Option(help="The event time that the events cover.")] = _D.span,
    live: Annotated[
        int, typer.Option(min=0, help="Indicators remembered before the first event.")
    ] = _D.live,
    partitions: Annotated[int, typer.Option(min=1, max=1024, help="Of sightings.")] = _D.partitions,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes of each stage.")
    ] = _D.workers,
    cpus: Annotated[
        str, typer.Option(help="CPUs that workers and broker are kept on: 0 or 0,1.")
    ] = _D.cpus,
    probes: Annotated[
        int, typer.Option(min=0, help="Single events to time latency with.")
    ] = _D.probes,
    under: Annotated[
        str, typer.Option(help="Latency is timed again at these shares of the rate kept up with.")
    ] = _D.under,
    profile: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Flame graphs go there; needs py-spy.")
    ] = None,
    table: Annotated[
        Table | None,
        typer.Option(help="A run for every factor, a JSON line each; of the rest, --seed counts."),
    ] = None,
) -> None:
    """Measure events a second and alert latency; the last line is one JSON object."""
    from pipeline.shell.bench.run import run
    from pipeline.shell.bench.table import rows

    load = Load(
        events=events, seed=seed, indicators=indicators, size=size, skew=skew, packed=packed,
        window=window, span=span, live=live, partitions=partitions, workers=workers, cpus=cpus,
        probes=probes, under=under,
    )  # fmt: skip
    exact = True
    loads = [("one", load)] if table is None else rows(table is Table.full, seed)
    for factor, one in loads:
        result = run(one, profile)
        if table is not None:
            result = {"table": table.value, "factor": factor, **result}
        print(orjson.dumps(result).decode(), flush=True)
        exact = exact and bool(result["exact"])
    raise typer.Exit(0 if exact else 1)
