"""Folding loses nothing that a rule could see, and every event is counted once."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.correlate import Correlator
from pipeline.decode import Reason
from pipeline.episode import Change
from pipeline.intake import FUTURE_MS, Intake
from pipeline.registry import Party
from pipeline.rule import Level, Rule
from pipeline.sight import (
    RECORD_BYTES,
    Group,
    Sightings,
    decode_sightings,
    encode,
    fold_lengths,
    partition_of,
    records,
)
from pipeline.tally import Tally
from tests import oracle

PARTIES = [Party("north", "CZ"), Party("north", "SK"), Party("south", "CZ"), Party("west", "AT")]
SENSORS = {f"s{n}": party for n, party in enumerate(PARTIES)}
NEVER_LATE = 10**12


class Said(NamedTuple):
    """An event: which sensor, when, which address and which name, if any."""

    sensor: str
    time: int
    ip: str | None
    domain: str | None

    def raw(self) -> bytes:
        event: dict[str, Any] = {
            "time": self.time,
            "metadata": {"uid": "e"},
            "device": {"uid": self.sensor},
        }
        if self.ip:
            event["src_endpoint"] = {"ip": self.ip}
        if self.domain:
            event["query"] = {"hostname": self.domain}
        return json.dumps(event).encode()


# A slice is 1 ms at a timespan of 60; 90 and 100 make slices that are no whole number of ms.
said = st.builds(
    Said,
    st.sampled_from(sorted(SENSORS)),
    st.builds(
        lambda window, slices: 60 * window + slices,
        st.integers(0, 8),
        st.sampled_from([0, 0, 1, 2, 30, 58, 59]),
    ),
    st.sampled_from([None, "8.8.8.8", "8.8.8.8", "9.9.9.9"]),
    st.sampled_from([None, None, "a.example"]),
)
rules = st.lists(
    st.builds(
        lambda kind, timespan, field, gte: Rule(
            f"{kind}-{timespan}-{field}-{gte}", "t", Level.LOW, kind, timespan, field, gte
        ),
        st.sampled_from(["ip", "ip", "domain"]),
        st.sampled_from([60, 90, 100, 240, 1000]),
        st.sampled_from(["country", "organisation"]),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda rule: rule.id,
)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.lists(said, min_size=1, max_size=20), min_size=1, max_size=4),
    rules,
    st.integers(1, 3),
    st.booleans(),
)
def test_folding_then_correlating_is_correlating(
    batches: list[list[Said]],
    rules: list[Rule],
    partitions: int,
    by_party: bool,
) -> None:
    """Whatever the batches, the partitions, and whether parties share an intake or not."""
    lengths = fold_lengths(rules)
    if by_party:
        intakes = {
            sensor: Intake(sensor, {sensor: SENSORS[sensor]}, SENSORS, lengths, NEVER_LATE)
            for sensor in SENSORS
        }
    else:
        intakes = dict.fromkeys(SENSORS, Intake("all", SENSORS, SENSORS, lengths, NEVER_LATE))
    correlators = [Correlator(rules, NEVER_LATE) for _ in range(partitions)]
    for batch in batches:
        for one in batch:
            assert not intakes[one.sensor].read(one.raw(), now_ms=10**6)
        for intake in {id(intake): intake for intake in intakes.values()}.values():
            for partition, packed in intake.pack(partitions, 0).items():
                for sightings in packed:
                    assert correlators[partition].observe(travelled(sightings)) == 0
        for correlator in correlators:
            correlator.settle()

    found = sorted(
        (one.rule.id, as_oracle(one.rule, one.value, one.first_seen, one.last_seen,
                                one.countries, one.organisations))
        for correlator in correlators
        for one in correlator.finish()
        if one.change is Change.CLOSED
    )  # fmt: skip
    assert found == sorted(expected([one for batch in batches for one in batch], rules))


def travelled(sightings: Sightings) -> Sightings:
    read = decode_sightings(None, encode(sightings), company=False)
    assert isinstance(read, Sightings)
    return read


def as_oracle(rule: Rule, *fields: Any) -> oracle.Episode:
    return oracle.Episode(rule.indicator_type, *fields)


def expected(events: list[Said], rules: list[Rule]) -> list[tuple[str, oracle.Episode]]:
    sightings = [
        oracle.Sighting(kind, value, *SENSORS[one.sensor], one.time)
        for one in events
        for kind, value in (("ip", one.ip), ("domain", one.domain))
        if value
    ]
    return [
        (rule.id, episode)
        for rule in rules
        for episode in oracle.episodes(
            sightings,
            oracle.rule_of(rule),
        )
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(said, min_size=1, max_size=30), rules, st.integers(1, 5))
def test_what_is_packed_is_each_sighting_once_and_in_its_place(
    events: list[Said], rules: list[Rule], partitions: int
) -> None:
    """One sighting for an indicator, a party and a slice: from the first event in it to the last."""
    lengths = fold_lengths(rules)
    intake = Intake("all", SENSORS, SENSORS, lengths, NEVER_LATE)
    for one in events:
        intake.read(one.raw(), now_ms=10**6)
    times: dict[tuple[Party, str, str, int], list[int]] = {}
    for one in events:
        for kind, value in (("ip", one.ip), ("domain", one.domain)):
            if value and kind in lengths:
                at = one.time * oracle.SLICES // lengths[kind]
                times.setdefault((SENSORS[one.sensor], kind, value, at), []).append(one.time)

    found = []
    for partition, packed in intake.pack(partitions, 0).items():
        for sightings in packed:
            party = Party(sightings.organisation, sightings.country)
            for group in sightings.groups:
                columns = zip(group.values, group.first_seen, group.last_seen, strict=True)
                for value, first, last in columns:
                    assert partition_of(value, partitions) == partition
                    at = first * oracle.SLICES // lengths[group.type]
                    found.append(((party, group.type, value, at), first, last))
    assert sorted(found) == sorted((key, min(of), max(of)) for key, of in times.items())


LATENESS = 1_000
NOW = 1_000_000


class Sent(NamedTuple):
    """An event that is good, or bad in one way or in several."""

    sensor: str
    time: int
    ip: str
    broken: bytes | None

    def raw(self) -> bytes:
        return self.broken or Said(self.sensor, self.time, self.ip, None).raw()


def sent(*broken: bytes) -> st.SearchStrategy[Sent]:
    return st.builds(
        Sent,
        st.sampled_from(["s0", "s0", "s0", "s1", "nobody"]),
        st.sampled_from(
            [0, 1, 500, LATENESS, LATENESS + 1, 5000, NOW, NOW + FUTURE_MS, NOW + FUTURE_MS + 1]
        ),
        st.sampled_from(["8.8.8.8", "8.8.8.8", "10.0.0.1", ""]),
        st.sampled_from([None, None, None, None, *broken]),
    )


def messages(some: st.SearchStrategy[Sent]) -> st.SearchStrategy[list[list[Sent]]]:
    return st.lists(st.lists(some, min_size=1, max_size=6), max_size=8)


@settings(max_examples=500)
@given(
    st.lists(sent(b"{}", b"7", b"", b"[]", b"[{}]", b"{}{}"), max_size=40),
    st.lists(st.integers(-5_000, 5_000), min_size=40, max_size=40),
)
def test_many_messages_are_read_as_one_after_the_other(some: list[Sent], ago: list[int]) -> None:
    raws, came_in = [one.raw() for one in some], [NOW + late for late in ago[: len(some)]]
    lengths = {"ip": 60}
    at_once = Intake("t/0", {"s0": PARTIES[0]}, SENSORS, lengths, LATENESS)
    in_turn = Intake("t/0", {"s0": PARTIES[0]}, SENSORS, lengths, LATENESS)
    one_by_one = [
        (n, place, why)
        for n, (raw, now_ms) in enumerate(zip(raws, came_in, strict=True))
        for place, why in in_turn.read(raw, now_ms)
    ]
    assert at_once.read_all(raws, came_in) == one_by_one
    assert at_once.tally == in_turn.tally
    assert at_once.tally.adds_up
    assert at_once.watermark == in_turn.watermark
    assert at_once.pack(3, 0) == in_turn.pack(3, 0)
    assert at_once.offsets == in_turn.offsets


arrays = messages(sent(b"{}", b'{"time": -1}', b"7", b"[]"))
lines = messages(sent(b"{}", b'{"time": -1}'))  # each begins as an event does


@settings(max_examples=500, deadline=None)
@given(st.tuples(st.just(b","), arrays) | st.tuples(st.just(b"\n"), lines))
def test_the_tally_is_what_a_plain_count_says(given: tuple[bytes, list[list[Sent]]]) -> None:
    joint, sent_in = given
    intake = Intake("t/0", {"s0": PARTIES[0]}, SENSORS, {"ip": 60}, LATENESS)
    rejected = 0
    for message in sent_in:
        packed = joint.join(one.raw() for one in message)
        rejected += len(intake.read(packed if joint == b"\n" else b"[" + packed + b"]", NOW))
    assert intake.tally == plain_count([one for message in sent_in for one in message])
    assert intake.tally.adds_up
    assert rejected == intake.tally.rejected.total() + intake.tally.late


def plain_count(events: list[Sent]) -> Tally:
    tally = Tally(received=len(events))
    rejected: Counter[Reason] = tally.rejected
    latest = -1
    for one in events:
        if one.broken:
            rejected[Reason.SCHEMA] += 1
        elif one.sensor == "nobody":
            rejected[Reason.UNKNOWN_SENSOR] += 1
        elif one.sensor != "s0":
            rejected[Reason.FOREIGN_SENSOR] += 1
        elif one.time > NOW + FUTURE_MS:
            rejected[Reason.FROM_THE_FUTURE] += 1
        elif one.time < latest - LATENESS:
            tally.late += 1
        else:
            latest = max(latest, one.time)
            tally.uncanonical += one.ip == "10.0.0.1"
            tally.correlated += one.ip == "8.8.8.8"
            tally.without_indicators += one.ip != "8.8.8.8"
    return tally


long_groups = st.lists(st.integers(1, 400), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None)
@example([400, 1, 399], 2048)
@given(long_groups, st.integers(1, 2048))
def test_records_of_long_values_are_split_and_lose_nothing(sizes: list[int], width: int) -> None:
    groups = [
        Group(f"type-{g}", [f"{n:0{width}}" for n in range(size)], [*range(size)], [*range(size)])
        for g, size in enumerate(sizes)
    ]
    some = Sightings("t/0", "o", "CZ", 5, 6, groups)
    encoded = list(records(some))
    assert all(len(one) <= RECORD_BYTES for one in encoded)
    read = [decode_sightings(None, one) for one in encoded]
    seen: Counter[tuple[str, str, int]] = Counter()
    for one in read:
        assert isinstance(one, Sightings)
        assert (one.source, one.organisation, one.country) == ("t/0", "o", "CZ")
        assert (one.watermark, one.ingested) == (5 if one is read[-1] else -1, 6)
        for group in one.groups:
            seen.update(
                (group.type, v, t) for v, t in zip(group.values, group.first_seen, strict=True)
            )
    assert seen == Counter(
        (group.type, v, t)
        for group in groups
        for v, t in zip(group.values, group.first_seen, strict=True)
    )  # fmt: skip
