"""Two lanes that never meet: what an event says must fit where it came in."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alert import alert
from pipeline.decode import Reason
from pipeline.episode import Change, Episode
from pipeline.event import Event
from pipeline.geo import Geo
from pipeline.intake import Intake
from pipeline.lane import (
    BANNER,
    Act,
    claims,
    crossing,
    exercise_of,
    exercise_of_topic,
    labelled,
    mismatch,
    prefix_of,
    tag_of,
    withheld,
)
from pipeline.registry import Party
from pipeline.rule import Level, Rule
from pipeline.shell.settings import WrongUseError, load

IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True)
OURS = st.sampled_from(["exercise", "EXERCISE", ' exercise:generic="comcheck"', "Exercise:x"])
OTHERS = st.text(max_size=20).filter(lambda text: not text.strip().lower().startswith("exercise"))
NOW = 1_700_000_000_000
SENSORS = {"s-1": Party("north", "CZ")}


def event(*labels: str, **more: Any) -> bytes:
    metadata: dict[str, Any] = {"uid": "u"} | ({"labels": list(labels)} if labels else {})
    return json.dumps(
        {"time": NOW, "metadata": metadata, "device": {"uid": "s-1"},
         "src_endpoint": {"ip": "218.237.65.47"}} | more
    ).encode()  # fmt: skip


def reasons(raw: bytes, exercise: str) -> list[Reason]:
    """Why intake on a lane does not take an event; nothing if it does."""
    intake = Intake("t/0", SENSORS, SENSORS, {"ip": 3_600_000}, 0, exercise=exercise)
    rejected = [why.reason for _, why in intake.read(raw, NOW)]
    tally = intake.tally
    assert tally.received == 1 == tally.correlated + tally.rejected.total()
    return rejected


@given(st.lists(OTHERS, max_size=3), OURS, IDS)
def test_an_event_is_taken_on_its_own_lane_and_on_no_other(
    others: list[str], ours: str, exercise: str
) -> None:
    real, drill = event(*others), event(*others, ours)
    assert reasons(real, "") == reasons(drill, exercise) == []
    assert reasons(drill, "") == reasons(real, exercise) == [Reason.EXERCISE_MISMATCH]


@given(IDS, IDS)
def test_an_event_of_another_exercise_is_rejected(one: str, other: str) -> None:
    raw = labelled(event(), one)
    assert reasons(raw, other) == ([] if one == other else [Reason.EXERCISE_MISMATCH])


@given(st.lists(OTHERS | OURS, max_size=4), IDS)
def test_what_was_labelled_is_of_the_exercise_and_says_all_else_it_said(
    said: list[str], exercise: str
) -> None:
    raw = labelled(event(*said, more={"kept": [1, 2]}), exercise)
    decoded = json.loads(raw)
    assert mismatch(decoded["metadata"]["labels"], exercise) is None
    assert set(said) <= set(decoded["metadata"]["labels"])
    assert decoded["more"] == {"kept": [1, 2]}
    assert labelled(raw, exercise) == raw
    assert msgspec.json.decode(raw, type=Event).time == NOW


@given(st.binary(max_size=60))
def test_what_is_no_event_is_not_made_one(raw: bytes) -> None:
    if b"metadata" not in raw:
        assert labelled(raw, "spring") == raw


@given(IDS)
def test_a_prefix_is_of_one_exercise(exercise: str) -> None:
    assert exercise_of(prefix_of(exercise)) == exercise
    assert exercise_of_topic(f"{prefix_of(exercise)}events.cz.a") == exercise
    assert claims([tag_of(exercise)])


@pytest.mark.parametrize(
    "prefix", ["", "t.", "exercise.", "exercise..", "exercise.A.", "x.exercise.a.", "exercise.a.b."]
)
def test_no_other_prefix_is_an_exercises(prefix: str) -> None:
    assert exercise_of(prefix) is None


@given(st.sampled_from(["", "a", "b"]), st.sampled_from(["", "a", "b"]))
def test_an_egress_is_closed_where_flag_and_lane_differ(flag: str, lane: str) -> None:
    assert (crossing(flag or msgspec.UNSET, lane) is None) == (flag == lane)


def test_nothing_has_an_effect_outside_an_exercise() -> None:
    assert not [act for act in Act if withheld(act, "")]
    assert all(withheld(act, "spring") for act in Act)


def test_settings_whose_flag_and_prefix_differ_start_nothing() -> None:
    assert load(None, {}, lane="exercise", topic_prefix="exercise.spring.").exercise == "spring"
    assert load(None, {}, topic_prefix="t.").exercise == ""
    for lane, prefix in (("exercise", ""), ("exercise", "t."), ("live", "exercise.spring.")):
        with pytest.raises(WrongUseError):
            load(None, {}, lane=lane, topic_prefix=prefix)


def test_an_alert_of_an_exercise_says_so() -> None:
    rule = Rule("r", "Title", Level.LOW, "ip", 3_600_000, "country", 2)
    of = Episode("id", rule, "218.237.65.47", Change.OPENED, NOW, NOW, ("CZ",), ("north",))
    drill, real = alert(of, Geo(), exercise="spring"), alert(of, Geo())
    assert drill.message.startswith(BANNER)
    assert drill.unmapped.exercise == "spring"
    assert BANNER not in real.message
    assert b"exercise" not in msgspec.json.encode(real)
