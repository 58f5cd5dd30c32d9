"""The figures of `sightline score`, recomputed from their definitions without any cleverness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from statistics import median
from typing import Any, NamedTuple

Item = tuple[str, str]
Groups = frozenset[str]


def precision_of(item: Any, told: Mapping[Any, Groups], true: Mapping[Any, Groups]) -> Fraction:
    """Extended B-cubed precision of one item, by the formula of Amigó et al. (2009)."""
    mates = [mate for mate in told if told[item] & told[mate]]
    nothing: Groups = frozenset()
    total = Fraction(0)
    for mate in mates:
        together = len(told[item] & told[mate])
        truly = len(true.get(item, nothing) & true.get(mate, nothing))
        total += Fraction(min(together, truly), together)
    return total / len(mates)


class Figures(NamedTuple):
    recall: float | None
    precision: float | None
    b3_precision: float | None
    b3_recall: float | None
    b3_f1: float | None
    delay: float | None


def figures(truths: Sequence[dict[str, Any]], told: Sequence[dict[str, Any]]) -> Figures:
    """Of the JSON objects of both files; no campaign of which is merged."""
    asked = _groups([(t["campaign"], _items(t["indicators"])) for t in truths])
    fringe = {item for t in truths for item in _items(t["fringe"])} - asked.keys()
    named = _groups([(c["id"], _items(c["indicators"]) - fringe) for c in told])
    about: dict[str, str] = {}
    for campaign in told:
        items = _items(campaign["indicators"])
        for true in truths:
            whose = _items(true["indicators"]) | _items(true["fringe"])
            if len(items & whose) > len(items) / 2:
                about[campaign["id"]] = true["campaign"]
    found = set(about.values())
    delays = []
    for true in truths:
        first = [
            campaign["first_told"]
            for campaign in told
            if about.get(campaign["id"]) == true["campaign"] and "first_told" in campaign
        ]
        if first:
            delays.append(min(first) - true["kth_country_event"])
    p = _mean([precision_of(item, named, asked) for item in named])
    r = _mean([precision_of(item, asked, named) for item in asked])
    return Figures(
        recall=len(found) / len(truths) if truths else None,
        precision=len(about) / len(told) if told else None,
        b3_precision=p,
        b3_recall=r,
        b3_f1=None if p is None and r is None else 2 * p * r / (p + r) if p and r else 0.0,
        delay=float(median(delays)) if delays else None,
    )


def _items(marks: Sequence[dict[str, str]]) -> set[Item]:
    return {(mark["type"], mark["value"]) for mark in marks}


def _groups(campaigns: Sequence[tuple[str, set[Item]]]) -> dict[Item, Groups]:
    items = {item for _, named in campaigns for item in named}
    return {item: frozenset(id_ for id_, named in campaigns if item in named) for item in items}


def _mean(values: Sequence[Fraction]) -> float | None:
    return float(sum(values) / len(values)) if values else None
