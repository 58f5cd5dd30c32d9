"""`sightline clock` and `sightline report`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline import lane
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.campaign import decode as decode_campaign
from pipeline.lane import Act as Outside
from pipeline.lane import crossing, withheld
from pipeline.share.deadline import (
    AWARE,
    HANDLED,
    SUBMITTED,
    Act,
    Deadline,
    Policy,
    deadlines,
)
from pipeline.share.draft import draft
from pipeline.share.moment import moment
from pipeline.shell import observe
from pipeline.shell.audit_log import AuditLog, actor, audit_path
from pipeline.shell.clocks.acts import acts_path, policies, read_acts, write_act
from pipeline.shell.files import read_text
from pipeline.shell.printable import printable
from pipeline.shell.settings import Settings, WrongUseError, load

group = typer.Typer(
    no_args_is_help=True, help="Notification clocks: who was aware, what is due, what was sent."
)

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Incident = Annotated[str, typer.Argument(metavar="ID", help="Of a campaign, an alert, a case.")]
Regime = Annotated[str, typer.Option(help="Under which law.")]
At = Annotated[str | None, typer.Option(help="When, as 2026-03-28T23:30+01:00; by default now.")]
By = Annotated[str, typer.Option(help="Who says so; by default who is logged in.")]
Corrects = Annotated[bool, typer.Option("--correct", help="This stands over what was said before.")]


@group.command()
def start(
    about: Incident,
    regime: Regime = "nis2",
    entity: Annotated[str | None, typer.Option(help="What you are to that law.")] = None,
    aware: At = None,
    by: By = "",
    correct: Corrects = False,
    config: Config = None,
) -> None:
    """Say that a person has become aware of a significant incident: the clock counts from then."""
    _act(load(config), about, regime, AWARE, aware, by, entity, corrects=correct)


@group.command()
def submit(
    about: Incident,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="Such as early-warning.")],
    regime: Regime = "nis2",
    at: At = None,
    by: By = "",
    correct: Corrects = False,
    config: Config = None,
) -> None:
    """Say that a person has submitted a stage. Sightline submits nothing."""
    settings = load(config)
    known = [one.name for one in _policy(settings, regime).stage]
    if stage not in known:
        raise WrongUseError(f"{regime} has no stage {printable(stage)!r}: {', '.join(known)}")
    _act(settings, about, regime, SUBMITTED + stage, at, by, None, corrects=correct)


@group.command()
def handled(
    about: Incident,
    regime: Regime = "nis2",
    at: At = None,
    by: By = "",
    correct: Corrects = False,
    config: Config = None,
) -> None:
    """Say that an incident is over."""
    _act(load(config), about, regime, HANDLED, at, by, None, corrects=correct)


@group.command()
def note(
    about: Incident,
    what: Annotated[str, typer.Argument(metavar="ANCHOR", help="Such as classified.")],
    regime: Regime = "nis2",
    at: At = None,
    by: By = "",
    correct: Corrects = False,
    config: Config = None,
) -> None:
    """Say that something else happened that a stage counts from."""
    settings = load(config)
    known = {term.anchor for stage in _policy(settings, regime).stage for term in stage.term}
    known = {anchor for anchor in known if not anchor.startswith(SUBMITTED)}
    if what not in known:
        raise WrongUseError(
            f"nothing of {regime} counts from {printable(what)!r}: {', '.join(sorted(known))}"
        )
    _act(settings, about, regime, what, at, by, None, corrects=correct)


@group.command()
def status(
    about: Annotated[str | None, typer.Argument(metavar="[ID]", help="By default all.")] = None,
    regime: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a stage.")] = False,
    config: Config = None,
) -> None:
    """What is due when, what was submitted, what is late. Status 1: something is late."""
    settings = load(config)
    known = policies(settings)
    late = False
    now = _now()
    for (one, under), acts in _by_incident(read_acts(acts_path(settings))).items():
        if about not in {None, one} or regime not in {None, under}:
            continue
        if under not in known:
            raise WrongUseError(f"there is no policy {under}, under which {printable(one)} is")
        for deadline in deadlines(known[under], acts):
            late = late or (deadline.submitted is None and deadline.late_by(now) > 0)
            if json:
                row = {"about": one, "regime": under, "late_by": deadline.late_by(now)}
                print(msgspec.json.encode(row | msgspec.structs.asdict(deadline)).decode("ascii"))
            else:
                print(printable(f"{one} {under} {_told(deadline, now)}"))
    raise typer.Exit(1 if late else 0)


def report(
    identity: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id.")],
    stage: Annotated[str, typer.Option(help="Such as early-warning.")],
    regime: Regime = "nis2",
    campaigns: Annotated[
        Path | None, typer.Option(help="Campaigns in a file; by default from the topic.")
    ] = None,
    config: Config = None,
) -> None:
    """Draft a report, filled from a campaign, for a person to complete and send."""
    settings = load(config)
    policy = _policy(settings, regime)
    asked = next((one for one in policy.stage if one.name == stage), None)
    if asked is None:
        known = ", ".join(one.name for one in policy.stage)
        raise WrongUseError(f"{regime} has no stage {printable(stage)!r}: {known}")
    campaign = _campaign(settings, identity, campaigns)
    acts = [
        act
        for act in read_acts(acts_path(settings))
        if (act.about, act.regime) == (identity, regime)
    ]
    due = next((one for one in deadlines(policy, acts) if one.stage == stage), None)
    print(draft(policy, asked, campaign, due), end="")
    AuditLog(audit_path(settings)).append(
        actor(), "report-drafted", identity, regime=regime, stage=stage
    )


def _act(
    settings: Settings,
    about: str,
    regime: str,
    what: str,
    at: str | None,
    by: str,
    entity: str | None,
    *,
    corrects: bool,
) -> None:
    if why := withheld(Outside.CLOCK, settings.exercise):
        raise WrongUseError(why)
    policy = _policy(settings, regime)
    if why := lane.withheld(lane.Act.CLOCK, settings.exercise):
        raise WrongUseError(why)
    if entity is not None and entity not in policy.entities:
        known = ", ".join(policy.entities) or "none"
        raise WrongUseError(f"{regime} knows no entity {printable(entity)!r}: {known}")
    told = _now()
    when = told if at is None else time_of(at)
    if when > told:
        raise WrongUseError(f"{printable(at or '')}: that has not happened yet")
    path = acts_path(settings)
    before = [act for act in read_acts(path) if (act.about, act.regime) == (about, regime)]
    if what != AWARE and not before:
        raise WrongUseError(f"{printable(about)}: no clock runs under {regime}: `clock start`")
    act = Act(about, regime, what, when, by or actor(), told, entity, corrects)
    write_act(path, act)
    audit = AuditLog(audit_path(settings))
    audit.append(act.by, "clock", about, regime=regime, what=what, at=moment(when))
    for deadline in deadlines(policy, [*before, act]):
        print(printable(f"{about} {regime} {_told(deadline, told)}"))


def _told(deadline: Deadline, now: int) -> str:
    row = f"{deadline.stage}: "
    late = deadline.late_by(now)
    if deadline.submitted is not None:
        row += f"submitted {moment(deadline.submitted)}"
        return row + (f", LATE by {_span(late)}" if late else "")
    if deadline.due is None:
        return row + (f"waits for {deadline.waits_for}" if deadline.waits_for else "on request")
    row += f"due {moment(deadline.due)} UTC"
    if deadline.instead_of:
        row += f" unless handled by then ({deadline.instead_of} is due then)"
    return row + (f", LATE by {_span(late)}" if late else f", in {_span(deadline.due - now)}")


def _span(ms: int) -> str:
    return str(timedelta(seconds=ms // 1000))


def _policy(settings: Settings, regime: str) -> Policy:
    known = policies(settings)
    if regime not in known:
        raise WrongUseError(f"there is no policy {printable(regime)!r}: {', '.join(sorted(known))}")
    return known[regime]


def _by_incident(acts: Iterable[Act]) -> dict[tuple[str, str], Sequence[Act]]:
    found: dict[tuple[str, str], list[Act]] = {}
    for act in acts:
        found.setdefault((act.about, act.regime), []).append(act)
    return dict(sorted(found.items()))


def time_of(text: str) -> int:
    """A time with its zone, ms; without one it would be anybody's guess: a `WrongUseError`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise WrongUseError(
            f"{printable(text)!r}: a time with its zone is wanted, as 2026-03-28T23:30+01:00"
        )
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _campaign(settings: Settings, identity: str, path: Path | None) -> Campaign:
    if path is not None:
        try:
            known = [decode_campaign(row) for row in read_text(path).encode().splitlines()]
        except msgspec.DecodeError as error:
            raise WrongUseError(f"{path}: no campaigns: {error}") from None
    else:
        known = asyncio.run(observe.campaigns(settings))
    for campaign in reversed(known):
        if campaign.id == identity:
            if why := crossing(campaign.exercise, settings.exercise):
                raise WrongUseError(f"campaign {printable(identity)}: {why}")
            return campaign
    raise WrongUseError(f"there is no campaign {printable(identity)!r}")


def _now() -> int:
    return time.time_ns() // 1_000_000
