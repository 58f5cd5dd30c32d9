"""Indicators that come, are forgotten, and come back: what is evicted stays without consequence.

The checkpoints of a small state are not written anew for long: a restore meets every life that an
indicator ever had. The worker of `test_correlate`, on cases whose times lie far apart.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.property.test_correlate import PARTIES, Given, Worker, check, log_of, rule, rules, seeds

# Two eras are near, or as far apart as 1970 and now are in slices of a millisecond.
times = st.builds(
    lambda era, slices: era + slices,
    st.sampled_from([0, 300, 600, 1_023, 2_400, 10**12, 10**12 + 300]),
    st.sampled_from([0, 1, 30, 58, 59, 60, 61, 119]),
)
sightings = st.builds(
    lambda party, value, time: oracle.Sighting(
        "ip", value, party[0], party[1], time, event=f"{party}/{time}"
    ),
    st.sampled_from(PARTIES),
    st.sampled_from(["a", "a", "b"]),
    times,
)


@st.composite
def cases(draw: st.DrawFn) -> Given:
    """In order of time, or nearly."""
    seen = draw(st.lists(sightings, min_size=5, max_size=30))
    jitter = draw(st.sampled_from([0, 0, 2, 70, 10**13]))
    of = {n: one.time_ms + draw(st.integers(0, jitter)) for n, one in enumerate(seen)}
    arrived = [seen[n] for n in sorted(of, key=of.__getitem__)]
    return Given(arrived, draw(st.just([rule("ip", 60, "country", 3)]) | rules))


@settings(max_examples=500, deadline=None)
@given(cases(), seeds)
def test_any_crash_in_any_era_changes_nothing(case: Given, seed: int) -> None:
    worker = Worker(case, Random(seed), crash_rate=0.1)
    worker.run(log_of(case))
    check(worker.alerts, case)
