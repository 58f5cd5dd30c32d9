"""What `explain` says in words of what was merged, taken back or labelled, and of base rules."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.alert import alert
from pipeline.campaign.campaign import Status, Word
from pipeline.campaign.label import Verdict
from pipeline.episode import Change, Episode
from pipeline.explain import absence, found, grouped, words
from pipeline.explain.inquiry import Inquiry
from pipeline.geo import Geo
from pipeline.rule import Field, Level, Rule, Selection
from tests.unit import told
from tests.unit.making import HOUR, rule

OURS = told.campaign("ours", (("ip", "198.18.0.1"),))
WORD = Word(Verdict.FALSE_POSITIVE, "ann", "a test of ours", 80, 1)


def inquiry(*rules: Rule) -> Inquiry:
    return Inquiry(rules, None, {("ip", "198.18.0.1")}, {})


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"status": Status.MERGED, "merged_into": "theirs"}, "merged into theirs, which goes on"),
        ({"split_from": "theirs"}, "split from theirs"),
        ({"withdrawn": True}, "withdrawn: by what is known now it does not hold"),
        (
            {"label": WORD},
            "label false-positive, says ann, 80 percent sure, on the ground: a test of ours",
        ),
    ],
)
def test_what_became_of_a_campaign_is_said(changed: dict[str, Any], line: str) -> None:
    def said(**changed: Any) -> list[str]:
        one = msgspec.structs.replace(OURS, **changed)
        return list(words.of_campaign(grouped.explained(one, {}, [], inquiry())))

    assert line in said(**changed)
    assert line not in said()


def test_an_alert_that_was_merged_is_none_and_says_where_it_went() -> None:
    asked = rule()
    gone = Episode(
        "old", asked, "198.18.0.1", Change.MERGED, 1, 2, ("AT",), ("org-at",), merged_into="new"
    )
    finding = alert(gone, Geo())
    explained = found.explained(finding, asked, inquiry(asked), lowers=True)
    assert "merged into new, which goes on" in words.of_alert(explained)
    answer = absence.why_not(("ip", "198.18.0.1"), inquiry(asked), [finding], (), lowers=True)
    assert answer.alerts == ()


@pytest.mark.parametrize(
    ("field", "ordered", "said"),
    [
        ("country", False, "ip, scan or any event, within 1 hour, low"),
        ("rule", False, "ip, scan, any event, within 1 hour, low"),
        ("rule", True, "ip, scan, then any event, within 1 hour, low"),
    ],
)
def test_whether_base_rules_are_asked_each_or_any_or_in_order(
    field: Field, ordered: bool, said: str
) -> None:
    scan = Selection("scan", "digest", (), lambda _: True)
    asked = Rule(
        "r", "t", Level.LOW, "ip", HOUR, field, 2, selections=(scan, None), ordered=ordered
    )
    one = Episode("a", asked, "198.18.0.1", Change.CLOSED, 1, 2, ("AT",), ("org-at",))
    explained = found.explained(alert(one, Geo()), asked, inquiry(asked), lowers=True)
    assert f"rule 't' (r): {said}" in words.of_alert(explained)
