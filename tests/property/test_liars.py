"""One organisation cannot raise an alert alone, whatever its sensors say and wherever they stand.

A tenth of the sensors lie: those of one organisation, which has them in many countries. Rules
that demand organisations beside countries are met by honest ones or not at all.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.rule import Rule
from tests import oracle
from tests.property.test_correlate import Given, Worker, log_of, rule, windows

COUNTRIES = ("AT", "CZ", "DE", "FR", "SK")
HONEST = [(f"org-{n}", COUNTRIES[n % len(COUNTRIES)]) for n in range(18)]
LIARS = [("liar", "CZ"), ("liar", "SK")]  # two sensors of twenty
ALSO = [("liar", country) for country in COUNTRIES]  # or as many as it likes

RULES = st.lists(
    st.builds(
        rule,
        st.just("ip"),
        st.sampled_from([60, 90, 240]),
        st.just("country"),
        st.integers(1, 4),
        st.integers(2, 4),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda rule: rule.id,
)


def by(parties: list[tuple[str, str]]) -> st.SearchStrategy[list[oracle.Sighting]]:
    return st.lists(
        st.builds(
            lambda party, value, time: oracle.Sighting("ip", value, party[0], party[1], time),
            st.sampled_from(parties),
            st.sampled_from(["a", "a", "b", "c"]),
            windows,
        ),
        max_size=25,
    )


def told(sightings: list[oracle.Sighting], case: Given) -> Worker:
    worker = Worker(Given(sightings, case.rules), Random(0), crash_rate=0.0)
    worker.run(log_of(worker.case))
    return worker


@settings(max_examples=300, deadline=None)
@given(by(HONEST), by(LIARS) | by(ALSO), RULES, st.randoms())
def test_liars_alone_raise_nothing(
    honest: list[oracle.Sighting], lies: list[oracle.Sighting], rules: list[Rule], random: Random
) -> None:
    mixed = honest + lies
    random.shuffle(mixed)
    case = Given(mixed, rules)
    true_of = {one.value for one in honest}
    for alert in told(mixed, case).alerts.newest.values():
        assert alert.value in true_of
        assert len(set(alert.organisations) - {"liar"}) >= alert.rule.organisations_gte - 1


@settings(max_examples=300, deadline=None)
@given(by(HONEST), by(LIARS) | by(ALSO), RULES, st.randoms())
def test_lies_of_one_indicator_change_nothing_of_another(
    honest: list[oracle.Sighting], lies: list[oracle.Sighting], rules: list[Rule], random: Random
) -> None:
    lied_of = {one.value for one in lies}
    mixed = honest + lies
    random.shuffle(mixed)
    case = Given(mixed, rules)
    # The lateness is that of the mixed order: the same for both.
    with_lies = told(mixed, case).alerts.final()
    without = told([one for one in mixed if one in honest], case).alerts.final()
    assert sorted(one for one in with_lies if one[1].value not in lied_of) == sorted(
        one for one in without if one[1].value not in lied_of
    )
