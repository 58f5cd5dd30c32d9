"""By when what is to be told to whom: notification clocks, as data says them. No I/O here.

A policy names stages; a stage is due some time after an anchor, an act that a person did: that one
became aware, that an earlier stage was submitted, that the incident was handled. Nothing here is
started by an alert, and nothing is ever submitted.

Times are UTC: 24 hours are 24 hours, whatever clocks on walls do meanwhile. A month ends on the day
of the same number, or on the month's last where there is none (31 January, one month: 28 or 29
February). Where the law leaves a longer reading, as with holidays, this is the shortest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from dateutil.relativedelta import relativedelta
from msgspec import Meta, Struct

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION: Final = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,4})D)?"
    r"(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?",
    re.ASCII,
)
SUBMITTED: Final = "submitted:"
AWARE: Final = "aware"
HANDLED: Final = "handled"

Word = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Duration = Annotated[str, Meta(pattern=r"^P[0-9YMWDTHS]+$", max_length=32)]
Anchor = Annotated[str, Meta(pattern=r"^(submitted:)?[a-z][a-z0-9-]{0,63}$")]


class Term(Struct, frozen=True, forbid_unknown_fields=True):
    """`within` so long, ISO 8601, after the first act of this name. `entity`: for such only."""

    anchor: Anchor
    within: Duration
    entity: Word | None = None


class Stage(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to submit. Of several terms the earliest counts, those of one's own entity alone
    where there are any; without a term it is submitted on request.

    `ongoing`: if the incident is not handled when this is due, the stage of that name is due
    instead, and this one so long after handling as its `after_handling` says.
    """

    name: Word
    recipients: tuple[str, ...]
    fields: tuple[Word, ...]
    term: tuple[Term, ...] = ()
    ongoing: Word | None = None
    after_handling: Duration | None = None


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """A regime. `source` is the law; `checked` says how far this text was held against it."""

    regime: Word
    title: str
    source: str
    checked: str
    stage: tuple[Stage, ...]
    entities: tuple[Word, ...] = ()


class Act(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person did: `what` is `aware`, `handled`, `submitted:<stage>` or another anchor.

    `at` is when it was done and `told` when it was written down, ms; a later act of the same name
    that is told with `corrects` stands over those before it.
    """

    about: str
    regime: Word
    what: Anchor
    at: int
    by: str
    told: int
    entity: Word | None = None
    corrects: bool = False


class Deadline(Struct, frozen=True):
    """When a stage is due, ms, or None while what it counts from has not happened, or on request.

    `submitted` is when it was; `waits_for` names the anchor that is missing.
    """

    stage: str
    due: int | None
    submitted: int | None
    waits_for: str = ""
    instead_of: str = ""

    def late_by(self, now: int) -> int:
        """Ms after it was due that it was submitted, or that have passed; 0 if it is not late."""
        if self.due is None:
            return 0
        return max((now if self.submitted is None else self.submitted) - self.due, 0)


def after(start: int, duration: str) -> int:
    """`start`, ms, and an ISO 8601 duration; calendar months and years clamp."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is no ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (
        int(part or 0) for part in match.groups()
    )
    at: datetime = _EPOCH + timedelta(milliseconds=start)
    at += relativedelta(years=years, months=months)  # type: ignore[no-untyped-call]
    at += timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return (at - _EPOCH) // timedelta(milliseconds=1)


def deadlines(policy: Policy, acts: Sequence[Act]) -> tuple[Deadline, ...]:
    """All stages of a policy for one incident, in the order of the policy."""
    entity = next((act.entity for act in reversed(acts) if act.entity), None)
    times = _times(acts)
    handled = times.get(HANDLED)
    found: dict[str, Deadline] = {}
    for stage in policy.stage:
        due, waits = _due(stage, entity, times)
        submitted = times.get(SUBMITTED + stage.name)
        if stage.ongoing is not None and due is not None and (handled is None or handled > due):
            # It still goes on when this would be due: then the other is, and this after handling.
            found[stage.ongoing] = Deadline(
                stage.ongoing, due, times.get(SUBMITTED + stage.ongoing), "", stage.name
            )
            due = after(handled, stage.after_handling or "P1M") if handled is not None else None
            waits = "" if handled is not None else HANDLED
        found.setdefault(stage.name, Deadline(stage.name, due, submitted, waits))
    return tuple(found[stage.name] for stage in policy.stage)


def _due(stage: Stage, entity: str | None, times: dict[str, int]) -> tuple[int | None, str]:
    own = [term for term in stage.term if term.entity is not None and term.entity == entity]
    terms = own or [term for term in stage.term if term.entity is None]
    dues = [after(times[term.anchor], term.within) for term in terms if term.anchor in times]
    if dues:
        return min(dues), ""
    return None, terms[0].anchor if terms else ""


def _times(acts: Sequence[Act]) -> dict[str, int]:
    """When each thing was done: the first time, unless somebody corrected that."""
    times: dict[str, int] = {}
    for act in sorted(acts, key=lambda act: act.told):
        known = times.get(act.what)
        times[act.what] = act.at if known is None or act.corrects else min(known, act.at)
    return times


def read_policy(document: object) -> Policy | str:
    """A policy from a decoded TOML file, or what is wrong with it."""
    try:
        policy = msgspec.convert(document, Policy)
    except msgspec.ValidationError as error:
        return str(error)
    return _problem(policy) or policy


def _problem(policy: Policy) -> str:
    names = [stage.name for stage in policy.stage]
    if len(set(names)) != len(names):
        return "a stage comes twice"
    before: set[str] = set()
    for stage in policy.stage:
        for term in stage.term:
            if _DURATION.fullmatch(term.within) is None:
                return f"stage {stage.name}: {term.within!r} is no ISO 8601 duration"
            of = term.anchor.removeprefix(SUBMITTED)
            if term.anchor.startswith(SUBMITTED) and of not in before:
                return f"stage {stage.name}: no stage {of} comes before it"
            if term.entity is not None and term.entity not in policy.entities:
                return f"stage {stage.name}: {term.entity} is none of `entities`"
        if stage.ongoing is not None and stage.ongoing not in names:
            return f"stage {stage.name}: there is no stage {stage.ongoing}"
        if stage.after_handling and _DURATION.fullmatch(stage.after_handling) is None:
            return f"stage {stage.name}: {stage.after_handling!r} is no ISO 8601 duration"
        before.add(stage.name)
    return ""


encode_act = msgspec.json.Encoder().encode
decode_act = msgspec.json.Decoder(Act).decode
