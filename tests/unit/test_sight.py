"""Events to folded sightings: who is heard, what counts as what, where it goes."""

from typing import Any
from zlib import crc32

import msgspec
import pytest

from pipeline.clock import Clock, ClockPolicy
from pipeline.decode import Reason, Rejection
from pipeline.intake import FUTURE_MS, Intake
from pipeline.registry import Party
from pipeline.sight import (
    PROGRESS_KEY,
    UNKNOWN_WATERMARK,
    Group,
    Progress,
    Sightings,
    SourceState,
    decode_sightings,
    encode,
    fold_lengths,
    partition_of,
)
from pipeline.tally import Tally
from tests.unit.making import HOUR, MINUTE, at, raw, rule

CZ, SK = Party("north", "CZ"), Party("north", "SK")
KNOWN = {"cz-1": CZ, "cz-2": CZ, "sk-1": SK}
OURS = {"cz-1": CZ, "cz-2": CZ}
NOW = at("12:00")
DAY = 24 * HOUR


def intake(lateness: int = 24 * HOUR, **lengths: int) -> Intake:
    """Of one party; an hour's rule on `ip` if nothing else is said: slices of a minute."""
    return Intake("events/0", OURS, KNOWN, lengths or {"ip": HOUR}, lateness)


def hit(ip: str, time: int, sensor: str = "cz-1") -> bytes:
    return raw(sensor, time=time, src_endpoint={"ip": ip})


def read(of: Intake, *messages: bytes, now: int = NOW) -> list[Rejection]:
    return [rejection for one in messages for _, rejection in of.read(one, now)]


def groups(of: Intake, partitions: int = 1) -> list[Group]:
    (packed,) = of.pack(partitions, 0).values()
    return [group for sightings in packed for group in sightings.groups]


def tally(**counts: Any) -> Tally:
    return Tally(**counts)


def test_a_flood_within_a_slice_folds_to_one_sighting() -> None:
    """
    12:00     12:01     12:02
    │ 8  8 8  │      8  │         8 is 8.8.8.8, 9 is 9.9.9.9
    │   9     │         │
    """
    one = intake()
    read(
        one,
        hit("8.8.8.8", at("12:00:20")),
        hit("9.9.9.9", at("12:00:30")),
        hit("8.8.8.8", at("12:00:05"), sensor="cz-2"),
        hit("8.8.8.8", at("12:00:59.999")),
        hit("8.8.8.8", at("12:00:30")),
        hit("8.8.8.8", at("12:01")),
    )
    assert groups(one) == [
        Group(
            "ip",
            ["8.8.8.8", "9.9.9.9", "8.8.8.8"],
            [at("12:00:05"), at("12:00:30"), at("12:01")],
            [at("12:00:59.999"), at("12:00:30"), at("12:01")],
        )
    ]
    assert one.tally == tally(received=6, correlated=6)
    assert one.pack(1, 0) == {}


def test_an_event_folds_by_each_of_its_types_and_only_by_those_of_a_rule() -> None:
    one = intake(ip=HOUR, domain=60 * HOUR)
    read(
        one,
        raw("cz-1", time=at("11:00"), query={"hostname": "a.example"}, user={"credential_uid": "x"}),
        raw("cz-1", time=at("11:30"), query={"hostname": "a.example"}, src_endpoint={"ip": "8.8.8.8"}),
    )  # fmt: skip
    assert groups(one) == [
        Group("ip", ["8.8.8.8"], [at("11:30")], [at("11:30")]),
        Group("domain", ["a.example"], [at("11:00")], [at("11:30")]),
    ]


def test_an_event_whose_types_no_rule_groups_by_is_correlated_all_the_same() -> None:
    one = intake()
    read(one, raw("cz-1", user={"credential_uid": "x"}))
    assert one.tally == tally(received=1, correlated=1)
    assert one.pack(1, 0) == {}


