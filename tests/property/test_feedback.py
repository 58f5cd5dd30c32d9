"""What is told of a sensor, against a plain recount."""

from __future__ import annotations

from collections import Counter
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import feedback
from pipeline.event import LAST_TIME_MS
from pipeline.feedback import SAMPLE, Figures, Repeats, SourceFigures, sensor_of, together
from pipeline.intake import Intake
from pipeline.registry import Party
from tests.unit.making import raw

HERE = Party("cz-nren", "CZ")
NOW = 1_700_000_000_000
REASONS = st.sampled_from(["schema", "not-json", "too-late"])


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=200))
def test_up_to_the_sample_repeats_are_counted_exactly(events: list[tuple[int, int]]) -> None:
    repeats = Repeats()
    for uid, _ in events:
        repeats.note(str(uid))
    assert repeats.taken() == len(events) - len({uid for uid, _ in events})
    assert repeats.taken() == 0


@pytest.mark.parametrize("step", [7, 1000, 1 << 20, 0], ids=["ms", "s", "even", "one moment"])
def test_beyond_the_sample_repeats_are_estimated_in_bounded_room(step: int) -> None:
    """Whatever a sensor's clock can tell apart."""
    figures = SourceFigures("events.cz.cz-nren/0", NOW)
    known = {"s-1": HERE}
    intake = Intake("source", known, known, {"ip": 3_600_000}, LAST_TIME_MS, figures=figures)
    count = SAMPLE * 5
    events = [raw("s-1", f"{n}", n * step) for n in range(count)]
    for again in range(2):
        intake.read_all(events, [NOW] * count)
        intake.pack(1, NOW)
        assert len(intake._repeats["s-1"]._seen) <= SAMPLE
        if not again:
            assert figures.of("s-1").twice == 0
    assert figures.of("s-1").taken == 2 * count
    assert abs(figures.of("s-1").twice / count - 1) < 0.1


def test_who_names_all_events_alike_to_the_sample_stops_nobody() -> None:
    repeats = Repeats()
    for name in alike(SAMPLE * 2):
        repeats.note(name)
    assert len(repeats._seen) <= SAMPLE


def alike(count: int) -> list[str]:
    """Names whose CRC-32 is 0. It is linear: flips of characters add up."""
    length = 48
    plain = crc32(b"0" * length)

    def reduced(checksum: int, flips: int) -> tuple[int, int]:
        for known, by in sorted(basis, reverse=True):
            if checksum ^ known < checksum:
                checksum, flips = checksum ^ known, flips ^ by
        return checksum, flips

    basis: list[tuple[int, int]] = []
    without_effect: list[int] = []
    for n in range(length):
        flipped = crc32((1 << 8 * n | int.from_bytes(b"0" * length)).to_bytes(length))
        rest, flips = reduced(flipped ^ plain, 1 << n)
        if rest:
            basis.append((rest, flips))
        else:
            without_effect.append(flips)
    rest, to_zero = reduced(plain, 0)
    assert rest == 0
    names = []
    for chosen in range(count):
        flips = to_zero
        for n, of in enumerate(without_effect):
            flips ^= of * (chosen >> n & 1)
        names.append(format(flips, f"0{length}b"))
    assert len(set(names)) == count
    assert {crc32(name.encode()) for name in names} == {0}
    return names


@given(st.lists(st.tuples(st.sampled_from(["s-1", "s-2"]), st.integers(0, 9)), max_size=60))
def test_an_intake_tells_what_a_recount_does(said: list[tuple[str, int]]) -> None:
    figures = SourceFigures("events.cz.cz-nren/0", NOW)
    known = {"s-1": HERE, "s-2": HERE}
    intake = Intake("source", known, known, {"ip": 3_600_000}, 86_400_000, figures=figures)
    for n, (sensor, uid) in enumerate(said):
        intake.read(raw(sensor, f"{uid}", NOW + uid), NOW + 10)
        if n % 7 == 0:
            intake.pack(1, NOW + n)
    intake.pack(1, NOW + len(said))
    recount = Counter(sensor for sensor, _ in said)
    assert {name: one.taken for name, one in figures.sensors.items()} == recount
    for name, one in figures.sensors.items():
        uids = [uid for sensor, uid in said if sensor == name]
        assert one.twice == len(uids) - len(set(uids))
        assert one.last_event == NOW + max(uids)
        assert one.clock_offset is not None


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["s-1", ""]), REASONS, st.integers(0, 99))
    )
)
def test_sources_are_added_up_in_any_order(
    rejected: list[tuple[str, str, str, int]],
) -> None:
    sources = {name: SourceFigures(name, NOW) for name in "ab"}
    for source, sensor, reason, at in rejected:
        sources[source].reject(sensor, reason, at)
    records = [feedback.decode(feedback.encode(one)) for one in sources.values()]
    there, back = together(records), together(reversed(records))
    assert there == back
    for sensor, figures in there.items():
        mine = [(reason, at) for _, name, reason, at in rejected if name == sensor]
        assert figures.read == len(mine)
        assert figures.late == sum(reason == "too-late" for reason, _ in mine)
        assert figures.heard_at == max(at for _, at in mine)


def test_a_source_with_too_many_sensors_tells_of_the_others_together() -> None:
    source = SourceFigures("a", NOW)
    for n in range(feedback.MOST_SENSORS + 50):
        source.reject(f"s-{n}", "schema", NOW)
    assert len(source.sensors) <= feedback.MOST_SENSORS + 1
    assert sum(one.read for one in source.sensors.values()) == feedback.MOST_SENSORS + 50


@given(st.binary(max_size=40))
def test_any_bytes_name_a_sensor_or_nobody(raw: bytes) -> None:
    assert sensor_of(raw) is None or isinstance(sensor_of(raw), str)
    assert sensor_of(b'{"device": {"uid": "s-1"}, "time": "soon"}') == "s-1"


def test_the_later_clock_stands() -> None:
    one = Figures(clock_offset=5, heard_at=10)
    one.add(Figures(clock_offset=7, heard_at=20))
    one.add(Figures(clock_offset=6, heard_at=15))
    assert (one.clock_offset, one.heard_at) == (7, 20)
