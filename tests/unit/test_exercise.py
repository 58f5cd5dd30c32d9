"""Scenarios, what they bring, the seal, and a score for each team."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.campaign.campaign import Member, Status
from pipeline.campaign.label import About, Label, Verdict
from pipeline.event import Event
from pipeline.exercise.cexf import Payload, Scenario, read_scenario
from pipeline.exercise.payload import Brought, Fault, bring, options_of, told, world_of
from pipeline.exercise.seal import SALT_BYTES, is_sealed, seal
from pipeline.exercise.team import result
from pipeline.lane import mismatch
from pipeline.registry import Party
from pipeline.world.truth import Marked, Truth
from tests.unit.telling import campaign

SENSORS = {"cz-1": Party("north", "CZ"), "ke-1": Party("bank", "KE"), "ke-2": Party("uni", "KE")}
NOW = 1_700_000_000_000
# What MISP's own sample has: one thing or a list of it, a list where an object is meant.
DOCUMENT: dict[str, Any] = {
    "exercise": {
        "uuid": "e-1", "name": "Spring", "description": "A drill", "total_duration": "7200",
        "tags": ['exercise:generic="comcheck"'], "version": "1", "meta": {"author": "us"},
    },
    "inject_flow": [
        {"inject_uuid": "i-1", "description": "A letter", "requirements": [],
         "reporting_callback": [], "timing": {"triggered_at": None},
         "sequence": {"trigger": ["startex"], "followed_by": ["i-2"]}},
        {"inject_uuid": "i-2", "requirements": {"inject_uuid": "i-1"},
         "timing": {"triggered_at": "90"}, "sequence": {"trigger": "inject-resolution"}},
    ],
    "inject_payloads": [
        {"uuid": "p-1", "name": "letter", "type": "file", "parameters": {
            "filename": "letter.eml", "content-type": "base64",
            "content": base64.b64encode(b"Dear CSIRT").decode()}},
        {"uuid": "p-2", "name": "scan", "type": "tcp_connection", "parameters": {
            "destination": "KE", "port": "25", "source": "118.217.182.36"}},
    ],
    "injects": [
        {"uuid": "i-1", "name": "a letter", "action": "email_to_participants",
         "action_payload_resource_uuid": "p-1", "target_tool": "MISP", "inject_evaluation": []},
        {"uuid": "i-2", "name": "a scan", "action": "network_connection",
         "action_payload_resource_uuid": "p-2", "target_tool": "Sightline",
         "inject_evaluation": [
             {"result": "alert", "score_range": [0, 50], "parameters": [
                 {"alert.value": {"comparison": "is", "values": ["118.217.182.36"]}}]},
             {"result": "both", "score_range": [10, 30], "parameters": {"OR": [
                 {"campaign.indicator": {"comparison": "equals",
                                         "values": ["218.237.65.47", "1.2.3.4"]}},
                 {"campaign.country": {"comparison": "contains", "values": ["nowhere"]}}]}},
             {"result": "Publishing", "score_range": [0, 10], "parameters": [
                 {"Event.published": {"comparison": "is", "values": [1]}}]},
         ]},
    ],
}  # fmt: skip


def scenario(**changed: Any) -> Scenario:
    read, problems = read_scenario(json.dumps(DOCUMENT | changed).encode(), "s")
    assert not problems
    assert read is not None
    return read


def test_a_scenario_is_read_as_misp_writes_it() -> None:
    read = scenario()
    assert (read.name, read.duration_s) == ("Spring", 7_200)
    assert [(step.inject, step.at_s, step.after) for step in read.flow] == [
        ("i-1", None, ()),
        ("i-2", 90, ("i-1",)),
    ]
    first, second, third = read.injects["i-2"].evaluations
    assert (first.least, first.most, first.any_of) == (0, 50, False)
    assert second.any_of
    assert [check.path for check in third.checks] == ["Event.published"]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"inject_flow": []}, "nothing happens"),
        ({"inject_flow": [{"inject_uuid": "i-9"}]}, "no inject 'i-9'"),
        ({"inject_payloads": []}, "no payload 'p-1'"),
        ({"inject_flow": [DOCUMENT["inject_flow"][1], DOCUMENT["inject_flow"][0]]}, "requires"),
        ({"injects": [*DOCUMENT["injects"], DOCUMENT["injects"][0]]}, "twice"),
        ({"exercise": {"name": "x"}}, "uuid"),
        ({"inject_flow": [{"inject_uuid": "i-1", "timing": {"triggered_at": "soon"}}]}, "seconds"),
    ],
)
def test_what_is_wrong_with_a_scenario_is_said(changed: dict[str, Any], word: str) -> None:
    read, problems = read_scenario(json.dumps(DOCUMENT | changed).encode(), "s")
    assert read is None
    assert any(word in str(problem) for problem in problems)


@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["exercise", "inject_flow", "injects", "inject_payloads", "uuid"]), inner),
    max_leaves=10).map(lambda made: json.dumps(made).encode()))  # fmt: skip
def test_reading_a_scenario_never_raises(raw: bytes) -> None:
    read, problems = read_scenario(raw, "s")
    assert (read is None) == bool(problems)


def test_a_connection_is_seen_by_whom_it_is_aimed_at() -> None:
    payload = scenario().payloads["p-2"]
    brought = bring(payload, SENSORS, NOW, "spring")
    assert isinstance(brought, Brought)
    assert [sensor for sensor, _ in brought.events] == ["ke-1", "ke-2"]
    for sensor, raw in brought.events:
        event = msgspec.json.decode(raw, type=Event)
        assert (event.device.uid, event.time) == (sensor, NOW)
        assert event.src_endpoint is not None
        assert event.src_endpoint.ip == "118.217.182.36"
        assert mismatch(event.metadata.labels, "spring") is None


def test_a_letter_is_handed_out_and_events_are_sent() -> None:
    letter = bring(scenario().payloads["p-1"], SENSORS, NOW, "spring")
    assert letter == Brought(handed=("letter.eml", b"Dear CSIRT"))
    line = b'{"time":1,"metadata":{"uid":"u"},"device":{"uid":"cz-1"}}\n'
    for content, good in (
        (line, True),
        (b"no event\n", False),
        (line.replace(b"cz", b"xx"), False),
    ):
        parameters = {"filename": "e.jsonl", "content": base64.b64encode(content).decode()}
        got = bring(Payload("p", "file", "e", parameters), SENSORS, NOW, "spring")
        assert isinstance(got, Brought if good else Fault)
    unknown = bring(Payload("p", "teleport"), SENSORS, NOW, "spring")
    assert isinstance(unknown, Fault)


def test_a_world_is_moved_as_a_whole_and_labelled() -> None:
    parameters = {"seed": 3, "countries": 3, "organisations": 3, "days": 1, "events": 200,
                  "campaigns": 2, "liars": 0}  # fmt: skip
    options = options_of(Payload("p", "sightline_world", "w", parameters))
    assert not isinstance(options, Fault)
    made = world_of(options)
    moved = told(made, NOW, "spring")
    before = [msgspec.json.decode(line, type=Event) for line in made.lines]
    after = [msgspec.json.decode(raw, type=Event) for _, raw in moved.events]
    assert max(event.time for event in after) == NOW - 1
    assert len({b.time - a.time for a, b in zip(before, after, strict=True)}) == 1
    by = after[0].time - before[0].time
    assert [one.metadata.uid for one in before] == [one.metadata.uid for one in after]
    assert [one.first_event + by for one in made.truths] == [o.first_event for o in moved.truths]
    assert not [e for e in after if mismatch(e.metadata.labels, "spring")]
    assert isinstance(options_of(Payload("p", "sightline_world", "w", {"seed": "x"})), Fault)


@settings(max_examples=50)
@given(
    st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES),
    st.binary(min_size=1, max_size=80),
    st.data(),
)
def test_a_truth_that_was_changed_in_one_byte_is_not_the_sealed_one(
    salt: bytes, truth: bytes, data: st.DataObject
) -> None:
    by = seal(salt, truth)
    assert is_sealed(salt, truth, by)
    at = data.draw(st.integers(0, len(truth) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    changed = truth[:at] + bytes([truth[at] ^ bit]) + truth[at + 1 :]
    assert not is_sealed(salt, changed, by)
    assert not is_sealed(bytes([salt[0] ^ bit]) + salt[1:], truth, by)
    assert not is_sealed(salt, truth + b"x", by)


def truth(name: str, value: str, *countries: str) -> Truth:
    return Truth(name, "worm", (Marked("ip", value),), countries, NOW, NOW + 60_000, ("u",))


def test_a_team_is_judged_by_what_concerns_it() -> None:
    truths = [
        truth("c1", "218.237.65.47", "AT", "CZ", "KE"),
        truth("c2", "9.9.9.9", "AT", "KE", "BR"),
    ]
    found = campaign("at", "cz", "ke", id="one", first_told=NOW + 120_000)
    wrong = campaign("cz", "sk", "at", id="two", indicators=(Member("ip", "8.8.8.8"),))
    merged = msgspec.structs.replace(wrong, id="three", status=Status.MERGED, merged_into="one")
    label = Label("one", About.CAMPAIGN, Verdict.CONFIRMED, "cz/ann", NOW)
    of = result(
        "spring",
        scenario(),
        truths,
        [found, wrong, merged],
        [],
        [label, msgspec.structs.replace(label, id="two", by="CZ/bob")],
        ["KE", "CZ", "BR"],
    )
    teams = {team.team: team for team in of.teams}
    assert list(teams) == ["BR", "CZ", "KE"]
    assert (teams["CZ"].struck, teams["CZ"].found, teams["CZ"].told) == (1, 1, 2)
    assert (teams["CZ"].recall, teams["CZ"].precision) == (1.0, 0.5)
    assert teams["CZ"].delay.median_ms == 60_000
    assert (teams["KE"].struck, teams["KE"].recall, teams["KE"].precision) == (2, 0.5, 1.0)
    assert teams["KE"].missed == ("c2",)
    assert (teams["BR"].struck, teams["BR"].found, teams["BR"].precision) == (1, 0, None)
    # Two were confirmed, and one of them is none.
    assert teams["CZ"].said is not None
    assert (teams["CZ"].said.labelled, teams["CZ"].said.right) == (2, 1)
    assert teams["KE"].said is None
    # What MISP would have to judge is left out; of two values one was told, and one of two checks
    # will do.
    assert [(point.result, point.got) for point in of.points] == [("alert", 0.0), ("both", 20.0)]
