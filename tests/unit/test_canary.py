"""Canaries are carried as the real is, and nobody who looks at the real sees them."""

from __future__ import annotations

import json

from pipeline import canary
from pipeline.canary import Canaries, CanaryIntake
from pipeline.country import country_problem
from pipeline.decode import Reason
from pipeline.intake import Intake
from pipeline.registry import Party
from pipeline.rule import Level, Rule
from pipeline.shard import Shard
from pipeline.sight import CANARY_KEY, UNKNOWN_WATERMARK, encode, fold_lengths
from pipeline.watermark import Watermarks

NOW = 1_800_000_000_000
DOMAINS = Rule("r", "t", Level.LOW, "domain", 60_000, "country", 2)


def carried(name: str = "a1", time: int = NOW) -> list[tuple[bytes | None, bytes | None]]:
    intake = CanaryIntake("canary-events/0")
    messages = [(event, time) for event in canary.events(name, time)]
    return [(key, value) for _, key, value in intake.read(messages, 4)]


def test_a_canary_is_alerted_on_once() -> None:
    memory = Canaries()
    (opened,) = memory.take(carried())
    assert canary.name_of(opened.value) == "a1"
    assert opened.countries == ("XA", "XB", "XC")
    assert memory.take(carried()) == []
    assert len(memory.take(carried("a2", NOW + 30_000))) == 1


def test_its_memory_is_bounded() -> None:
    memory = Canaries()
    for n in range(2_000):
        assert len(memory.take(carried(f"n{n}", NOW + n * 30_000))) == 1
    live = sum(memory._correlator.live.values())
    assert live < 2 * canary.KEPT_MS // 30_000 + canary.KEPT_MS // 30_000


def test_nobody_can_be_one_of_its_parties() -> None:
    assert all(country_problem(party.country) for party in canary.PARTIES)


def test_a_correlator_of_the_real_hears_nothing_of_it() -> None:
    """Neither its windows, nor its time, nor its counts: though a rule is met by such events."""
    shard = Shard([DOMAINS], 60_000)
    before = encode(shard.watermarks.states())
    taken = shard.take(carried())
    assert (taken.episodes, taken.sightings, taken.late, taken.not_ours) == ([], 0, 0, 0)
    assert sum(shard.correlator.live.values()) == 0
    assert encode(shard.watermarks.states()) == before
    assert shard.watermarks.whole() == UNKNOWN_WATERMARK
    assert list(shard.checkpoint())[:-1] == []  # the seal alone


def test_no_source_of_time_is_made_of_it() -> None:
    marks = Watermarks(60_000)
    shard = Shard([DOMAINS], 60_000)
    shard.take(carried())
    assert shard.watermarks.known == marks.known == 0


def test_canaries_hear_nothing_of_the_real() -> None:
    """The same name, as a sensor's event that anybody may send, is nothing to a canary."""
    party = Party("cz-nren", "CZ")
    real = Intake(
        "events.cz.cz-nren/0", {"s": party}, {"s": party}, fold_lengths([DOMAINS]), 60_000
    )
    event = {
        "time": NOW,
        "metadata": {"uid": "1"},
        "device": {"uid": "s"},
        "query": {"hostname": "a1" + canary.SUFFIX},
    }
    assert real.read(json.dumps(event).encode(), NOW) == []
    records: list[tuple[bytes | None, bytes | None]] = [
        (None, encode(sightings)) for packed in real.pack(4, NOW).values() for sightings in packed
    ]
    memory = Canaries()
    assert memory.take(records) == []
    assert sum(memory._correlator.live.values()) == 0
    shard = Shard([DOMAINS], 60_000)
    assert shard.take(records).sightings == 1  # and the real is what it would be without


def test_where_canaries_come_in_no_sensor_is_heard() -> None:
    intake = CanaryIntake("canary-events/0")
    event = {
        "time": NOW,
        "metadata": {"uid": "1"},
        "device": {"uid": "s"},
        "query": {"hostname": "a.cz"},
    }
    assert list(intake.read([(json.dumps(event).encode(), NOW), (b"{", NOW)], 4)) == []


def test_where_sensors_come_in_no_canary_is_heard() -> None:
    party = Party("cz-nren", "CZ")
    real = Intake(
        "events.cz.cz-nren/0", {"s": party}, {"s": party}, fold_lengths([DOMAINS]), 60_000
    )
    for event in canary.events("a1", NOW):
        ((_, rejection),) = real.read(event, NOW)
        assert rejection.reason is Reason.UNKNOWN_SENSOR
    assert real.pack(4, NOW) == {}


def test_broken_records_are_let_fall() -> None:
    assert Canaries().take([(CANARY_KEY, b"\xff"), (CANARY_KEY, None), (CANARY_KEY, b"\x90")]) == []
