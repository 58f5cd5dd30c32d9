"""What p-values are worked out from is remembered as long as it is needed, and no longer.

Attacks that last far longer than what is remembered of them, with hardly any lateness: what came
before them and how they broke out is counted before it is forgotten, and kept through every crash.
"""

from __future__ import annotations

from random import Random
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import surprise
from pipeline.checkpoint import restore, save
from pipeline.correlate import Correlator
from pipeline.rule import Level, Rule
from pipeline.sight import Group, Sightings
from pipeline.surprise import Background, Chance
from pipeline.window import Window
from tests import oracle
from tests.property.test_correlate import PARTIES, Given, Worker, check, log_of, rule

steps = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 7, 30, 30, 58, 61, 200, 700]), st.sampled_from(PARTIES)),
    min_size=10,
    max_size=80,
)


@settings(max_examples=250, deadline=None)
@given(
    steps,
    st.sampled_from([60, 90]),
    st.integers(1, 3),
    st.sampled_from([0, 0, 5, 60]),
    st.sampled_from([0.0, 0.05]),
    st.integers(0, 2**32),
)
def test_long_attacks_are_judged_by_how_they_began(
    steps: list[tuple[int, tuple[str, str]]],
    timespan: int,
    gte: int,
    disorder: int,
    crash_rate: float,
    seed: int,
) -> None:
    random = Random(seed)
    time = 0
    seen: list[oracle.Sighting] = []
    for step, party in steps:
        time += step
        seen.append(oracle.Sighting("ip", "a", *party, time))
    seen.sort(key=lambda one: one.time_ms + random.randint(0, disorder))
    case = Given(seen, [rule("ip", timespan, random.choice(["country", "organisation"]), gte)])
    with patch.object(surprise, "BASE_WINDOWS", random.choice([1, 2])):
        worker = Worker(case, random, crash_rate)
        worker.run(log_of(case))
        check(worker.alerts, case)


def correlator(background: Background | None) -> Correlator:
    of = Rule("id", "title", Level.LOW, "ip", 60, "country", 1)
    return Correlator([of], 0, background)


def remembered(one: Correlator) -> tuple[int, int]:
    """Slices that are remembered of the one indicator; seldom more than twice what is needed."""
    for time in range(0, 60_000, 20):
        group = Group("ip", ["a"], [time], [time])
        one.observe(Sightings("events/0", "north", "CZ", time, 0, [group]))
        one.settle()
        one.advance(time)
        one.sweep()
    window = one.tracks[0].states["a"]
    assert isinstance(window, Window)
    return window.newest - window.oldest, one.live["ip"]


def test_the_base_is_all_that_is_remembered_beside() -> None:
    without, _ = remembered(correlator(None))
    within, live = remembered(correlator(Background(4, 4)))
    assert without <= 61 * 3
    assert within - without <= 480 * 3
    assert live == 1


def test_what_was_counted_outlives_what_it_was_counted_from() -> None:
    """Also in a checkpoint."""
    of = Rule("id", "title", Level.LOW, "ip", 60, "country", 2)
    before = Correlator([of], 0, Background(4, 4))

    def see(country: str, time: int) -> None:
        group = Group("ip", ["a"], [time], [time])
        before.observe(Sightings("events/0", country.lower(), country, time, 0, [group]))
        before.settle()
        before.advance(time)
        before.sweep()

    for time in (0, 10, 20):
        see("CZ", time)
    for time in range(100, 6_000, 30):
        see("CZ", time)
        see("AT", time)
    track = before.tracks[0]
    window = track.states["a"]
    assert isinstance(window, Window)
    assert window.since > 100
    after = Correlator([of], 0, Background(4, 4))
    restore(after, save(before, 0, ["a"], published=True, gone=False), sealed=True)
    after.resume()
    after.settle()
    for one in (before, after):
        (episode,) = one.finish()
        assert episode.p_value == Chance(of, Background(4, 4)).p_value(3, 2)
