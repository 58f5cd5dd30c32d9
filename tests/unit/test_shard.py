"""One partition: what goes out, what is written of it, and what a successor makes of that."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable

from pipeline.checkpoint import unseal
from pipeline.episode import Change, Episode
from pipeline.rule import Rule
from pipeline.shard import (
    ROUND_STEP,
    SEAL_KEY,
    SEGMENT_BYTES,
    SEGMENT_INDICATORS,
    CheckpointRecord,
    Shard,
)
from pipeline.sight import (
    PROGRESS_KEY,
    UNKNOWN_WATERMARK,
    Group,
    Sightings,
    SourceState,
    encode,
)
from tests.unit.making import HOUR, MINUTE, Record, at, progress, record, rule, seen

THREE = ("CZ", "SK", "AT")


def shard(*rules: Rule, lateness: int = 0) -> Shard:
    """One that knows which sources to expect."""
    one = Shard(rules or [rule()], lateness)
    one.take([progress()])
    return one


def attack(value: str, clock: str, countries: Iterable[str] = THREE) -> list[Record]:
    return [record(seen(value, country, at(clock))) for country in countries]


def crowd(values: Iterable[str], time: int, country: str = "CZ") -> Record:
    """Many indicators seen at once."""
    names = list(values)
    times = [time] * len(names)
    return record(Sightings("events/0", "o", country, time, 0, [Group("ip", names, times, times)]))


def compacted(records: Iterable[CheckpointRecord]) -> list[CheckpointRecord]:
    """What Kafka keeps of them: by key the newest, in their order."""
    every = list(records)
    newest = {key: n for n, (key, _) in enumerate(every)}
    return [every[n] for n in sorted(newest.values())]


def successor(records: Iterable[CheckpointRecord], *rules: Rule, lateness: int = 0) -> Shard:
    one = Shard(rules or [rule()], lateness)
    one.restore(list(records))
    return one


def states(of: Shard) -> set[str]:
    return {value for track in of.correlator.tracks for value in track.states}


def test_what_came_of_some_records_is_counted() -> None:
    one = shard()
    first = Sightings(
        "events/0",
        "o",
        "CZ",
        at("13:00"),
        500,
        [Group("ip", ["a", "b"], [at("12:59")] * 2, [at("12:59")] * 2)],
    )
    taken = one.take([(None, encode(first)), record(seen("c", "SK", at("13:00"))), progress()])
    assert (taken.sightings, taken.late, taken.not_ours, taken.ingested_ms) == (3, 0, 0, 500)
    taken = one.take([record(seen("d", "SK", at("12:59:59")))])
    assert (taken.sightings, taken.late) == (1, 1)
    assert taken.episodes == []
    assert taken.write_ahead == []


def test_a_record_that_is_not_ours_is_counted_and_left() -> None:
    one = shard()
    junk: list[Record] = [
        (None, None),
        (None, b""),
        (None, b"hello"),
        (PROGRESS_KEY, b"\xa1\xff"),
        (None, b"\x96\xa1\xff\xa1o\xa2CZ\x01\x02\x90"),
        (b"another key", encode(["too", "short"])),
    ]
    taken = one.take([*junk, *attack("a", "12:00")])
    assert taken.not_ours == len(junk)
    assert [episode.change for episode in taken.episodes] == [Change.OPENED]


def test_an_episode_is_written_ahead_before_it_goes_out() -> None:
    """A crash after the alert went out and before a checkpoint: it keeps its id."""
    one = shard()
    taken = one.take(attack("a", "12:00"))
    (opened,) = taken.episodes
    assert len(taken.write_ahead) == 1

    after = successor(taken.write_ahead)
    assert after.correlator.watermark == UNKNOWN_WATERMARK
    again = after.take([progress(), *attack("a", "11:59", ["CZ"]), *attack("a", "12:00")])
    (reopened,) = again.episodes
    assert (reopened.id, reopened.change) == (opened.id, Change.OPENED)
    assert reopened.first_seen == at("11:59")


def test_only_opening_is_written_ahead() -> None:
    one = shard()
    one.take(attack("a", "12:00"))
    taken = one.take(attack("a", "12:01", ["DE"]))
    assert [episode.change for episode in taken.episodes] == [Change.UPDATED]
    assert taken.write_ahead == []


def test_the_seal_comes_last_and_says_how_far_time_was_at_the_beginning() -> None:
    one = shard()
    one.take([record(seen("a", "CZ", at("12:00")))])
    records = one.checkpoint()
    first = next(records)
    one.take([record(seen("b", "CZ", at("13:00")))])
    rest = list(records)
    assert first[0] != SEAL_KEY
    (key, value) = rest[-1]
    assert key == SEAL_KEY
    assert value is not None
    sealed = unseal(value)
    assert sealed.upto == 1
    assert sealed.watermark == at("12:00")
    assert sealed.sources == [SourceState("events/0", at("12:00"), idle=False)]


def test_a_checkpoint_of_nothing_new_is_only_a_seal() -> None:
    one = shard()
    assert [key for key, _ in one.checkpoint()] == [SEAL_KEY]


def test_a_successor_goes_on_where_the_checkpoint_ends() -> None:
    one = shard()
    (opened,) = one.take(attack("a", "12:00")).episodes
    one.take([record(seen("b", "CZ", at("12:00")))])
    after = successor(one.checkpoint())
    assert states(after) == {"a", "b"}
    assert after.correlator.watermark == at("12:00")
    assert after.take([progress()]).episodes == []
    (updated,) = after.take(attack("a", "12:01", ["DE"])).episodes
    assert (updated.id, updated.change) == (opened.id, Change.UPDATED)
    (closed,) = after.take([record(seen("b", "CZ", at("14:00")))]).episodes
    assert (closed.id, closed.change) == (opened.id, Change.CLOSED)


def test_without_its_seal_a_checkpoint_tells_no_time() -> None:
    """With a watermark ahead of the state, the replay of what it lacks would be late."""
    one = shard()
    one.take([record(seen("a", "CZ", at("12:00")))])
    unsealed = [(key, value) for key, value in one.checkpoint() if key != SEAL_KEY]
    after = successor(unsealed)
    assert states(after) == {"a"}
    assert after.correlator.watermark == UNKNOWN_WATERMARK
    assert after.take([progress(), record(seen("b", "CZ", at("10:00")))]).late == 0


def test_nothing_restored_is_a_shard_as_new() -> None:
    after = successor([])
    assert states(after) == set()
    assert [episode.change for episode in after.take(attack("a", "12:00")).episodes] == [
        Change.OPENED
    ]


def test_numbers_go_on_after_a_restore() -> None:
    """Sealed or not: a number that is used again would replace a segment."""
    one = shard()
    log: list[CheckpointRecord] = []
    for value in "abc":
        one.take([crowd(value, at("12:00"))])
        log += one.checkpoint()
    for last in (log, log[:-1]):
        after = successor(compacted(last))
        after.take([crowd("d", at("12:01"))])
        records = list(after.checkpoint())
        assert [int(key) for key, _ in records if key != SEAL_KEY] == [3]
        assert states(successor(compacted(last + records))) == set("abcd")


def evicted_between_two_checkpoints() -> tuple[list[CheckpointRecord], list[CheckpointRecord]]:
    """A window that the first holds, and that is gone in the second."""
    one = shard()
    one.take(attack("a", "12:00"))
    first = list(one.checkpoint())
    one.take([record(seen("b", "CZ", at("18:00")))])
    one.take([progress()])
    assert states(one) == {"b"}
    return first, list(one.checkpoint())


def test_an_evicted_window_does_not_come_back() -> None:
    first, second = evicted_between_two_checkpoints()
    after = successor(compacted(first + second))
    assert states(after) == {"b"}
    assert after.correlator.open_episodes == 0


def test_an_eviction_whose_seal_is_missing_has_not_happened() -> None:
    first, second = evicted_between_two_checkpoints()
    records = compacted(first + second[:-1])
    assert [key for key, _ in records].count(SEAL_KEY) == 1
    after = successor(records)
    assert "a" in states(after)
    assert after.correlator.watermark == at("12:00")
    # The next seal must not make the old "gone" true: what is there is written behind it.
    assert states(successor(compacted(records + list(after.checkpoint())))) == states(after)


def test_with_less_lateness_than_before_what_ended_long_ago_is_closed() -> None:
    one = shard(lateness=24 * HOUR)
    one.take(attack("a", "12:00"))
    one.take([record(seen("b", "CZ", at("18:00")))])
    after = successor(one.checkpoint(), lateness=0)
    assert [episode.change for episode in after.take([progress()]).episodes] == [Change.CLOSED]


def test_nothing_is_evicted_while_a_checkpoint_is_being_written() -> None:
    one = shard()
    one.take(attack("a", "12:00"))
    records = one.checkpoint()
    next(records)
    one.take([record(seen("b", "CZ", at("18:00")))])
    one.take([progress()])
    assert states(one) == {"a", "b"}
    list(records)
    one.take([progress()])
    assert states(one) == {"b"}


def test_refresh_gives_what_was_held_back() -> None:
    one = shard()
    one.take(attack("a", "12:00"))
    assert one.take(attack("a", "12:01", ["CZ"])).episodes == []
    (refreshed,) = one.refresh()
    assert refreshed.last_seen == at("12:01")


def test_segments_are_bounded_in_number_of_indicators() -> None:
    one = shard()
    values = [f"v{n}" for n in range(SEGMENT_INDICATORS + 1)]
    one.take([crowd(values, at("12:00"))])
    records = list(one.checkpoint())
    assert len(records) == 3
    assert states(successor(records)) == set(values)


def test_segments_are_bounded_in_bytes() -> None:
    one = shard()
    values = [f"{n:02048}" for n in range(1000)]
    one.take([crowd(values, at("12:00"))])
    records = list(one.checkpoint())
    assert len(records) > 3
    assert all(len(value or b"") <= SEGMENT_BYTES for _, value in records)
    assert states(successor(records)) == set(values)


def test_rounds_keep_the_log_bounded_and_whole() -> None:
    """Everything is written anew from time to time; what was written before it is deleted."""
    one = shard()
    values = [f"v{n}" for n in range(300)]
    one.take([crowd(["early", "other"], at("12:00"))])
    log: list[CheckpointRecord] = []
    deleted = 0
    sizes = []
    for n in range(120):
        one.take([crowd(values, at("12:00") + n * MINUTE // 4)])
        records = list(one.checkpoint())
        deleted += sum(value is None for _, value in records)
        log = compacted(log + records)
        sizes.append(sum(value is not None for _, value in log))
    assert deleted > 50
    assert max(sizes) <= 2 * (ROUND_STEP // 300 + 4)
    after = successor(log)
    assert states(after) == {"early", "other", *values}
    assert after.correlator.watermark == one.correlator.watermark
    assert after.take([progress(), crowd(["late"], at("12:20"))]).late == 1


def test_a_round_that_is_interrupted_by_a_crash_loses_nothing() -> None:
    one = shard()
    values = [f"v{n}" for n in range(300)]
    one.take([crowd(["early", "other"], at("12:00"))])
    log: list[CheckpointRecord] = []
    deleted = 0
    for n in range(17):
        one.take([crowd(values, at("12:00") + n * MINUTE // 4)])
        for key, value in one.checkpoint():
            log = compacted([*log, (key, value)])
            deleted += value is None
            # A crash here: the tombstones come after the state that stands for what they delete.
            if n >= ROUND_STEP // 300:
                assert {"early", "other"} <= states(successor(log))
    assert deleted


def test_a_round_over_more_than_a_step_goes_on_in_the_next_checkpoint() -> None:
    one = shard()
    values = [f"v{n}" for n in range(2 * ROUND_STEP + 1000)]
    log: list[CheckpointRecord] = []
    deletes = []
    for n in range(6):
        one.take([crowd(values if n == 0 else values[: ROUND_STEP - 1000], at(f"12:0{n}"))])
        records = list(one.checkpoint())
        deletes.append(any(value is None for _, value in records))
        log = compacted(log + records)
        assert states(successor(log)) == set(values)
    # Written: 9, 12, 15 of 9 thousand live ones; the third begins a round, of 4, 4 and 1 thousand.
    assert deletes == [False, False, False, False, True, False]


def test_each_rule_s_track_is_saved() -> None:
    rules = (rule(), rule(timespan=2 * HOUR), rule("domain"))
    one = shard(*rules)
    one.take(attack("a", "12:00"))
    one.take([record(seen("a.example", "CZ", at("12:00"), kind="domain"))])
    after = successor(one.checkpoint(), *rules)
    assert after.correlator.live == one.correlator.live == {"ip": 2, "domain": 1}
    assert after.correlator.open_episodes == 2


def test_replaying_after_a_restore_repeats_no_change() -> None:
    """The same records again: what was delivered is not told a second time as something new."""
    one = shard()
    log = [*attack("a", "12:00"), *attack("a", "12:10", ["DE"])]
    told: list[Episode] = one.take(log).episodes
    after = successor(one.checkpoint())
    again = after.take([progress(), *log])
    assert [episode.change for episode in told] == [Change.OPENED]
    assert again.episodes == []


def test_a_live_indicator_of_one_party_costs_at_most_200_bytes() -> None:
    """All included: its name, its integer, its place in the table, its turn for a checkpoint. Right
    after the table has grown, when it is at its largest.
    """
    usable = (1 << 17) * 2 // 3
    start = at("00:00")
    values = [f"{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}.77" for n in range(1 << 20)]
    one = shard()
    records = [
        record(Sightings("events/0", "org-cz", "CZ", start, 0, [Group("ip", some, times, times)]))
        for first in range(0, usable + 100, 1000)
        if (some := values[first : min(first + 1000, usable + 100)])
        and (times := [start + n for n in range(len(some))])
    ]
    del values
    gc.collect()
    tracemalloc.start()
    try:
        one.take(records)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    live = one.correlator.live["ip"]
    assert live == usable + 100
    assert 100 < held / live <= 200
