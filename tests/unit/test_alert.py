"""An episode's revision as an OCSF Detection Finding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline import __version__
from pipeline.alert import alert, encode
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.rule import Level
from tests.unit.making import at, rule


class Places:
    """A database that knows one address."""

    def get(self, ip_address: str, /) -> Any:
        return {"country_code": "AU"} if ip_address == "1.1.1.1" else None


def revision(
    change: Change = Change.OPENED,
    kind: str = "ip",
    value: str = "1.1.1.1",
    level: Level = Level.MEDIUM,
    organisations: tuple[str, ...] = ("a", "b"),
    into: str | None = None,
) -> Episode:
    return Episode(
        "the-id", rule(kind, level=level), value, change, at("12:00"), at("12:30"),
        ("AT", "CZ", "SK"), organisations, into,
    )  # fmt: skip


def finding(episode: Episode, geo: Geo | None = None) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(encode(alert(episode, geo or Geo())))
    return said


def test_what_is_everywhere_always_is_informational() -> None:
    said = finding(replace(revision(level=Level.CRITICAL), p_value=0.0001, endemic=True))
    assert (said["severity_id"], said["unmapped"]["endemic"]) == (1, True)


def test_a_finding_says_what_the_contract_says() -> None:
    assert finding(revision(), Geo(Places())) == {
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": 2004,
        "type_uid": 200401,
        "severity_id": 3,
        "status_id": 1,
        "time": at("12:30"),
        "message": "the same ip seen by 2 organisations in AT, CZ, SK",
        "metadata": {
            "version": "1.5.0",
            "product": {"name": "Sightline", "vendor_name": "Sightline", "version": __version__},
        },
        "finding_info": {
            "uid": "the-id",
            "title": "Rule ip-3600000-country-3",
            "first_seen_time": at("12:00"),
            "last_seen_time": at("12:30"),
            "analytic": {
                "type_id": 1,
                "uid": "ip-3600000-country-3",
                "name": "Rule ip-3600000-country-3",
            },
        },
        "observables": [{"name": "ip", "type_id": 2, "value": "1.1.1.1"}],
        "unmapped": {
            "countries": ["AT", "CZ", "SK"],
            "organisations": ["a", "b"],
            "origin": {"country": "AU", "asn": None, "as_name": None},
            "known_benign": [],
            "p_value": None,
            "endemic": False,
        },
    }


@pytest.mark.parametrize(
    ("change", "activity", "status"),
    [
        (Change.OPENED, 1, 1),
        (Change.UPDATED, 2, 2),
        (Change.CLOSED, 3, 4),
        (Change.MERGED, 3, 4),
    ],
)
def test_what_became_of_it(change: Change, activity: int, status: int) -> None:
    said = finding(revision(change))
    assert (said["activity_id"], said["status_id"]) == (activity, status)
    assert said["type_uid"] == 200400 + activity


def test_a_merged_alert_says_where_it_went() -> None:
    said = finding(revision(Change.MERGED, into="older"))
    assert said["unmapped"]["merged_into"] == "older"
    assert said["message"] == "merged into older"
    assert "merged_into" not in finding(revision(Change.CLOSED))["unmapped"]


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (Level.INFORMATIONAL, 1),
        (Level.LOW, 2),
        (Level.MEDIUM, 3),
        (Level.HIGH, 4),
        (Level.CRITICAL, 5),
    ],
)
def test_severity(level: Level, severity: int) -> None:
    assert finding(revision(level=level))["severity_id"] == severity


@pytest.mark.parametrize(
    ("level", "p_value", "severity"),
    [
        (Level.HIGH, 1e-9, 4),
        (Level.HIGH, 0.05, 4),
        (Level.HIGH, 0.3, 3),
        (Level.HIGH, 0.9, 2),
        (Level.LOW, 0.9, 1),
        (Level.INFORMATIONAL, 1e-9, 1),
    ],
)
def test_what_is_likely_by_chance_is_less_severe(
    level: Level, p_value: float, severity: int
) -> None:
    said = finding(replace(revision(level=level), p_value=p_value))
    assert said["severity_id"] == severity
    assert said["unmapped"]["p_value"] == p_value


@pytest.mark.parametrize(
    ("kind", "type_id", "type_"),
    [
        ("ip", 2, None),
        ("domain", 1, None),
        ("url", 6, None),
        ("md5", 8, None),
        ("sha1", 8, None),
        ("sha256", 8, None),
        ("ja3", 99, "ja3"),
        ("ja4", 99, "ja4"),
        ("hassh", 99, "hassh"),
        ("credential", 19, None),
        ("user_agent", 16, None),
        ("cve", 18, None),
        ("purl", 99, "purl"),
    ],
)
def test_the_indicator(kind: str, type_id: int, type_: str | None) -> None:
    (observable,) = finding(revision(kind=kind, value="x"))["observables"]
    assert observable["name"] == kind
    assert observable["type_id"] == type_id
    assert observable.get("type") == type_
    assert observable["value"] == "x"


def test_only_an_address_has_an_origin() -> None:
    geo = Geo(Places())
    assert finding(revision(value="1.1.1.1"), geo)["unmapped"]["origin"]["country"] == "AU"
    assert finding(revision(value="9.9.9.9"), geo)["unmapped"]["origin"] is None
    assert finding(revision(kind="domain", value="1.1.1.1"), geo)["unmapped"]["origin"] is None
    assert finding(revision())["unmapped"]["origin"] is None


def test_one_organisation_is_one() -> None:
    said = finding(revision(organisations=("a",)))
    assert said["message"] == "the same ip seen by 1 organisation in AT, CZ, SK"
