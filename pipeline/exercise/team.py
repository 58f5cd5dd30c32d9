"""A score for each team: a country, its organisations, what was told them, what they said of it.

A team is judged by what concerns it: the true campaigns that struck it, and the campaigns told that
name it. What it said are its labels: whoever speaks for a team has its code in front, `cz/ann`.
No I/O here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign, Status
from pipeline.campaign.label import Label, Verdict
from pipeline.exercise.cexf import Check, Evaluation, Scenario
from pipeline.exercise.conduct import Conduct, Lane, Post, conduct
from pipeline.measure.score import Delay, Quality, Score, score
from pipeline.measure.told import Told
from pipeline.share.route import Routes
from pipeline.share.terms import Terms
from pipeline.world.truth import Truth


class Said(Struct, frozen=True):
    """A team's labels on campaigns: how many of them are right, by the truth."""

    labelled: int
    right: int


class TeamScore(Struct, frozen=True):
    """How one team did. `struck`: true campaigns that struck it; `told`: campaigns that name it.

    `delay`: from the third country's event to the first telling. What there is no data for is None.
    """

    team: str
    struck: int
    found: int
    recall: float | None
    told: int
    real: int
    precision: float | None
    quality: Quality
    delay: Delay
    missed: tuple[str, ...]
    said: Said | None
    conduct: Conduct | None = None
    """None where nobody is notified."""


class Point(Struct, frozen=True):
    """One evaluation of an inject of the scenario."""

    inject: str
    result: str
    got: float
    least: float
    most: float


class Result(Struct, frozen=True):
    """An exercise's score: of all together, of each team, of each evaluation of the scenario."""

    exercise: str
    everybody: Score
    teams: tuple[TeamScore, ...]
    points: tuple[Point, ...]


def result(
    exercise: str,
    scenario: Scenario,
    truths: Sequence[Truth],
    campaigns: Sequence[Campaign],
    alerts: Sequence[Alert],
    labels: Sequence[Label],
    teams: Iterable[str],
    notified: Notified | None = None,
) -> Result:
    """`campaigns` and `alerts`: the newest revision of each; `teams`: countries; `notified`: where
    CSIRTs are.
    """
    standing = [one for one in campaigns if one.withdrawn is msgspec.UNSET]
    lane = None if notified is None else _lane(notified, campaigns, truths)
    return Result(
        exercise,
        score(truths, [told(one) for one in standing], len(alerts) or None),
        tuple(_team(team, truths, standing, labels, lane) for team in sorted(set(teams))),
        tuple(
            _point(inject.name, of, alerts, standing)
            for step in scenario.flow
            for inject in [scenario.injects[step.inject]]
            for of in inject.evaluations
            if _ours(of)
        ),
    )


def told(campaign: Campaign) -> Told:
    """A campaign as `sightline score` reads it."""
    fields: Mapping[str, Any] = msgspec.to_builtins(campaign)
    return msgspec.convert({name: fields[name] for name in _READ if name in fields}, Told)


_READ = Told.__struct_fields__


class Notified(Struct, frozen=True):
    """Whom there is to notify, by which terms, and what was written; see `conduct.Lane`."""

    routes: Routes
    terms: Terms
    post: Post
    at: int
    within_ms: int


def _lane(of: Notified, campaigns: Sequence[Campaign], truths: Sequence[Truth]) -> Lane:
    real = {
        one.id
        for one in campaigns
        if one.withdrawn is msgspec.UNSET and score(truths, [told(one)]).real
    }
    return Lane(of.routes, of.terms, campaigns, real, of.post, of.at, of.within_ms)


def _team(
    team: str,
    truths: Sequence[Truth],
    campaigns: Sequence[Campaign],
    labels: Sequence[Label],
    lane: Lane | None,
) -> TeamScore:
    struck = [one for one in truths if team in one.countries]
    named = [one for one in campaigns if team in one.countries or one.status is Status.MERGED]
    of = score(struck, [told(one) for one in named])
    return TeamScore(
        team,
        of.campaigns,
        of.found,
        of.recall,
        of.told,
        of.real,
        of.precision,
        of.bcubed,
        of.delay,
        tuple(name for kind in of.kinds for name in kind.missed),
        _said(team, truths, campaigns, labels),
        None if lane is None else conduct(team, lane),
    )


def _said(
    team: str, truths: Sequence[Truth], campaigns: Sequence[Campaign], labels: Sequence[Label]
) -> Said | None:
    newest: dict[str, Label] = {}
    for label in sorted(labels, key=lambda one: one.at):
        if label.by.lower().startswith(f"{team.lower()}/"):
            newest[label.id] = label
    by_id = {one.id: one for one in campaigns}
    judged = [(label, by_id[label.id]) for label in newest.values() if label.id in by_id]
    if not judged:
        return None
    right = sum(
        (label.verdict is Verdict.CONFIRMED) == bool(score(truths, [told(one)]).real)
        for label, one in judged
    )
    return Said(len(judged), right)


def _ours(evaluation: Evaluation) -> bool:
    return any(check.path.partition(".")[0] in {"alert", "campaign"} for check in evaluation.checks)


def _point(
    inject: str, of: Evaluation, alerts: Sequence[Alert], campaigns: Sequence[Campaign]
) -> Point:
    shares = [_share(check, alerts, campaigns) for check in of.checks]
    share = max(shares) if of.any_of else sum(shares) / len(shares)
    return Point(inject, of.result, of.least + (of.most - of.least) * share, of.least, of.most)


def _share(check: Check, alerts: Sequence[Alert], campaigns: Sequence[Campaign]) -> float:
    """How much of what is looked for was told: 0 … 1."""
    found = _found(check.path, alerts, campaigns)
    if check.comparison == "count":
        return float(all(_counts(str(value), len(found)) for value in check.values))
    wanted = [str(value).lower() for value in check.values]
    if not wanted:
        return 0.0
    if check.comparison == "contains":
        hits = sum(any(value in text for text in found) for value in wanted)
    else:  # `is`, `equals`
        hits = sum(value in found for value in wanted)
    return hits / len(wanted)


def _counts(asked: str, count: int) -> bool:
    mark, number = asked.strip()[:1], asked.strip()[1:].strip()
    if mark in "<>" and number.isdecimal():
        return count > int(number) if mark == ">" else count < int(number)
    return asked.strip().isdecimal() and count == int(asked)


def _found(path: str, alerts: Sequence[Alert], campaigns: Sequence[Campaign]) -> set[str]:
    """The texts at `alert.value`, `alert.rule`, `alert.country`, `campaign.indicator`, … ."""
    kind, _, name = path.partition(".")
    found: set[str] = set()
    if kind == "alert":
        for one in alerts:
            observed, said = one.observables[0], one.unmapped
            found.update(
                {
                    "value": (observed.value,),
                    "type": (observed.name,),
                    "rule": (one.finding_info.title, one.finding_info.analytic.uid),
                    "country": said.countries,
                    "organisation": said.organisations,
                    "id": (one.finding_info.uid,),
                }.get(name, ())
            )
    elif kind == "campaign":
        for campaign in campaigns:
            found.update(
                {
                    "indicator": tuple(of.value for of in campaign.indicators),
                    "country": campaign.countries,
                    "organisation": campaign.organisations,
                    "id": (campaign.id,),
                }.get(name, ())
            )
    return {text.lower() for text in found}
