"""Rules that count origins, events and base rules: what the property tests do not reach."""

from __future__ import annotations

from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import label_track
from pipeline.aspects import FULL, HASH_BYTES, joined, parted
from pipeline.correlate import Correlator
from pipeline.count_track import CountedWindow, CountTrack
from pipeline.episode import Episode
from pipeline.label_track import in_order
from pipeline.rule import Aspect, Field, Level, Rule, Selection
from pipeline.sight import Group, Sightings
from pipeline.surprise import Background

MINUTE = 60_000
BASE = Selection("base", "digest", (), lambda _: True)


def rule(field: Field, gte: int, **more: int) -> Rule:
    return Rule("r", "r", Level.LOW, "ip", MINUTE, field, gte, **more)  # type: ignore[arg-type]


def told(
    rule: Rule, *values: str, country: str = "CZ", label: str = "", events: int = 0
) -> Sightings:
    """One party's sightings in the first slice, of as many events."""
    (aspect,) = rule.aspects
    many = len(values)
    hashes = [bytes([n]) * HASH_BYTES for n in range(events)]
    group = Group(
        aspect.kind, list(values), [1] * many, [1] * many, [],
        [label] * many if label else [], [joined(hashes, aspect.room)] * many if events else [],
    )  # fmt: skip
    return Sightings("s", f"o-{country}", country, 1, 1, [group])


@pytest.mark.parametrize(
    ("columns", "held"),
    [
        # slice 0 is the right-most bit; a window covers 60 slices
        ([1 << 0, 1 << 1], range(1, 60)),
        ([1 << 1, 1 << 0], ()),
        ([1 << 5, 1 << 5], range(5, 65)),
        ([1 << 0 | 1 << 50, 1 << 40], range(40, 60)),
        ([1 << 0, 1 << 59], (59,)),
        ([1 << 0, 1 << 60], ()),
        ([1 << 0, 1 << 2, 1 << 1], ()),
        ([1 << 0, 1 << 2, 1 << 1 | 1 << 4], range(4, 60)),
        ([1 << 0 | 1 << 70, 1 << 1 | 1 << 71], (*range(1, 60), *range(71, 130))),
        ([1, 0], ()),
    ],
)
def test_labels_in_order(columns: list[int], held: tuple[int, ...] | range) -> None:
    assert in_order(columns) == sum(1 << at for at in held)


def test_a_set_of_events_is_full_at_what_is_asked_for() -> None:
    a, b, c = (bytes([n]) * HASH_BYTES for n in range(3))
    assert joined([b, a, b], 3) == a + b
    assert parted(a + b) == [a, b]
    assert joined([a, b, c], 3) == FULL
    window = CountedWindow(3)
    assert window.add(7, a)
    assert not window.add(7, a)
    assert window.add(7, joined([b, c], 3))
    assert window.events == {7: FULL}
    assert not window.add(7, a)


def test_rules_ask_aspects_of_their_own_and_plain_ones_stay_plain() -> None:
    plain, selected = Aspect("ip"), Aspect("ip", BASE)
    assert plain.kind == "ip"
    assert selected.kind.startswith("ip/")
    kinds = {
        plain.kind, selected.kind, Aspect("ip", None, "event", 3).kind,
        Aspect("ip", None, "event", 4).kind, Aspect("ip", BASE, "origin_country").kind,
        Aspect("domain", BASE).kind,
    }  # fmt: skip
    assert len(kinds) == 6
    assert rule("country", 3).kind == "ip"


def test_labels_beyond_the_room_are_counted_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(label_track, "MOST_NUMBERS", 2)
    asked = rule("origin_country", 2)
    correlator = Correlator([asked], 0)
    for label in ("KR", "US", "CN", "US"):
        correlator.observe(told(asked, "a", label=label))
    assert correlator.unplaced() == {"ip": 1}
    assert correlator.unplaced() == {}
    assert [episode.value for episode in correlator.settle()] == ["a"]


@given(st.integers(0, 1 << 32))
def test_numbers_of_what_was_forgotten_are_free_for_other_labels(seed: int) -> None:
    """More origins come in a day than there are numbers, but never so many at one time."""
    random = Random(seed)
    asked = rule("origin_country", 2)
    found: list[list[Episode]] = []
    sent: list[tuple[int, Sightings]] = []
    for minute in range(60):
        for _ in range(random.randrange(4)):
            value, label = random.choice("abcdef"), f"{minute // 10}-{random.randrange(4)}"
            times = [minute * MINUTE + random.randrange(MINUTE)]
            group = Group(asked.aspects[0].kind, [value], times, times, [], [label])
            who = random.choice(["CZ", "KE"])
            sent.append((minute, Sightings("s", f"o-{who}", who, times[0], 1, [group])))
    for most in (1 << 18, 32):
        with patch.object(label_track, "MOST_NUMBERS", most):
            correlator = Correlator([asked], 0, Background(2, 2))
            told: list[Episode] = []
            for minute in range(60):
                for when, sightings in sent:
                    if when == minute:
                        correlator.observe(sightings)
                told += [*correlator.settle(), *correlator.advance(minute * MINUTE)]
                correlator.sweep()
                correlator.sweep(1)
            found.append([*told, *correlator.finish()])
            assert correlator.unplaced() == {}
    assert found[0] == found[1]


@pytest.mark.parametrize("field", ["origin_country", "event"])
def test_a_flood_of_one_party_can_be_shed_and_what_is_open_is_not(field: Field) -> None:
    asked = rule(field, 2)
    correlator = Correlator([asked], 0)
    values = [str(n) for n in range(100)]
    if field == "event":
        correlator.observe(told(asked, *values, events=1))
        correlator.observe(told(asked, "kept", events=2))
    else:
        correlator.observe(told(asked, *values, label="KR"))
        correlator.observe(told(asked, "kept", label="KR"))
        correlator.observe(told(asked, "kept", label="US"))
    assert [episode.value for episode in correlator.settle()] == ["kept"]
    assert correlator.shed(50)["ip"] > 50
    (track,) = correlator.tracks
    assert "kept" in track.states
    assert len(track.states) <= 50


def test_sightings_of_another_kind_are_left_alone() -> None:
    asked = rule("event", 2)
    correlator = Correlator([asked], 0)
    assert isinstance(correlator.tracks[0], CountTrack)
    other = told(rule("event", 3), "a", events=2)
    assert correlator.observe(other) == 0
    assert correlator.settle() == []
    assert correlator.live == {"ip": 0}
