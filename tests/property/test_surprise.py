"""The statistics of surprise: against enumeration, against quadrature with more nodes, calibrated."""

from __future__ import annotations

from itertools import product
from math import comb, exp, isclose, prod
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import surprise
from pipeline.rule import Level, Rule
from pipeline.surprise import STRETCH, Background, Chance, base_slices, lowered, mixed_tail, tail

probabilities = st.lists(
    st.sampled_from([0.0, 1e-12, 0.5, 1.0]) | st.floats(0, 1), min_size=0, max_size=9
)
HOUR = 3_600_000


def rule(kind: str = "ip", field: str = "country", timespan: int = HOUR) -> Rule:
    return Rule("id", "title", Level.HIGH, kind, timespan, field, 3)  # type: ignore[arg-type]


@settings(max_examples=400, deadline=None)
@given(probabilities, st.integers(-1, 10))
def test_the_tail_is_every_outcome_counted(probabilities: list[float], k: int) -> None:
    counted = sum(
        prod(p if happens else 1 - p for p, happens in zip(probabilities, outcome, strict=True))
        for outcome in product([False, True], repeat=len(probabilities))
        if sum(outcome) >= k
    )
    assert isclose(tail(probabilities, k), counted, rel_tol=1e-12, abs_tol=1e-300)


def test_the_smallest_tail_is_as_exact_as_the_largest() -> None:
    assert isclose(tail([1e-20] * 12, 10), comb(12, 10) * 1e-200, rel_tol=1e-12)


def negative_binomial(shape: int, ratio: float, k: int) -> float:
    """P(N >= k) of the sightings N in the stretch: exactly the conditional test, by its sum."""
    q = ratio / (1 + ratio)
    total = shape + k - 1
    return sum(comb(total, i) * q**i * (1 - q) ** (total - i) for i in range(k, total + 1))


@pytest.mark.parametrize("shape", [1, 2, 5, 40, 700])
@pytest.mark.parametrize("ratio", [0.25, 1.0, 2.0])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_with_very_many_groups_it_is_the_conditional_test(shape: int, ratio: float, k: int) -> None:
    exact = negative_binomial(shape, ratio, k)
    found = mixed_tail([1 / 4_000] * 4_000, k, shape, ratio) if shape < 5 else None
    if found is not None:
        assert isclose(found, exact, rel_tol=0.01)
    # Fewer groups make as many distinct ones rarer, never more frequent.
    assert mixed_tail([1 / 8] * 8, k, shape, ratio) <= exact * (1 + 1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 3000), st.sampled_from([0.25, 1, 2]))
def test_the_nodes_are_enough(groups: int, k: int, shape: int, ratio: float) -> None:
    shares = [1 / groups] * groups
    found = mixed_tail(shares, k, shape, ratio)
    with patch.object(surprise, "_NODES", 1500):
        assert isclose(found, mixed_tail(shares, k, shape, ratio), rel_tol=1e-6, abs_tol=1e-250)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 500), st.integers(1, 8), st.sampled_from(["ip", "credential"]))
def test_more_before_is_less_of_a_surprise_and_more_countries_are_more(
    before: int, spread: int, kind: str
) -> None:
    chance = Chance(rule(kind), Background(8, 20))
    p = chance.p_value(before, spread)
    assert 0 < p <= 1
    assert chance.p_value(before + 1, spread) >= p
    assert chance.p_value(before, spread + 1) <= p
    assert Chance(rule("credential"), Background(8, 20)).p_value(before, spread) >= (
        Chance(rule("ip"), Background(8, 20)).p_value(before, spread)
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 50), min_size=2, max_size=7),
    st.integers(1, 7),
    st.sampled_from([0.1, 1.0, 5.0]),
)
def test_equal_shares_are_on_the_safe_side(volumes: list[int], k: int, mean: float) -> None:
    def chance(shares: list[float]) -> float:
        return tail([1 - exp(-mean * share) for share in shares], k)

    uneven = [volume / sum(volumes) for volume in volumes]
    assert chance(uneven) <= chance([1 / len(volumes)] * len(volumes)) * (1 + 1e-9)


def poisson(random: Random, mean: float) -> int:
    count, elapsed = 0, random.expovariate(1.0)
    while elapsed < mean:
        count += 1
        elapsed += random.expovariate(1.0)
    return count


@pytest.mark.parametrize("volumes", [(1,) * 8, (40, 20, 10, 5, 3, 2, 1, 1)], ids=["even", "uneven"])
@pytest.mark.parametrize("per_window", [0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0])
def test_calibrated_on_pure_background(per_window: float, volumes: tuple[int, ...]) -> None:
    """Whatever an indicator's rate: P(p <= 0.01) <= 0.015, its sightings being counted as the
    pipeline counts them, once a party and slice."""
    random = Random(f"{per_window} {volumes}")
    chance = Chance(rule(), Background(len(volumes), len(volumes)))
    tries = 6_000
    per_slice = per_window / 60

    def seen(slices: int) -> set[tuple[int, int]]:
        """Country and slice of each sighting."""
        countries = random.choices(
            range(len(volumes)), volumes, k=poisson(random, per_slice * slices)
        )
        return {(country, random.randrange(slices)) for country in countries}

    low = 0
    for _ in range(tries):
        before = len(seen(chance.base))
        spread = len({country for country, _ in seen(STRETCH)})
        low += chance.p_value(before, spread) <= 0.01
    assert low <= 0.015 * tries


def test_what_is_counted_before() -> None:
    assert base_slices(HOUR) == 480
    assert base_slices(24 * HOUR) == 480
    assert base_slices(48 * HOUR) == 240
    assert base_slices(30 * 24 * HOUR) == 60


def test_by_the_rule_s_field() -> None:
    of = Background(3, 50)
    assert Chance(rule(), of).p_value(0, 3) < (Chance(rule(field="organisation"), of).p_value(0, 3))


def test_a_registry_that_shrank() -> None:
    assert 0 < Chance(rule(), Background(2, 2)).p_value(0, 5) < 1


@pytest.mark.parametrize(
    ("p_value", "levels"), [(None, 0), (0.0001, 0), (0.05, 0), (0.051, 1), (0.5, 1), (0.51, 2)]
)
def test_what_is_likely_lowers(p_value: float | None, levels: int) -> None:
    assert lowered(p_value) == levels
