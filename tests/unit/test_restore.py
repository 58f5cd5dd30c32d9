"""Restores that once went wrong."""

from __future__ import annotations

from pipeline.rule import Level, Rule
from pipeline.shard import Shard
from pipeline.sight import PROGRESS_KEY, Group, Progress, Sightings, SourceState, encode

RULE = Rule("r", "r", Level.MEDIUM, "ip", 60, "country", 3)
Record = tuple[bytes | None, bytes | None]


def seen(value: str, time: int, country: str = "CZ") -> Record:
    group = Group("ip", [value], [time], [time])
    return None, encode(Sightings("s/0", "north", country, time, 0, [group]))


def progress() -> Record:
    return PROGRESS_KEY, encode(Progress([SourceState("s/0", -1, False)], ["s/0"]))


def test_an_indicator_that_came_twice_as_a_single_and_is_gone() -> None:
    """Two lives in the log, a single each, then evicted: nothing of it is left to look at."""
    records: list[tuple[bytes, bytes | None]] = []
    shard = Shard([RULE], 0)
    shard.take([progress(), seen("a", 10)])
    records += shard.checkpoint()
    shard.take([seen("b", 1_000)])
    shard.take([seen("a", 1_001)])
    records += shard.checkpoint()
    shard.take([seen("a", 1_010, "SK")])
    shard.take([seen("b", 5_000)])
    records += shard.checkpoint()

    again = Shard([RULE], 0)
    again.restore(records)
    again.take([seen("b", 5_001)])
    assert set(again.correlator.tracks[0].states) == {"b"}
