"""The figures of `sightline score`. Their definitions are docs/decisions/0012-measure.md.

Items are indicators. Those of a truth's `fringe` are neither asked for nor held against anyone:
they are left out of B-cubed, but tell which truth a campaign is about.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from statistics import median

from msgspec import Struct

from pipeline.measure.bcubed import Groups, precisions
from pipeline.measure.told import MERGED, Told
from pipeline.world.truth import Marked, Truth


class Quality(Struct, frozen=True):
    """0 … 1, None where there was nothing to judge. `f1` is 0 where one side alone was empty."""

    precision: float | None
    recall: float | None
    f1: float | None


class Delay(Struct, frozen=True):
    """From the k-th country's event to the first telling, ms of event time, of `known` campaigns,
    and of each; `unknown` ones were found, but do not say when they were told.
    """

    median_ms: float | None
    worst_ms: int | None
    known: int
    unknown: int
    each_ms: Mapping[str, int]


class KindScore(Struct, frozen=True):
    """One kind of campaign. `told` are those that are about one of this kind."""

    kind: str
    campaigns: int
    found: int
    told: int
    recall: float
    bcubed: Quality
    delay: Delay
    told_a_found: float | None
    missed: tuple[str, ...]


class Score(Struct, frozen=True):
    """`told` campaigns are those that are not merged into another; `real` ones are about a true
    campaign; `found` true ones have a real one about them. `alerts` and `reduction` are None where
    nothing says how many alerts there were. `kinds` has the worst first.
    """

    campaigns: int
    found: int
    recall: float | None
    told: int
    real: int
    precision: float | None
    indicators: int
    bcubed: Quality
    told_a_found: float | None
    most_told_of_one: int
    delay: Delay
    alerts: int | None
    reduction: float | None
    kinds: tuple[KindScore, ...]


def score(truths: Sequence[Truth], campaigns: Sequence[Told], alerts: int | None = None) -> Score:
    """How well `campaigns` match the truth.

    `alerts` is how many there were; without it, those that the campaigns name are counted.
    """
    told = [campaign for campaign in campaigns if campaign.status != MERGED]
    true_groups = _groups((truth.campaign, truth.indicators) for truth in truths)
    whose = _groups((truth.campaign, (*truth.indicators, *truth.fringe)) for truth in truths)
    about = {campaign.id: _about(whose, campaign) for campaign in told}
    fringe = {mark for truth in truths for mark in truth.fringe} - true_groups.keys()
    told_groups = {
        mark: groups
        for mark, groups in _groups((one.id, one.indicators) for one in told).items()
        if mark not in fringe
    }
    precision = precisions(told_groups, true_groups)
    recall = precisions(true_groups, told_groups)
    tellings = Counter(truth for truth in about.values() if truth is not None)
    delays = _delays(truths, campaigns, about)
    if alerts is None:
        alerts = len({alert for campaign in told for alert in campaign.alerts}) or None

    kinds: dict[str, list[Truth]] = defaultdict(list)
    for truth in truths:
        kinds[truth.kind].append(truth)
    rows = [
        _kind(kind, members, tellings, delays, precision, recall) for kind, members in kinds.items()
    ]
    found, real = len(tellings), tellings.total()
    return Score(
        campaigns=len(truths),
        found=found,
        recall=_share(found, len(truths)),
        told=len(told),
        real=real,
        precision=_share(real, len(told)),
        indicators=len(true_groups),
        bcubed=_quality(precision.values(), recall.values()),
        told_a_found=_share(real, found),
        most_told_of_one=max(tellings.values(), default=0),
        delay=_delay(delays, tellings),
        alerts=alerts,
        reduction=None if alerts is None else _share(alerts - len(told), alerts),
        kinds=tuple(sorted(rows, key=_worst_first)),
    )


def _about(whose: Mapping[Marked, Groups], campaign: Told) -> str | None:
    """The true campaign that more than half of its indicators belong to, fringe and all."""
    marks = set(campaign.indicators)
    shares = Counter(truth for mark in marks for truth in whose.get(mark, ()))
    most, truth = max(((count, truth) for truth, count in shares.items()), default=(0, None))
    return truth if 2 * most > len(marks) else None


def _groups(campaigns: Iterable[tuple[str, Iterable[Marked]]]) -> dict[Marked, Groups]:
    groups: dict[Marked, set[str]] = defaultdict(set)
    for name, marks in campaigns:
        for mark in marks:
            groups[mark].add(name)
    return {mark: frozenset(names) for mark, names in groups.items()}


def _delays(
    truths: Sequence[Truth], campaigns: Sequence[Told], about: Mapping[str, str | None]
) -> dict[str, int]:
    """By true campaign, of those where both times are known."""
    into = {one.id: one.merged_into for one in campaigns if one.status == MERGED}
    first: dict[str, int] = {}
    for campaign in campaigns:
        # What was told of a campaign before it was merged into another had been told.
        end, seen = campaign.id, {campaign.id}
        while (after := into.get(end)) is not None and after not in seen:
            seen.add(after)
            end = after
        truth = about.get(end)
        if truth is not None and campaign.first_told is not None:
            first[truth] = min(first.get(truth, campaign.first_told), campaign.first_told)
    return {
        truth.campaign: first[truth.campaign] - truth.kth_country_event
        for truth in truths
        if truth.campaign in first and truth.kth_country_event is not None
    }


def _kind(
    kind: str,
    truths: Sequence[Truth],
    tellings: Mapping[str, int],
    delays: Mapping[str, int],
    precision: Mapping[Marked, float],
    recall: Mapping[Marked, float],
) -> KindScore:
    found = {
        truth.campaign: tellings[truth.campaign] for truth in truths if truth.campaign in tellings
    }
    marks = {mark for truth in truths for mark in truth.indicators}
    told = sum(found.values())
    return KindScore(
        kind=kind,
        campaigns=len(truths),
        found=len(found),
        told=told,
        recall=len(found) / len(truths),
        bcubed=_quality(
            [precision[mark] for mark in marks if mark in precision],
            [recall[mark] for mark in marks],
        ),
        delay=_delay({name: delays[name] for name in found if name in delays}, found),
        told_a_found=_share(told, len(found)),
        missed=tuple(truth.campaign for truth in truths if truth.campaign not in found),
    )


def _delay(delays: Mapping[str, int], found: Mapping[str, int]) -> Delay:
    values = list(delays.values())
    return Delay(
        median_ms=float(median(values)) if values else None,
        worst_ms=max(values, default=None),
        known=len(values),
        unknown=len(found) - len(values),
        each_ms=delays,
    )


def _quality(precision: Iterable[float], recall: Iterable[float]) -> Quality:
    p, r = _mean(list(precision)), _mean(list(recall))
    if p is None and r is None:
        return Quality(None, None, None)
    both = (p or 0.0) + (r or 0.0)
    return Quality(p, r, 2 * (p or 0.0) * (r or 0.0) / both if both else 0.0)


def _mean(values: Sequence[float]) -> float | None:
    # fsum rounds once: the order of the values, which is that of a set, changes nothing.
    return fsum(values) / len(values) if values else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _worst_first(row: KindScore) -> tuple[float, float, str]:
    f1 = row.bcubed.f1
    return (1.0 if f1 is None else f1), row.recall, row.kind
