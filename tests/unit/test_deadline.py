"""Notification clocks: golden cases, and the law of months against a calendar walked day by day."""

from __future__ import annotations

import calendar
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.share import deadline
from pipeline.share.deadline import Act, Deadline, Policy, after, deadlines, read_policy
from pipeline.shell.clocks.cli import time_of
from pipeline.shell.files import carried
from tests.unit.inside import sightline


def policy(name: str = "nis2") -> Policy:
    read = read_policy(tomllib.loads(carried("clocks", f"{name}.toml").read_text()))
    assert isinstance(read, Policy), read
    return read


def ms(text: str) -> int:
    return time_of(text if "+" in text or text.endswith("Z") else f"{text}Z")


def act(what: str, at: str, told: int = 0, **more: object) -> Act:
    return Act("x", "nis2", what, ms(at), "anna", told or ms(at), **more)  # type: ignore[arg-type]


def due(acts: list[Act], of: Policy | None = None) -> dict[str, str | None]:
    return {
        one.stage: None if one.due is None else at(one.due)
        for one in deadlines(of or policy(), acts)
    }


def at(time: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)).isoformat()[:16]


AWARE = act("aware", "2026-03-10T09:30")


def test_from_awareness_on() -> None:
    assert due([AWARE]) == {
        "early-warning": "2026-03-11T09:30",
        "notification": "2026-03-13T09:30",
        "intermediate": None,
        "progress": None,
        "final": None,
    }
    waits = {one.stage: one.waits_for for one in deadlines(policy(), [AWARE])}
    assert waits["final"] == "submitted:notification"
    assert waits["intermediate"] == ""


def test_without_awareness_nothing_runs() -> None:
    assert set(due([]).values()) == {None}


@pytest.mark.parametrize(
    ("aware", "warning", "notification"),
    [
        # Clocks on walls in Prague go forward on 29 March 2026 and back on 25 October: hours are hours.
        ("2026-03-28T23:30+01:00", "2026-03-29T22:30", "2026-03-31T22:30"),
        ("2026-10-24T23:30+02:00", "2026-10-25T21:30", "2026-10-27T21:30"),
        # Over the end of a year, and into a leap day.
        ("2027-12-31T23:59", "2028-01-01T23:59", "2028-01-03T23:59"),
        ("2028-02-28T12:00", "2028-02-29T12:00", "2028-03-02T12:00"),
        ("2027-02-28T12:00", "2027-03-01T12:00", "2027-03-03T12:00"),
    ],
)
def test_hours_are_hours(aware: str, warning: str, notification: str) -> None:
    found = due([act("aware", aware)])
    assert (found["early-warning"], found["notification"]) == (warning, notification)


@pytest.mark.parametrize(
    ("submitted", "final"),
    [
        ("2026-03-12T10:00", "2026-04-12T10:00"),
        ("2026-01-31T10:00", "2026-02-28T10:00"),
        ("2028-01-31T10:00", "2028-02-29T10:00"),
        ("2028-01-30T10:00", "2028-02-29T10:00"),
        ("2028-02-29T10:00", "2028-03-29T10:00"),
        ("2026-02-28T10:00", "2026-03-28T10:00"),
        ("2026-12-31T23:59", "2027-01-31T23:59"),
        ("2026-05-31T00:00", "2026-06-30T00:00"),
        # In Kiritimati it is the first of April already; the law's months are counted in UTC here.
        ("2026-04-01T01:00+14:00", "2026-04-30T11:00"),
    ],
)
def test_a_month_clamps(submitted: str, final: str) -> None:
    acts = [
        act("aware", "2025-01-01T00:00"),
        act("submitted:notification", submitted),
        act("handled", submitted),
    ]
    assert due(acts)["final"] == final


def test_late_submission_counts_from_when_it_was() -> None:
    acts = [
        AWARE,
        act("submitted:notification", "2026-03-20T09:30"),
        act("handled", "2026-03-21T00:00"),
    ]
    found = {one.stage: one for one in deadlines(policy(), acts)}
    assert found["notification"].late_by(ms("2026-04-01T00:00")) == 7 * 86_400_000
    assert at(found["final"].due or 0) == "2026-04-20T09:30"


def test_a_trust_service_provider_notifies_within_a_day() -> None:
    acts = [act("aware", "2026-03-10T09:30", entity="trust-service-provider")]
    assert due(acts)["notification"] == "2026-03-11T09:30"
    assert (
        due([act("aware", "2026-03-10T09:30", entity="essential")])["notification"]
        == "2026-03-13T09:30"
    )


def test_what_goes_on_has_a_progress_report_and_ends_a_month_after_handling() -> None:
    acts = [AWARE, act("submitted:notification", "2026-03-12T10:00")]
    found = {one.stage: one for one in deadlines(policy(), acts)}
    assert found["progress"] == Deadline("progress", ms("2026-04-12T10:00"), None, "", "final")
    assert found["final"] == Deadline("final", None, None, "handled")
    acts.append(act("handled", "2026-05-31T08:00"))
    assert due(acts)["progress"] == "2026-04-12T10:00"
    assert due(acts)["final"] == "2026-06-30T08:00"


