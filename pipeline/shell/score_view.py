"""What `sightline score` prints."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.measure.score import Delay, KindScore, Quality, Score

_NONE = "-"  # there was nothing to judge
_MISSED = 10  # campaigns of a kind that are named


def score_lines(score: Score) -> Iterator[str]:
    """All figures, the kinds of campaigns as a table with the worst first."""
    yield (
        f"{score.found} of {score.campaigns} campaigns found (recall {_figure(score.recall)}); "
        f"{score.real} of {score.told} told are real (precision {_figure(score.precision)})"
    )
    quality = score.bcubed
    yield (
        f"B-cubed F1 {_figure(quality.f1)} (precision {_figure(quality.precision)}, recall "
        f"{_figure(quality.recall)}) over {score.indicators} indicators"
    )
    yield f"first told after the k-th country's event: {_delay(score.delay)}"
    yield (
        f"{_figure(score.told_a_found, 2)} told for one that was found, "
        f"{score.most_told_of_one} at most"
    )
    if score.reduction is None:
        yield "reduction unknown: --alerts names the alerts that the campaigns were made of"
    else:
        yield (
            f"{score.told} items instead of {score.alerts} alerts: "
            f"{score.reduction * 100:.1f} % fewer"
        )
    if score.kinds:
        yield ""
        yield from _table(score.kinds)
    for row in score.kinds:
        if row.missed:
            more = f" and {len(row.missed) - _MISSED} more" if len(row.missed) > _MISSED else ""
            yield f"missed {row.kind}: {', '.join(row.missed[:_MISSED])}{more}"


def _table(rows: tuple[KindScore, ...]) -> Iterator[str]:
    cells = [
        ("kind", "true", "found", "told", "b3 f1", "b3 prec", "b3 rec", "median", "worst"),
        *(
            (
                row.kind,
                str(row.campaigns),
                str(row.found),
                str(row.told),
                *_figures(row.bcubed),
                _seconds(row.delay.median_ms),
                _seconds(row.delay.worst_ms),
            )
            for row in rows
        ),
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for first, *rest in cells:
        right = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *right))


def _figures(quality: Quality) -> tuple[str, str, str]:
    return _figure(quality.f1), _figure(quality.precision), _figure(quality.recall)


def _figure(value: float | None, digits: int = 3) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _seconds(ms: float | None) -> str:
    return _NONE if ms is None else f"{ms / 1000:.1f} s"


def _delay(delay: Delay) -> str:
    if not delay.known:
        return "unknown, no campaign that was found says `first_told`"
    unknown = f", {delay.unknown} others unknown" if delay.unknown else ""
    return (
        f"median {_seconds(delay.median_ms)}, worst {_seconds(delay.worst_ms)} "
        f"({delay.known} campaigns{unknown})"
    )
