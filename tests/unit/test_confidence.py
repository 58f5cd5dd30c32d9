"""How sure one may be of a campaign, in numbers that one can work out by hand."""

from __future__ import annotations

import pytest

from pipeline.campaign.campaign import together
from pipeline.campaign.confidence import HALVES_MS, Trust, confidence
from pipeline.campaign.evidence import Evidence
from pipeline.campaign.kin import Kin, network
from pipeline.campaign.label import About, Label, Labels, Marked, Verdict, key
from pipeline.sight import Group, Sightings

HOUR = 3_600_000


def test_each_organisation_counts_once_and_as_far_as_it_is_trusted() -> None:
    sure = confidence(Trust({"a": 0.9, "b": 0.8}), {"a": 0, "b": 0})
    assert (sure.number, sure.word, sure.grade) == (98, "almost certain", "B1")
    assert [(one.organisation, one.trust, one.weight) for one in sure.witnesses] == [
        ("a", 0.9, 0.9),
        ("b", 0.8, 0.8),
    ]


def test_where_nobody_stated_trust_it_cannot_be_judged() -> None:
    sure = confidence(Trust({}), {"a": 0, "b": 0, "c": 0})
    assert (sure.number, sure.word, sure.grade) == (88, "very likely", "F2")


def test_who_saw_it_a_week_before_counts_half() -> None:
    sure = confidence(Trust({"a": 0.8}), {"a": 0, "b": HALVES_MS})
    assert [one.weight for one in sure.witnesses] == [0.4, 0.5]
    assert sure.number == 70


def test_a_verdict_moves_trust_by_a_ninth() -> None:
    trust = Trust({"a": 0.9})
    trust.note(["a", "b"], right=False)
    assert trust.of("a") == pytest.approx(0.8)
    assert trust.of("b") == pytest.approx(4 / 9)
    trust.note(["b"], right=True)
    assert trust.of("b") == 0.5
    assert trust.judged("b")


@pytest.mark.parametrize(
    ("p_values", "whole"),
    [([], None), ([0.001], 0.00272), ([0.01, 0.0001], 0.00272), ([1.0, 1.0], 1.0), ([0.0], 0.0)],
)
def test_p_values_together(p_values: list[float], whole: float | None) -> None:
    assert together(p_values) == whole


def label(at: int, verdict: Verdict = Verdict.BENIGN, identity: str = "x") -> Label:
    marked = (Marked("ip", "1.1.1.1"),)
    return Label(identity, About.ALERT, verdict, "ann", at, indicators=marked)


def test_the_newest_label_stands_whatever_the_order() -> None:
    for order in ((1, 2), (2, 1), (2, 1, 2)):
        labels = Labels()
        for at in order:
            labels.add(label(at, Verdict.CONFIRMED if at == 2 else Verdict.BENIGN))
        assert [one.at for one in labels.standing] == [2]
        assert labels.left_out() == set()
    assert key(label(1)) != key(label(2))


def test_what_an_alert_was_found_not_to_be_joins_nothing() -> None:
    labels = Labels()
    labels.add(label(1))
    assert labels.left_out() == {("ip", "1.1.1.1")}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_of_two_alerts_on_one_indicator_the_latest_word_counts(order: tuple[int, ...]) -> None:
    said = [label(1, Verdict.FALSE_POSITIVE, "old"), label(2, Verdict.CONFIRMED, "new")]
    labels = Labels()
    for nth in order:
        labels.add(said[nth])
    assert labels.left_out() == set()
    labels.add(label(3, Verdict.BENIGN, "old"))
    assert labels.left_out() == {("ip", "1.1.1.1")}


def test_two_words_of_one_moment_are_one_whatever_the_order() -> None:
    said = [label(1, Verdict.CONFIRMED), label(1, Verdict.BENIGN)]
    found = []
    for order in (said, said[::-1]):
        labels = Labels()
        for one in order:
            labels.add(one)
        found.append((labels.of("x"), labels.left_out()))
    assert found[0] == found[1]


def test_networks_that_few_come_from_are_kin() -> None:
    evidence = Evidence({"ip": HOUR})
    values = ["1.2.3.4", "1.2.3.5", *(f"9.9.{n}.1" for n in range(99))]
    evidence.observe(Sightings("t/0", "a", "AT", 0, 0, [Group("ip", values, [0] * 101, [0] * 101)]))
    kin = Kin(evidence)
    assert kin.chance(("ip", "1.2.3.4"), ("ip", "1.2.3.5")) == 0.01
    assert kin.chance(("ip", "1.2.3.4"), ("ip", "9.9.1.1")) is None
    assert kin.chance(("ip", "1.2.3.4"), ("domain", "1.2.3.5")) is None
    assert network("2001:db8:1::1") == network("2001:db8:1:ffff::2") != network("2001:db8:2::1")
