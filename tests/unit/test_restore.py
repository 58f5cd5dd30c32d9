"""Restores that once went wrong."""

from __future__ import annotations

import pytest

from pipeline import shard as shard_module
from pipeline.episode import Change
from pipeline.rule import Level, Rule
from pipeline.shard import SEAL_KEY, Shard
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


def test_an_indicator_that_came_back_from_the_past_and_is_a_window_now() -> None:
    """Its old lives, evicted, make a window at a restore, long before what is remembered."""
    records: list[tuple[bytes, bytes | None]] = []
    shard = Shard([RULE], 0)
    shard.take([progress(), seen("a", 0), seen("a", 1, "SK")])
    records += shard.checkpoint()
    shard.take([seen("b", 1_000)])
    shard.take([seen("a", 1_001, "AT")])
    records += shard.checkpoint()
    shard.take([seen("b", 5_000)])
    for organisation in ("x", "y", "z"):
        group = Group("ip", ["a"], [5_001], [5_001])
        shard.take([(None, encode(Sightings("s/0", organisation, "CZ", 5_001, 0, [group])))])
    records += shard.checkpoint()

    again = Shard([RULE], 0)
    again.restore(records)
    assert again.take([progress()]).episodes == []  # once: negative shift count
    assert again.take([seen("a", 5_010, "SK")]).episodes == []
    (opened,) = again.take([seen("a", 5_020, "AT")]).episodes
    assert (opened.first_seen, opened.countries) == (5_001, ("AT", "CZ", "SK"))


def test_nothing_is_deleted_before_the_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evicted indicator is gone only once that is sealed. Were the segments that it stands in
    deleted sooner, a crash in between would leave nothing of it, and its alert a second id."""
    monkeypatch.setattr(shard_module, "ROUND_STEP", 1)
    shard = Shard([RULE], 0)
    shard.take([progress()])
    deleted = 0
    for n in range(50):
        shard.take([seen(f"i{n % 3}", 1_000 * n), seen(f"i{n % 3}", 1_000 * n, "SK")])
        keys = [(key, segment is None) for key, segment in shard.checkpoint()]
        seal = next(at for at, (key, _) in enumerate(keys) if key == SEAL_KEY)
        assert not any(gone for _, gone in keys[:seal])
        deleted += sum(gone for _, gone in keys)
    assert deleted > 10


def test_a_life_that_was_evicted_is_not_told_again_under_another_id() -> None:
    """Opened at 58, it grew back to 30, was closed, evicted, and met again; then a crash came
    before the first seal. What the new life's record says must stand for the old one's too.
    """
    rule = Rule("r", "r", Level.MEDIUM, "ip", 60, "country", 1)
    shard = Shard([rule], 28)
    records: list[tuple[bytes, bytes | None]] = []
    ids: dict[str, Change] = {}
    for batch in (
        [progress(), seen("a", 58)],
        [seen("a", 30)],
        [seen("a", 300)],
        [seen("b", 600)],
        [seen("a", 600)],
    ):
        taken = shard.take(batch)
        records += taken.write_ahead
        ids |= {episode.id: episode.change for episode in taken.episodes}

    again = Shard([rule], 28)
    again.restore(records)
    told = again.take([progress()]).episodes
    assert {episode.id for episode in told} <= {
        id_ for id_, change in ids.items() if change is Change.OPENED
    }


def test_a_write_ahead_that_overtakes_the_segments_made_before_it() -> None:
    """Segments are made several at a time and sent one by one; a write-ahead may go in between.
    What was made before it is older, wherever it stands in the log.
    """
    shard = Shard([RULE], 1_000)
    shard.take([progress(), seen("a", 10), seen("a", 11, "SK"), seen("a", 500, "AT")])
    made = list(shard.checkpoint())
    taken = shard.take([seen("a", 60, "DE")])
    (opened,) = taken.episodes

    again = Shard([RULE], 1_000)
    again.restore([*taken.write_ahead, *made])
    told = again.take([progress()]).episodes + again.take([seen("a", 9, "KE")]).episodes
    assert {episode.id for episode in told} == {opened.id}
    assert told[-1].countries == ("CZ", "DE", "KE", "SK")