def test_what_is_packed_says_where_it_is_from() -> None:
    one = intake()
    read(one, hit("8.8.8.8", at("11:59")), hit("8.8.8.8", at("11:58")))
    ((packed,),) = one.pack(1, 77).values()
    assert msgspec.structs.replace(packed, groups=[]) == Sightings(
        "events/0", "north", "CZ", watermark=at("11:59"), ingested=77, groups=[]
    )


def test_an_offline_run_folds_by_party() -> None:
    one = Intake("offline", KNOWN, KNOWN, {"ip": HOUR}, 0)
    read(one, hit("8.8.8.8", 1), hit("8.8.8.8", 1, sensor="sk-1"))
    (packed,) = one.pack(1, 0).values()
    assert [(one.organisation, one.country) for one in packed] == [("north", "CZ"), ("north", "SK")]
    assert [one.groups for one in packed] == [[Group("ip", ["8.8.8.8"], [1], [1])]] * 2


def test_each_partition_gets_what_belongs_to_it() -> None:
    one = intake(ip=HOUR, domain=HOUR)
    ips = [f"8.8.8.{n}" for n in range(20)]
    for ip in ips:
        read(one, raw("cz-1", src_endpoint={"ip": ip}, query={"hostname": f"{ip}.example"}))
    packed = one.pack(3, 0)
    assert set(packed) == {0, 1, 2}
    for partition, (sightings,) in packed.items():
        for group in sightings.groups:
            assert {partition_of(value, 3) for value in group.values} == {partition}
    found = {
        v for (s,) in packed.values() for group in s.groups for v in group.values if group.type == "ip"
    }  # fmt: skip
    assert found == set(ips)


def test_the_partition_of_an_indicator_is_fixed_for_ever() -> None:
    """Another function would leave state behind in the wrong partitions."""
    assert partition_of("123456789", 1 << 32) == 0xCBF43926  # the published check of CRC-32
    assert partition_of("123456789", 8) == 0xCBF43926 % 8
    assert partition_of("ü", 1000) == crc32(b"\xc3\xbc") % 1000
    assert partition_of("8.8.8.8", 1) == 0


def test_an_unknown_and_a_foreign_sensor_are_rejected() -> None:
    one = intake()
    (unknown,) = read(one, hit("8.8.8.8", 1, sensor="nobody"))
    (foreign,) = read(one, hit("8.8.8.8", 1, sensor="sk-1"))
    assert unknown == Rejection(
        Reason.UNKNOWN_SENSOR, "'nobody' is not in the registry", hit("8.8.8.8", 1, "nobody")
    )
    assert foreign == Rejection(
        Reason.FOREIGN_SENSOR, "'sk-1' is not a sensor of this topic", hit("8.8.8.8", 1, "sk-1")
    )
    assert one.tally.rejected == {Reason.UNKNOWN_SENSOR: 1, Reason.FOREIGN_SENSOR: 1}
    assert one.watermark == UNKNOWN_WATERMARK


def test_an_event_from_the_future_moves_no_watermark() -> None:
    one = intake()
    read(one, hit("8.8.8.8", at("11:59")))
    (rejection,) = read(one, hit("8.8.8.8", NOW + FUTURE_MS + 1))
    assert rejection.reason is Reason.FROM_THE_FUTURE
    assert rejection.detail == "120 s later than when it came in"
    assert one.watermark == at("11:59")
    assert one.tally == tally(
        received=2, correlated=1, rejected={Reason.FROM_THE_FUTURE: 1}
    )  # fmt: skip
    assert read(one, hit("8.8.8.8", NOW + FUTURE_MS)) == []
    assert one.watermark == NOW + FUTURE_MS


def test_lateness_is_exact_to_the_millisecond() -> None:
    one = intake(lateness=10 * MINUTE)
    read(one, hit("8.8.8.8", at("11:30")))
    assert read(one, hit("8.8.8.8", at("11:20"))) == []
    (late,) = read(one, hit("8.8.8.8", at("11:20") - 1))
    assert late.reason is Reason.TOO_LATE
    assert late.detail == "600 s behind the latest event of its source"
    assert one.tally == tally(received=3, correlated=2, late=1)
    assert one.watermark == at("11:30")


