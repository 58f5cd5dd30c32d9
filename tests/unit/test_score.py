"""What each figure of `sightline score` means, on campaigns one can count by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measure.score import Score, score
from pipeline.measure.told import Told, read_alerts, read_told, read_truths
from pipeline.shell.score_view import score_lines
from pipeline.world.truth import Marked, Truth
from tests.score_oracle import figures


def marked(values: str) -> tuple[Marked, ...]:
    return tuple(Marked("ip", value) for value in values)


def true(name: str, values: str, fringe: str = "", kind: str = "worm", kth: int = 1_000) -> Truth:
    return Truth(name, kind, marked(values), ("AT", "BR", "CZ"), 0, kth, ("e",), marked(fringe))


def told(name: str, values: str, **more: Any) -> Told:
    return Told(name, marked(values), **more)


TRUTHS = [true("1", "abcd", fringe="xy"), true("2", "ef", kind="ddos", kth=5_000)]


def test_a_perfect_answer() -> None:
    result = score(TRUTHS, [told("A", "abcd", first_told=1_400), told("B", "ef", first_told=4_000)])
    assert (result.precision, result.recall, result.found, result.real) == (1, 1, 2, 2)
    assert (result.bcubed.precision, result.bcubed.recall, result.bcubed.f1) == (1, 1, 1)
    assert (result.delay.median_ms, result.delay.worst_ms) == (-300, 400)
    assert result.delay.each_ms == {"1": 400, "2": -1_000}
    assert result.told_a_found == result.most_told_of_one == 1


def test_all_in_one() -> None:
    """More than half of it is the first one's: that one is found, and nothing else."""
    result = score(TRUTHS, [told("A", "abcdef")])
    assert (result.precision, result.recall) == (1, 0.5)
    assert result.bcubed.recall == 1
    assert result.bcubed.precision == pytest.approx((4 * 4 / 6 + 2 * 2 / 6) / 6)
    assert [row.kind for row in result.kinds] == ["ddos", "worm"]
    assert result.kinds[0].missed == ("2",)


def test_half_is_no_majority() -> None:
    assert score(TRUTHS, [told("A", "abef")]).real == 0


def test_each_alone() -> None:
    result = score(TRUTHS, [told(value, value) for value in "abcdef"])
    assert (result.precision, result.recall, result.bcubed.precision) == (1, 1, 1)
    assert result.bcubed.recall == pytest.approx((4 * 1 / 4 + 2 * 1 / 2) / 6)
    assert (result.told_a_found, result.most_told_of_one) == (3, 4)


def test_nothing_told() -> None:
    result = score(TRUTHS, [])
    assert (result.precision, result.recall, result.bcubed.f1) == (None, 0, 0)
    assert (result.bcubed.precision, result.bcubed.recall) == (None, 0)
    assert result.told_a_found is result.reduction is None


def test_nothing_true() -> None:
    result = score([], [told("A", "ab")])
    assert (result.precision, result.recall, result.bcubed.f1) == (0, None, 0)
    assert score([], []).bcubed.f1 is None


def test_what_is_no_campaigns_lowers_precision() -> None:
    result = score(TRUTHS, [told("A", "abcd"), told("B", "ef"), told("C", "nm")])
    assert result.precision == pytest.approx(2 / 3)
    assert result.bcubed.precision == pytest.approx(6 / 8)
    assert result.bcubed.recall == 1


def test_the_fringe_is_neither_asked_for_nor_a_fault() -> None:
    result = score(TRUTHS, [told("A", "abcdxy"), told("B", "ef"), told("C", "x")])
    assert (result.bcubed.f1, result.precision, result.real) == (1, 1, 3)


def test_merged_campaigns_are_no_items_but_had_been_told() -> None:
    result = score(
        TRUTHS,
        [
            told("A", "abcd", first_told=9_000),
            told("B", "ab", status="merged", merged_into="C", first_told=2_000),
            told("C", "ab", status="merged", merged_into="A", first_told=3_000),
        ],
    )
    assert (result.told, result.real, result.delay.median_ms) == (1, 1, 1_000)


def test_a_ring_of_merged_ones_ends() -> None:
    ring = [
        told("A", "ab", status="merged", merged_into="B", first_told=1),
        told("B", "ab", status="merged", merged_into="A", first_told=1),
    ]
    assert score(TRUTHS, ring).told == 0


