"""Filters as people write them, and what they hear of a mistake."""

from __future__ import annotations

import pytest

from pipeline.alert import alert
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.share.filter import Condition, Fault, chosen, parse
from pipeline.share.subject import of_alert, of_campaign
from tests.unit.making import at, rule
from tests.unit.telling import campaign

CAMPAIGN = of_campaign(campaign("cz", "ke", "br"), ["One source in three countries"])
ALERT = of_alert(
    alert(
        Episode(
            rule=rule(),
            change=Change.OPENED,
            id="a-1",
            value="218.237.65.47",
            first_seen=at("12:00"),
            last_seen=at("12:05"),
            countries=("BR", "CZ", "KE"),
            organisations=("a", "b", "c"),
        ),
        Geo(),
    )
)


def read(text: str) -> Condition:
    found = parse(text)
    assert not isinstance(found, Fault), found
    return found


@pytest.mark.parametrize(
    "text",
    [
        "country = CZ",
        "country in (de, KE)",
        "not country = DE and countries >= 3",
        "country = DE or country = CZ and type = ip",
        "value ~ 218.*",
        'value = "218.237.65.47"',
        "severity>=medium",
        "severity != low",
        "organisation ~ *",
        "(country = DE or country = CZ) and not (severity > high)",
        "not not country = CZ",
        "COUNTRY = cz AND Type IN (ip)",
        "confidence != 3 or kind = alert",
    ],
)
def test_what_fits(text: str) -> None:
    assert read(text).holds(CAMPAIGN)
    assert read(text).holds(ALERT)


@pytest.mark.parametrize(
    "text",
    ["country = DE", "not country = CZ", "country != CZ", "severity < 2", "countries > 3",
     "benign ~ *", "origin = CZ", "country = DE and country = CZ or type = url"],
)  # fmt: skip
def test_what_does_not(text: str) -> None:
    assert not read(text).holds(CAMPAIGN)
    assert not read(text).holds(ALERT)


def test_a_campaign_has_the_rules_of_its_alerts() -> None:
    assert read('rule ~ "*three countries*" and confidence >= 50').holds(CAMPAIGN)
    assert not read("confidence >= 0").holds(ALERT)


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("contry = CZ", 0, "there is no field 'contry'; did you mean 'country'?"),
        ("country < CZ", 0, "country is a text: it cannot be compared with <"),
        ("severity ~ high", 0, "severity is a number: it cannot be compared with ~"),
        ("severity >= hihg", 12, "severity 'hihg' is no number, or unknown, informational"),
        ("country =", 9, "here a value is missing"),
        ("country CZ", 8, "'CZ' is no comparison: = != ~ < <= > >= in"),
        ("country = CZ type = ip", 13, "'type' is too much: `and` or `or` goes on"),
        ("(country = CZ", 13, "here ')' is missing"),
        ("country in CZ", 11, "here '(' is missing"),
        ('value = "x', 8, "a quotation mark or a ! stands alone here"),
        ("not " * 40 + "type = ip", 128, "nested deeper than 32 levels"),
        ("x" * 5000, 0, "it is 5000 characters long, 4096 at most"),
        ("and", 0, "here a field is missing"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, at: int, message: str) -> None:
    found = parse(text)
    assert isinstance(found, Fault)
    assert (found.at, found.message[: len(message)]) == (at, message)


def test_options_are_all_of_them_together() -> None:
    def holds(**options: object) -> bool:
        found = chosen(**options)  # type: ignore[arg-type]
        assert not isinstance(found, Fault)
        return found.holds(CAMPAIGN)

    assert holds()
    assert holds(countries=["de", "CZ"], min_severity="low", types=["ip"])
    assert not holds(countries=["CZ"], types=["url"])
    assert not holds(countries=["CZ"], where="country = DE")
    assert isinstance(chosen(min_severity="loud"), Fault)
    assert isinstance(chosen("country"), Fault)
