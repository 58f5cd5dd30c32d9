"""Campaigns are a function of what was seen: order, duplicates and batches change nothing."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.campaign.campaign import Campaign, campaigns
from pipeline.campaign.chance import hypergeometric_tail
from pipeline.campaign.evidence import Evidence
from pipeline.episode import Change, Episode
from pipeline.sight import Group, Sightings
from tests.unit.making import HOUR, rule

COUNTRIES = ("AT", "BR", "CZ", "DE", "KE")
LENGTHS = {"ip": HOUR, "sha256": HOUR}


def sighting(country: str, time: int, one: tuple[str, str], *others: tuple[str, str]) -> Sightings:
    group = Group(one[0], [one[1]], [time], [time], [others])
    return Sightings("t/0", f"org-{country.lower()}", country, time, 0, [group])


def strike(number: int, *tools: str, begin: int = 0) -> list[Sightings]:
    """One file brought by each tool to five countries, hours apart."""
    file = ("sha256", f"file-{number}")
    told: list[Sightings] = []
    for nth, country in enumerate(COUNTRIES):
        for tool in tools:
            at = begin + (2 * nth + 1) * HOUR
            told += [
                sighting(country, at, ("ip", tool), file),
                sighting(country, at, file, ("ip", tool)),
            ]
    return told


def noise(events: int) -> list[Sightings]:
    """Sources that are met once each, with files that everybody meets."""
    told: list[Sightings] = []
    for nth in range(events):
        country, file = COUNTRIES[nth % 5], ("sha256", f"common-{nth % 7}")
        source, at = ("ip", f"source-{nth}"), nth % 97 * HOUR
        told += [sighting(country, at, source, file), sighting(country, at, file, source)]
    return told


def alert(name: str, value: str, first: int, kind: str = "ip") -> Episode:
    return Episode(name, rule(kind), value, Change.CLOSED, first, first, ("AT",), ("org-at",))


ALERTS = [
    alert("old", "a", HOUR),
    alert("new", "b", 30 * HOUR),
    alert("file-1", "file-1", 2 * HOUR, "sha256"),
    alert("common", "common-1", 0, "sha256"),
]
WORLD = noise(400) + strike(1, "a") + strike(2, "b", begin=30 * HOUR)


def told(sightings: list[Sightings], alerts: list[Episode]) -> list[Campaign]:
    evidence = Evidence(LENGTHS)
    for one in sightings:
        evidence.observe(one)
    return campaigns(evidence, alerts)


WANTED = told(WORLD, ALERTS)


def test_two_strikes_are_two_campaigns_and_what_is_common_is_none() -> None:
    members = [{one.value for one in campaign.indicators} for campaign in WANTED]
    assert members == [{"a", "file-1"}, {"b", "file-2"}]
    assert [campaign.alerts for campaign in WANTED] == [("old", "file-1"), ("new",)]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 300))
def test_order_and_duplicates_change_nothing(random: Random, twice: int) -> None:
    sightings = WORLD + random.sample(WORLD, twice)
    alerts = list(ALERTS)
    random.shuffle(sightings)
    random.shuffle(alerts)
    assert told(sightings, alerts) == WANTED


def test_what_joins_two_keeps_the_oldest_id() -> None:
    """The tool of the first strike is seen with the file of the second."""
    joined = told([*WORLD, *strike(2, "a", begin=30 * HOUR), *strike(1, "b")], ALERTS)
    assert [campaign.id for campaign in joined] == [WANTED[0].id]
    assert {one.value for one in joined[0].indicators} == {"a", "b", "file-1", "file-2"}


@given(st.integers(1, 40), st.data())
def test_a_tail_is_no_smaller_than_it_is(of: int, data: st.DataObject) -> None:
    from math import comb

    marked, drawn = data.draw(st.integers(0, of)), data.draw(st.integers(0, of))
    hits = data.draw(st.integers(0, drawn))
    exact = sum(
        comb(marked, n) * comb(of - marked, drawn - n) for n in range(hits, min(marked, drawn) + 1)
    ) / comb(of, drawn)
    assert exact <= hypergeometric_tail(hits, drawn, marked, of) * (1 + 1e-9)