def test_an_event_without_indicators_still_tells_the_time() -> None:
    one = intake()
    assert read(one, raw("cz-1", time=at("11:00"))) == []
    assert read(one, raw("cz-1", time=at("11:01"), src_endpoint={"ip": "10.0.0.1"})) == []
    assert one.tally == tally(received=2, without_indicators=2, uncanonical=1)
    assert one.watermark == at("11:01")
    assert one.pack(1, 0) == {}


def test_in_a_packed_message_each_rejection_has_its_place_and_its_bytes() -> None:
    one = intake()
    parts = [hit("8.8.8.8", 1), b"{}", hit("8.8.8.8", 1, "nobody"), b"7"]
    for message in (b"[" + b", ".join(parts) + b"]", b"\n".join(parts)):
        rejected = one.read(message, NOW)
        assert [(index, one.reason, one.raw) for index, one in rejected] == [
            (1, Reason.SCHEMA, parts[1]),
            (2, Reason.UNKNOWN_SENSOR, parts[2]),
            (3, Reason.SCHEMA, parts[3]),
        ]
    assert one.tally.received == 8
    assert one.tally.adds_up


def test_tallies_add() -> None:
    one = intake()
    read(one, b"{}", hit("8.8.8.8", 5), hit("10.0.0.1", 5), raw("cz-1", time=5))
    both = Tally()
    both.add(one.tally)
    both.add(one.tally)
    assert both == Tally(
        received=8,
        correlated=2,
        without_indicators=4,
        rejected=one.tally.rejected + one.tally.rejected,
        uncanonical=2,
    )
    assert both.adds_up
    both.received += 1
    assert not both.adds_up


@pytest.mark.parametrize(
    ("timespans", "length"),
    [([HOUR], HOUR), ([HOUR, 24 * HOUR], HOUR), ([90 * MINUTE, HOUR], 30 * MINUTE), ([7, 5], 1)],
)
def test_a_fold_lies_within_one_slice_of_every_rule(timespans: list[int], length: int) -> None:
    lengths = fold_lengths([rule("ip", timespan) for timespan in timespans])
    assert lengths == {"ip": length}
    assert all(timespan % length == 0 for timespan in timespans)


def test_each_type_has_its_own_fold() -> None:
    assert fold_lengths([rule("ip", HOUR), rule("url", MINUTE)]) == {"ip": HOUR, "url": MINUTE}
    assert fold_lengths([]) == {}


def test_records_tell_themselves_apart_by_their_key() -> None:
    sightings = Sightings("events/0", "o", "CZ", 1, 2, [Group("ip", ["a"], [1], [2])])
    progress = Progress([SourceState("events/0", 5, idle=True)], ["events/0"])
    assert decode_sightings(None, encode(sightings)) == sightings
    assert decode_sightings(PROGRESS_KEY, encode(progress)) == progress


HEADER = encode(["events/0", "o", "CZ", 1, 2])[1:]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        encode(Progress([], [])),
        b"\x96\xa1\xff" + HEADER[9:] + b"\x90",
        b"\x97" + HEADER + b"\x90" + b"\x91" * 100_000,
        encode(["events/0", "o", "CZ", 1, 2, [["ip", ["a", "b"], [1], [1]]]]),
        encode(["events/0", "o", "CZ", 1, 2, [["ip", ["a"], [1], [1, 2]]]]),
    ],
    ids=["empty", "JSON", "progress", "no UTF-8", "deep", "a value too many", "a time too many"],
)
@pytest.mark.parametrize("company", [True, False])
def test_a_record_that_is_not_ours_is_told_in_one_way(value: bytes, company: bool) -> None:
    """Whatever raised another error once ended the worker, again at each restart."""
    with pytest.raises(msgspec.DecodeError):
        decode_sightings(None, value, company=company)


