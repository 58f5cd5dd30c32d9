"""What `sightline exercise score` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.exercise.control import Control
from pipeline.exercise.team import Result, TeamScore
from pipeline.lane import BANNER

_NONE = "-"


def result_lines(result: Result, control: Control) -> Iterator[str]:
    """A line a team, and what the scenario's evaluations came to."""
    yield BANNER
    yield f"exercise {result.exercise}: {control.name}, {control.state}"
    yield f"the truth is the one that was sealed: {control.seal}"
    of = result.everybody
    yield (
        f"all together: {of.found} of {of.campaigns} campaigns found (recall "
        f"{_figure(of.recall)}), {of.real} of {of.told} told are real (precision "
        f"{_figure(of.precision)})"
    )
    yield from _table(result.teams)
    yield from _conduct(result.teams)
    for team in result.teams:
        if team.missed:
            yield f"{team.team} missed {', '.join(team.missed)}"
    for point in result.points:
        yield f"{point.inject}: {point.result} {point.got:g} of {point.most:g}"


def _table(teams: tuple[TeamScore, ...]) -> Iterator[str]:
    rows = [
        ("team", "struck", "found", "recall", "told", "precision", "b3 f1", "delay", "labels"),
        *(
            (
                team.team,
                str(team.struck),
                str(team.found),
                _figure(team.recall),
                str(team.told),
                _figure(team.precision),
                _figure(team.quality.f1),
                _delay(team.delay.median_ms),
                _NONE if team.said is None else f"{team.said.right} of {team.said.labelled}",
            )
            for team in teams
        ),
    ]
    yield from _columns(rows)


def _conduct(teams: tuple[TeamScore, ...]) -> Iterator[str]:
    """Whom they notified, of what, and whether that was answered."""
    of = [(team.team, team.conduct) for team in teams if team.conduct is not None]
    if of:
        yield from _columns(
            [
                ("team", "routed", "astray", "unruled", "TLP kept", "in time", "late", "never"),
                *(
                    (
                        team, f"{one.routed} of {one.due}", str(one.astray), str(one.unruled),
                        f"{one.letters - one.breaches} of {one.letters}",
                        str(one.in_time), str(one.late), str(one.never),
                    )
                    for team, one in of
                ),
            ]
        )  # fmt: skip


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *rest in rows:
        right = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *right))


def _figure(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _delay(ms: float | None) -> str:
    return _NONE if ms is None else f"{ms / 60_000:.1f} min"
