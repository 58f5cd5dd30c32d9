"""What is gone through bit by bit while others come and go."""

from __future__ import annotations

import gc

from hypothesis import given
from hypothesis import strategies as st

from pipeline.memory import Memory, snapshot
from pipeline.registry import Party
from pipeline.rule import Level, Rule
from pipeline.shard import Shard
from pipeline.sight import Group, Sightings, encode

RULE = Rule("r", "r", Level.MEDIUM, "ip", 60_000, "country", 3)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True))
def test_it_is_of_then(values: list[str]) -> None:
    known = dict.fromkeys(values)
    seen = snapshot(known)
    known.clear()
    known["another"] = None
    assert list(seen) == values


def test_more_than_one_part() -> None:
    values = [str(number) for number in range(2_345)]
    assert list(snapshot(values)) == values


def test_what_changed_is_nothing_to_the_garbage_collector() -> None:
    memory = Memory("ip", 60_000, 3)
    memory.observe(0, Group("ip", ["a", "b"], [1, 2], [1, 2]))
    assert list(memory.dirty) == ["a", "b"]
    assert not gc.is_tracked(memory.dirty)


def test_what_comes_in_small_helpings_is_forgotten_as_fast_as_it_comes() -> None:
    """Ten hours of events, a thousand new indicators a minute, of which each lives for minutes."""
    shard = Shard([RULE], 0)
    party = Party("north", "CZ")
    most = 0
    for minute in range(600):
        for part in range(10):
            time = minute * 60_000 + part * 6_000
            values = [f"{minute}-{part}-{n}" for n in range(100)]
            group = Group("ip", values, [time] * 100, [time] * 100)
            record = encode(Sightings("s/0", party.organisation, party.country, time, 0, [group]))
            shard.take([(None, record)])
        shard.correlator.advance(minute * 60_000)
        most = max(most, sum(shard.correlator.live.values()))
    lives = 2 * RULE.timespan_ms // 60_000  # minutes, and a quarter of them until it is looked at
    assert most <= 1_000 * lives * 2
