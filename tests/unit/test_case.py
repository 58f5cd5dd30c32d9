"""Who takes campaigns over: what is told before all that its predecessor had is read, and after."""

from __future__ import annotations

from faust.types import TP

from pipeline.alert import encode
from pipeline.campaign.campaign import Campaign
from pipeline.shell.case import READ, Case
from pipeline.sight import UNKNOWN_WATERMARK
from pipeline.watermark import Watermarks
from tests.property.test_campaign import ALERTS, WORLD, desk, told
from tests.unit.making import HOUR, Record, record

SIGHTINGS, RAISED = TP("sightings", 0), TP("alerts", 0)
SEEN: list[Record] = [record(one) for one in WORLD]


def successor(before: list[Campaign], upto: dict[TP, int]) -> Case:
    case = Case(desk(), [Watermarks(HOUR)], {name: name for name in READ})
    for one in before:
        case.desk.remember(one)
    case.follow(upto)
    for nth, alert in enumerate(ALERTS):
        case.take(RAISED, (str(nth).encode(), encode(alert)))
    return case


def read(case: Case, records: list[Record], upto: int) -> None:
    for one in records:
        case.take(SIGHTINGS, one)
    case.has_read(SIGHTINGS, upto)


def test_what_was_told_is_not_taken_back_before_what_led_to_it_is_read() -> None:
    before = told([*WORLD, *ALERTS])
    case = successor(before, {SIGHTINGS: len(SEEN)})
    assert case.look() == []
    read(case, SEEN[:300], 300)
    assert case.look() == []
    assert case.desk.changed, "a look is owed"
    read(case, SEEN[300:], len(SEEN))
    assert not case.unread
    assert case.look() == [], "it is as it was told"


def test_what_is_new_is_told_when_all_is_read() -> None:
    whole = told([*WORLD, *ALERTS])
    case = successor(whole[:1], {SIGHTINGS: len(SEEN)})
    read(case, SEEN, len(SEEN) - 1)
    assert case.look() == []
    case.has_read(SIGHTINGS, len(SEEN))
    assert case.look() == whole[1:]
    assert case.look() == []


def test_nobody_waits_where_nothing_was_told() -> None:
    case = successor([], {SIGHTINGS: len(SEEN)})
    assert not case.unread
    read(case, SEEN, len(SEEN))
    assert case.look() == told([*WORLD, *ALERTS])
    assert case.watermark == UNKNOWN_WATERMARK
