"""What an analyst's word is made of, and of what none can be said."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.alert import alert
from pipeline.campaign.campaign import Status
from pipeline.campaign.label import About, Marked, Verdict
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.shell.labelling import label_for
from pipeline.shell.settings import WrongUseError
from pipeline.view import facet, line
from tests.unit import told
from tests.unit.making import rule

OURS = told.campaign("ours", (("ip", "198.18.0.1"),))


def raised(change: Change, into: str | None = None) -> Episode:
    return Episode("old", rule(), "198.18.0.1", change, 1, 2, ("AT",), ("org-at",), into)


def test_a_word_holds_what_it_was_said_of() -> None:
    for found, about in (
        (OURS, About.CAMPAIGN),
        (alert(raised(Change.OPENED), Geo()), About.ALERT),
    ):
        said = label_for(found, Verdict.BENIGN, "ann", "seen it", 80)
        assert (said.about, said.by, said.basis, said.confidence) == (about, "ann", "seen it", 80)
        assert said.indicators == (Marked("ip", "198.18.0.1"),)


def test_what_is_shown_of_a_campaign_is_what_stands_over_it() -> None:
    """Who looks for what nobody has labelled finds what was raised again."""
    said = label_for(OURS, Verdict.FALSE_POSITIVE, "ann", "", 90)
    grown = told.campaign("ours", [("ip", f"198.18.0.{n}") for n in range(1, 4)])
    shown = [
        facet.of_campaign(one, {}, said, facet.Beside()) & {"label:none", "label:false-positive"}
        for one in (OURS, grown)
    ]
    assert shown == [{"label:false-positive"}, {"label:none"}]
    assert [line.of_campaign(one, frozenset(), 1, said).verdict for one in (OURS, grown)] == [
        Verdict.FALSE_POSITIVE,
        None,
    ]


def test_of_what_was_merged_nothing_is_said_and_where_it_went_is() -> None:
    gone = msgspec.structs.replace(OURS, status=Status.MERGED, merged_into="theirs")
    for found, into in ((gone, "theirs"), (alert(raised(Change.MERGED, "new"), Geo()), "new")):
        with pytest.raises(WrongUseError, match=f"^it was merged into {into}: label that$"):
            label_for(found, Verdict.BENIGN, "ann", "", 90)