def test_alerts_are_counted_where_they_are_known() -> None:
    campaigns = [told("A", "abcd", alerts=("1", "2", "3")), told("B", "ef", alerts=("3", "4"))]
    assert score(TRUTHS, campaigns).alerts == 4
    assert score(TRUTHS, campaigns).reduction == 0.5
    assert score(TRUTHS, campaigns, alerts=200).reduction == 0.99
    assert score(TRUTHS, [told("A", "ab")]).reduction is None


VALUES = st.text("abcdefxyn", max_size=8)


@settings(deadline=None)
@given(
    st.lists(st.tuples(VALUES, VALUES, st.integers(0, 9)), max_size=4),
    st.lists(st.tuples(VALUES, st.none() | st.integers(0, 99)), max_size=6),
)
def test_every_figure_is_what_a_naive_recomputation_says(
    truths: list[tuple[str, str, int]], campaigns: list[tuple[str, int | None]]
) -> None:
    taken: set[str] = set()
    said: list[dict[str, Any]] = []
    for number, (own, fringe, kth) in enumerate(truths):
        mine, its = sorted(set(own) - taken), sorted(set(fringe) - taken - set(own))
        taken |= {*mine, *its}
        said.append(
            {
                "campaign": f"t{number}",
                "kind": "worm",
                "indicators": [{"type": "ip", "value": value} for value in mine],
                "fringe": [{"type": "ip", "value": value} for value in its],
                "countries": [],
                "first_event": 0,
                "kth_country_event": kth,
                "events": [],
            }
        )
    answers: list[dict[str, Any]] = [
        {"id": f"c{number}", "indicators": [{"type": "ip", "value": value} for value in values]}
        | ({} if first is None else {"first_told": first})
        for number, (values, first) in enumerate(campaigns)
    ]
    result = scored(said, answers)
    wanted = figures(said, answers)
    assert (result.recall, result.precision) == (wanted.recall, wanted.precision)
    assert result.delay.median_ms == wanted.delay
    for is_, ought in zip(
        (result.bcubed.precision, result.bcubed.recall, result.bcubed.f1),
        (wanted.b3_precision, wanted.b3_recall, wanted.b3_f1),
        strict=True,
    ):
        assert is_ == (None if ought is None else pytest.approx(ought, abs=1e-12))
    assert list(score_lines(result))


def scored(truths: list[dict[str, Any]], campaigns: list[dict[str, Any]]) -> Score:
    true_ones, wrong = read_truths([json.dumps(one).encode() for one in truths], "truth")
    told_ones, also_wrong = read_told([json.dumps(one).encode() for one in campaigns], "campaigns")
    assert wrong == also_wrong == []
    return score(true_ones, told_ones)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "f:2: not JSON: "),
        (b"[" * 3000, "f:2: "),
        (b"[]", "f:2: Expected `object`, got `array`"),
        (b'{"indicators": []}', "f:2: Object missing required field `id`"),
        (b'{"id": "", "indicators": []}', "$.id"),
        (b'{"id": "b", "indicators": [{"type": "ip"}]}', "$.indicators[0]"),
        (b'{"id": "b", "indicators": [{"type": "ipp", "value": "a"}]}', "did you mean 'ip'?"),
        (b'{"id": "a", "indicators": []}', "'a' is there twice, first on line 1"),
        (b'{"id": "b\xff", "indicators": []}', "f:2: "),
    ],
)
def test_a_bad_line_is_named(line: bytes, says: str) -> None:
    _, problems = read_told([b'{"id": "a", "indicators": []}\n', line, b"\n"], "f")
    (problem,) = problems
    assert says in str(problem)


def test_a_campaign_merged_into_none_is_told() -> None:
    line = b'{"id": "a", "indicators": [], "status": "merged", "merged_into": "b"}'
    assert str(read_told([line], "f")[1][0]) == (
        "f: campaign 'a' is merged into 'b', which is not there"
    )


def test_each_alert_counts_once_whatever_its_revisions() -> None:
    lines = [b'{"finding_info": {"uid": "%s"}}' % uid for uid in (b"a", b"b", b"a")]
    assert read_alerts(lines, "f") == (2, [])
    assert "finding_info" in str(read_alerts([b"{}"], "f")[1][0])
