from __future__ import annotations

import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.intake import Intake
from pipeline.registry import Party
from pipeline.share.mark import UNMARKED, Mark, mark_of
from pipeline.sight import Sightings

HOUR = 3_600_000
PARTY = Party("cz-nren", "CZ")


def message(number: int, ip: str, more: str = "", labels: str = "") -> bytes:
    metadata = f'{{"uid": "e{number}"{labels}}}'
    return (
        f'{{"time": {HOUR + number}, "metadata": {metadata}, "device": {{"uid": "s"}}, '
        f'"src_endpoint": {{"ip": "{ip}"}}{more}}}'
    ).encode()


@pytest.mark.parametrize(
    ("labels", "more", "mark"),
    [
        ("", "", UNMARKED),
        (', "labels": ["production", "red"]', "", UNMARKED),
        (', "labels": ["x", "tlp:green"]', "", Mark("GREEN")),
        (', "labels": ["TLP:CLEAR", "tlp:amber+strict"]', "", Mark("AMBER+STRICT")),
        (', "labels": ["PAP:AMBER", "PAP:WHITE"]', "", Mark("", "AMBER")),
        ("", ', "osint": [{"tlp": "AMBER STRICT"}, {"tlp": "WHITE"}]', Mark("AMBER+STRICT")),
        (', "labels": ["tlp:green"]', ', "osint": [{"tlp": "RED"}]', Mark("RED")),
        ("", ', "osint": [{"value": "1.2.3.4"}]', UNMARKED),
        (', "labels": ["tlp:ex:chr"]', "", UNMARKED),
    ],
)
def test_an_event_says_how_it_is_labelled(labels: str, more: str, mark: Mark) -> None:
    (event,) = decode(message(1, "45.148.10.5", more, labels))
    assert isinstance(event, Event)
    assert mark_of(event) == mark


def packed(*messages: bytes) -> list[Sightings]:
    intake = Intake("t/0", {"s": PARTY}, {"s": PARTY}, {"ip": 60 * HOUR}, HOUR, company=True)
    for each in messages:
        assert not intake.read(each, 2 * HOUR)
    return [one for some in intake.pack(1, 0).values() for one in some]


def test_what_is_labelled_otherwise_travels_apart() -> None:
    green, red = ', "labels": ["tlp:green"]', ', "labels": ["tlp:red", "PAP:RED"]'
    found = packed(
        message(1, "45.148.10.5"),
        message(2, "45.148.10.5", labels=green),
        message(3, "45.148.10.5", labels=red),
        message(4, "45.148.10.6", labels=green),
        message(5, "45.148.10.7", labels=', "labels": ["team:red"]'),
    )
    assert {
        (one.tlp, one.pap): dict(zip(group.values, group.first_seen, strict=True))
        for one in found
        for group in one.groups
    } == {
        (None, None): {"45.148.10.5": HOUR + 1, "45.148.10.7": HOUR + 5},
        ("GREEN", None): {"45.148.10.5": HOUR + 2, "45.148.10.6": HOUR + 4},
        ("RED", "RED"): {"45.148.10.5": HOUR + 3},
    }


def test_what_is_not_labelled_travels_together() -> None:
    assert len(packed(message(1, "45.148.10.5"), message(2, "45.148.10.6"))) == 1
