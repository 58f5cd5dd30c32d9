"""B-cubed by counting equals B-cubed by its definition, for groups that overlap as well."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.measure.bcubed import Groups, precisions
from tests.score_oracle import precision_of

ITEMS = st.integers(0, 12)
OVERLAPPING = st.dictionaries(ITEMS, st.frozensets(st.sampled_from("abcd"), min_size=1))
PARTITION = st.dictionaries(ITEMS, st.sampled_from("abcd").map(lambda name: frozenset({name})))
GROUPINGS = OVERLAPPING | PARTITION


@given(GROUPINGS, GROUPINGS)
def test_it_is_what_the_definition_says(told: dict[int, Groups], true: dict[int, Groups]) -> None:
    assert precisions(told, true) == pytest.approx(
        {item: float(precision_of(item, told, true)) for item in told}, abs=1e-12
    )


@given(GROUPINGS)
def test_a_grouping_agrees_with_itself(groups: dict[int, Groups]) -> None:
    assert precisions(groups, groups) == dict.fromkeys(groups, 1.0)


@given(GROUPINGS, GROUPINGS, st.randoms())
def test_order_changes_no_bit(
    told: dict[int, Groups], true: dict[int, Groups], random: Random
) -> None:
    items = list(told)
    random.shuffle(items)
    assert precisions({item: told[item] for item in items}, true) == precisions(told, true)


def test_the_example_of_bagga_and_baldwin() -> None:
    """Two true groups in one that was told: precision 76 %, recall 100 %."""
    true = {**dict.fromkeys("12345", frozenset("A")), **dict.fromkeys("67", frozenset("B")),
            **dict.fromkeys("89abc", frozenset("C"))}  # fmt: skip
    told = {**dict.fromkeys("12345", frozenset("x")), **dict.fromkeys("6789abc", frozenset("y"))}
    precision = precisions(told, true)
    assert sum(precision.values()) / 12 == pytest.approx(16 / 21)
    assert sum(precisions(true, told).values()) / 12 == 1