def test_what_is_handled_in_time_has_no_progress_report() -> None:
    acts = [
        AWARE,
        act("submitted:notification", "2026-03-12T10:00"),
        act("handled", "2026-04-12T10:00"),
    ]
    found = due(acts)
    assert (found["progress"], found["final"]) == (None, "2026-04-12T10:00")


def test_a_correction_stands_and_a_second_word_does_not() -> None:
    again = act("aware", "2026-03-11T09:30", told=ms("2026-03-11T10:00"))
    assert due([AWARE, again])["early-warning"] == "2026-03-11T09:30"
    earlier = act("aware", "2026-03-09T09:30", told=ms("2026-03-11T10:00"))
    assert due([AWARE, earlier])["early-warning"] == "2026-03-10T09:30"
    corrected = act("aware", "2026-03-11T09:30", told=ms("2026-03-11T10:00"), corrects=True)
    assert due([AWARE, corrected])["early-warning"] == "2026-03-12T09:30"
    assert due([corrected, AWARE])["early-warning"] == "2026-03-12T09:30"


def test_the_earliest_of_several_terms_counts() -> None:
    dora = policy("dora")
    aware = act("aware", "2026-03-10T09:30")
    assert due([aware], dora)["initial"] == "2026-03-11T09:30"
    assert (
        due([aware, act("classified", "2026-03-10T12:00")], dora)["initial"] == "2026-03-10T16:00"
    )
    assert (
        due([aware, act("classified", "2026-03-11T08:00")], dora)["initial"] == "2026-03-11T09:30"
    )


@pytest.mark.parametrize(
    "path", sorted(carried("clocks").glob("*.toml")), ids=lambda path: path.stem
)
def test_a_carried_policy_says_how_far_it_was_checked(path: Path) -> None:
    assert policy(path.stem).regime == path.stem
    assert policy(path.stem).checked


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("PT24H", "PT"), "is no ISO 8601 duration"),
        (("PT24H", "24h"), "Expected `str` matching regex"),
        (('"submitted:notification"', '"submitted:final"'), "no stage final comes before it"),
        (('name = "progress"', 'name = "other"'), "there is no stage progress"),
        (('name = "intermediate"', 'name = "notification"'), "a stage comes twice"),
        (('entity = "trust', 'entity = "mis-trust'), "is none of `entities`"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(change: tuple[str, str], said: str) -> None:
    text = carried("clocks", "nis2.toml").read_text()
    assert change[0] in text
    read = read_policy(tomllib.loads(text.replace(*change)))
    assert isinstance(read, str)
    assert said in read


@given(
    st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1971 < at.year < 2199),
    st.integers(0, 50),
)
def test_months_are_those_of_a_calendar(start: datetime, months: int) -> None:
    """The naive way: count months on, and take the last day where there is none of that number."""
    start = start.replace(microsecond=start.microsecond // 1000 * 1000)
    year, month = start.year, start.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    last = calendar.monthrange(year, month)[1]
    wanted = start.replace(year=year, month=month, day=min(start.day, last))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    given_ms = (start - epoch) // timedelta(milliseconds=1)
    assert after(given_ms, f"P{months}M") == (wanted - epoch) // timedelta(milliseconds=1)


@pytest.mark.parametrize("text", ["", "P", "PT", "1D", "P1H", "P-1D", "P1.5D", "p1d", "P1DT"])
def test_what_is_no_duration_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no ISO 8601 duration"):
        after(0, text)


def test_clocks_over_restarts(tmp_path: Path) -> None:
    """Each command is a process of its own: what they say comes from the file of acts alone."""
    (tmp_path / "sightline.toml").write_text(
        f'clocks = "{tmp_path}/clocks.jsonl"\naudit_log = "{tmp_path}/audit.jsonl"\n'
    )

    def run(*arguments: str) -> tuple[int, str]:
        done = sightline(*arguments, "--config", "sightline.toml", cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    assert run("clock", "submit", "c1", "early-warning")[0] == 2
    status, told = run("clock", "start", "c1", "--aware", "2026-03-10T09:30Z", "--by", "anna")
    assert status == 0
    assert "c1 nis2 early-warning: due 2026-03-11" in told
    with (tmp_path / "clocks.jsonl").open("ab") as file:
        file.write(b'{"about":"c1","reg')  # a writer that died
    assert run("clock", "submit", "c1", "notification", "--at", "2026-03-12T10:00Z")[0] == 0
    status, told = run("clock", "status", "c1")
    assert status == 1  # the early warning was never submitted
    assert "c1 nis2 early-warning: due 2026-03-11T09:30:00.000Z UTC, LATE by" in told.replace(
        " 09:30:00.000", "T09:30:00.000Z"
    )
    assert "c1 nis2 notification: submitted 2026-03-12" in told
    status, told = run("clock", "start", "c2", "--aware", "2026-03-10T09:30")
    assert status == 2
    assert "a time with its zone is wanted" in told
    assert run("clock", "start", "c2", "--aware", "2999-01-01T00:00Z")[0] == 2
    assert 'about":"c1"' in (tmp_path / "audit.jsonl").read_text()
    assert (
        deadline.decode_act((tmp_path / "clocks.jsonl").read_bytes().splitlines()[0]).by == "anna"
    )