def test_records_are_split_until_they_fit() -> None:
    """A sensor cannot make intake produce what the broker refuses."""
    from pipeline.sight import RECORD_BYTES, Group, Sightings, decode_sightings, records

    values = [f"http://a.example/{n}/" + "x" * 2000 for n in range(2000)]
    long = Group("url", values, list(range(2000)), list(range(1, 2001)))
    short = Group("ip", ["8.8.8.8"], [1], [2])
    made = list(records(Sightings("t/0", "o", "CZ", 5, 6, [long, short])))
    assert len(made) > 4
    assert max(map(len, made)) <= RECORD_BYTES
    seen: list[tuple[str, int, int]] = []
    for record in made:
        packed = decode_sightings(None, record)
        assert isinstance(packed, Sightings)
        # Time comes to there with the last of them: what follows a part must not be late by it.
        watermark = 5 if record is made[-1] else UNKNOWN_WATERMARK
        assert (packed.source, packed.watermark, packed.ingested) == ("t/0", watermark, 6)
        for group in packed.groups:
            seen += zip(group.values, group.first_seen, group.last_seen, strict=True)
    wanted = [*zip(values, range(2000), range(1, 2001), strict=True), ("8.8.8.8", 1, 2)]
    assert sorted(seen) == sorted(wanted)


def test_what_fits_is_one_record() -> None:
    from pipeline.sight import Group, Sightings, records

    sightings = Sightings("t/0", "o", "CZ", 5, 6, [Group("ip", ["8.8.8.8"], [1], [2])])
    assert len(list(records(sightings))) == 1


@pytest.mark.parametrize("policy", list(ClockPolicy))
def test_a_clock_within_its_bound_is_taken_at_its_word(policy: ClockPolicy) -> None:
    one = Intake("t/0", OURS, KNOWN, {"ip": HOUR}, 0, Clock(policy, MINUTE))
    assert read(one, hit("8.8.8.8", at("11:59")), hit("8.8.8.8", at("12:01"))) == []
    assert one.watermark == at("12:01")


def test_a_clock_beyond_its_bound_is_taken_at_its_word_unless_said_otherwise() -> None:
    one = Intake("t/0", OURS, KNOWN, {"ip": HOUR}, 0, Clock(ClockPolicy.ACCEPT, MINUTE))
    assert read(one, hit("8.8.8.8", 1)) == []
    assert one.watermark == 1


def test_a_corrected_event_happened_when_it_came_in() -> None:
    one = Intake("t/0", OURS, KNOWN, {"ip": HOUR}, 0, Clock(ClockPolicy.CORRECT, MINUTE))
    assert read(one, hit("8.8.8.8", 1), hit("8.8.8.8", at("12:05"))) == []
    assert groups(one) == [Group("ip", ["8.8.8.8"], [NOW], [NOW])]
    assert one.tally == tally(received=2, correlated=2)


def test_a_quarantined_event_is_late_or_from_the_future() -> None:
    one = Intake("t/0", OURS, KNOWN, {"ip": HOUR}, DAY, Clock(ClockPolicy.QUARANTINE, MINUTE))
    behind, ahead = read(one, hit("8.8.8.8", at("11:58:59")), hit("8.8.8.8", at("12:01:01")))
    assert (behind.reason, behind.detail) == (
        Reason.TOO_LATE, "its clock is 61 s behind: in quarantine"
    )  # fmt: skip
    assert (ahead.reason, ahead.detail) == (
        Reason.FROM_THE_FUTURE, "its clock is 61 s ahead: in quarantine"
    )  # fmt: skip
    assert one.tally.adds_up
    assert one.watermark == UNKNOWN_WATERMARK


def test_a_sensors_clock_is_measured_by_the_least_delay() -> None:
    one = intake()
    read(one, hit("8.8.8.8", at("11:58")), hit("8.8.8.8", at("11:59")), hit("8.8.8.8", at("11:57")))
    read(one, hit("8.8.8.8", at("12:01"), sensor="cz-2"), raw("stranger", time=at("12:00")))
    one.pack(1, 0)
    assert one.offsets == {"cz-1": MINUTE, "cz-2": -MINUTE}
    read(one, hit("8.8.8.8", at("11:59:30")))
    one.pack(1, 0)
    assert one.offsets == {"cz-1": MINUTE / 2, "cz-2": -MINUTE}
