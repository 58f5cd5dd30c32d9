"""A flood of indicators stays within its bound, costs the one who floods, and no alert of others."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.correlate import Correlator, fair_level
from pipeline.episode import Change
from pipeline.sight import Group, Sightings
from tests.property.test_correlate import rule
from tests.unit.making import HOUR, seen

MOST = 64


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(1, 500))
def test_the_level_is_the_highest_that_is_enough(held: list[int], excess: int) -> None:
    def gone(level: int) -> int:
        return sum(max(one - level, 0) for one in held)

    level = fair_level(held, excess)
    assert level >= 0
    assert gone(level) >= min(excess, sum(held))
    if gone(level) > excess:
        assert gone(level + 1) < excess


parties = st.sampled_from(["AT", "CZ", "DE", "FR"])
sightings = st.lists(
    st.tuples(parties, st.sampled_from("abcdefgh"), st.integers(0, 300)), max_size=40
)
floods = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 300)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(sightings, floods, st.integers(2, 3))
def test_a_flood_changes_no_alert_of_others(
    honest: list[tuple[str, str, int]], floods: list[tuple[int, int]], gte: int
) -> None:
    """The honest have fewer indicators than a fair share: none of theirs is given up."""
    bounded, free = (Correlator([rule("ip", 60, "country", gte)], HOUR) for _ in range(2))
    told: list[Counter[object]] = [Counter(), Counter()]
    number = 0
    for n in range(max(len(honest), len(floods))):
        batch: list[Sightings] = []
        if n < len(honest):
            country, value, time = honest[n]
            batch.append(seen(value, country, time))
        if n < len(floods):
            size, time = floods[n]
            values = [f"flood-{number + i}" for i in range(size)]
            number += size
            times = [time] * size
            batch.append(Sightings("t/0", "liar", "ES", 0, 0, [Group("ip", values, times, times)]))
        for of, counted in zip((bounded, free), told, strict=True):
            for one in batch:
                of.observe(one)
            counted.update(episode for episode in of.settle())
        bounded.shed(MOST)
        assert sum(bounded.live.values()) <= MOST
    assert told[0] == told[1]
    assert bounded.finish() == free.finish()


def flood(of: Correlator, country: str, count: int, *times: int) -> None:
    values = [f"{country}-{n}" for n in range(count)]
    for time in times:
        of.observe(
            Sightings(
                "t/0", country, country, 0, 0, [Group("ip", values, [time] * count, [time] * count)]
            )
        )
    of.settle()


def test_those_who_hold_most_lose_first_and_their_oldest() -> None:
    one = Correlator([rule("ip", 60, "country", 3)], HOUR)
    flood(one, "AT", 10, 1)
    flood(one, "CZ", 50, 2)
    flood(one, "DE", 60, 3)
    assert one.shed(120) == {}
    assert one.shed(80) == {"ip": 50}  # 40 too many, and an eighth to spare
    left = Counter(value[:2] for value in one.tracks[0].states)
    assert left == {"AT": 10, "CZ": 30, "DE": 30}
    assert "CZ-49" in one.tracks[0].states
    assert "CZ-0" not in one.tracks[0].states


def test_what_one_party_saw_again_and_again_goes_too() -> None:
    one = Correlator([rule("ip", 60, "country", 3)], HOUR)
    flood(one, "AT", 20, 1, 5)  # a few sightings each
    flood(one, "DE", 20, *range(20))  # so many that they are windows
    assert one.shed(10) == {"ip": 32}


def test_what_two_parties_saw_stays_however_much_it_is() -> None:
    one = Correlator([rule("ip", 60, "country", 3)], HOUR)
    for country in ("AT", "CZ"):
        one.observe(seen("both", country, 1))
        for n in range(20):
            one.observe(seen(f"often-{n}", country, *range(20)))
    one.settle()
    assert one.shed(4) == {}
    flood(one, "DE", 5, 1)
    assert one.shed(4) == {"ip": 5}
    assert one.live == {"ip": 21}


def test_nothing_goes_that_has_been_told_of() -> None:
    one = Correlator([rule("ip", 60, "country", 1)], HOUR)
    flood(one, "AT", 20, 1)
    assert one.shed(4) == {}
    assert {episode.change for episode in one.finish()} == {Change.CLOSED}


def test_a_bound_that_cannot_be_kept_is_not_looked_at_for_every_batch() -> None:
    one = Correlator([rule("ip", 60, "country", 3)], HOUR)
    for n in range(40):
        for country in ("AT", "CZ"):
            one.observe(seen(f"both-{n}", country, 1))
    assert one.shed(16) == {}
    flood(one, "DE", 2, 1)
    assert one.shed(16) == {}
    flood(one, "DE", 3, 1)
    assert one.shed(16) == {"ip": 3}
