"""`sightline score`: how well a world was understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from pipeline.measure.score import score as score_of
from pipeline.measure.told import read_alerts, read_told, read_truths
from pipeline.problem import Problem
from pipeline.shell.files import refuse
from pipeline.shell.printable import printable
from pipeline.shell.score_view import score_lines
from pipeline.shell.settings import WrongUseError

T = TypeVar("T")


def score(
    truth: Annotated[Path, typer.Option(help="True campaigns, one JSON object a line.")],
    campaigns: Annotated[Path, typer.Option(help="Campaigns as told, one JSON object a line.")],
    alerts: Annotated[
        Path | None,
        typer.Option(help="All alerts, one a line; else those that campaigns name are counted."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say how well campaigns match the truth: per kind, the worst first."""
    result = score_of(
        _read(truth, read_truths),
        _read(campaigns, read_told),
        None if alerts is None else _read(alerts, read_alerts),
    )
    if as_json:
        typer.echo(msgspec.json.encode(result))
        return
    for line in score_lines(result):
        print(printable(line))


def _read(path: Path, read: Callable[[Iterable[bytes], str], tuple[T, list[Problem]]]) -> T:
    try:
        with path.open("rb") as file:
            found, problems = read(file, str(path))
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    refuse(problems)
    return found
