"""Campaigns are a function of what was seen: order, duplicates, batches and crashes change nothing.

Evidence is small enough for Hypothesis here; whole worlds are in `tests/scenarios`, whole
pipelines in `tests/integration`.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.alert import Alert, alert
from pipeline.benign import NOTHING_LISTED
from pipeline.campaign import life
from pipeline.campaign.campaign import (
    Campaign,
    Member,
    Seen,
    Status,
    bounded,
    encode,
    identity,
)
from pipeline.campaign.chance import hypergeometric_tail
from pipeline.campaign.desk import Desk
from pipeline.campaign.evidence import Evidence
from pipeline.campaign.group import candidates, groups
from pipeline.campaign.label import About, Label, Marked, Verdict
from pipeline.campaign.presence import Presence
from pipeline.campaign.room import MOST_BYTES
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.share.terms import Conditions, Terms
from pipeline.share.tlp import Tlp, strictest_tlp
from pipeline.sight import UNKNOWN_WATERMARK, Group, Sightings
from tests.unit.making import HOUR, rule

COUNTRIES = ("AT", "BR", "CZ", "DE", "KE")
Record = Sightings | Alert | Label
LENGTHS = {"ip": HOUR, "sha256": HOUR}
TERMS = Terms({"org-at": Conditions(trust=0.9), "org-br": Conditions(tlp=Tlp.GREEN)})


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


def noise(events: int, begin: int = 0, hours: int = 97) -> list[Sightings]:
    """Sources that are met once each, with files that everybody meets."""
    told: list[Sightings] = []
    for nth in range(events):
        country, file = COUNTRIES[nth % 5], ("sha256", f"common-{nth % 7}")
        source, at = ("ip", f"source-{begin}-{nth}"), begin + nth % hours * HOUR
        told += [sighting(country, at, source, file), sighting(country, at, file, source)]
    return told


def raised(
    name: str, value: str, first: int, kind: str = "ip", change: Change = Change.CLOSED
) -> Alert:
    seen = (("AT",), ("org-at",))
    return alert(Episode(name, rule(kind), value, change, first, first, *seen, p_value=0.01), Geo())


ALERTS = [
    raised("old", "a", HOUR),
    raised("new", "b", 30 * HOUR),
    raised("file-1", "file-1", 2 * HOUR, "sha256"),
    raised("common", "common-1", 0, "sha256"),
]
WORLD = noise(400) + strike(1, "a") + strike(2, "b", begin=30 * HOUR)


def desk() -> Desk:
    return Desk(LENGTHS, NOTHING_LISTED, TERMS)


def take(at: Desk, one: Record) -> None:
    if isinstance(one, Sightings):
        at.observe(one)
    elif isinstance(one, Alert):
        at.raise_(one)
    else:
        at.label(one)


def feed(at: Desk, records: Sequence[Record]) -> None:
    for one in records:
        take(at, one)


def told(records: Sequence[Record]) -> list[Campaign]:
    at = desk()
    feed(at, records)
    return at.look(UNKNOWN_WATERMARK)


def standing(revisions: dict[str, Campaign]) -> list[Campaign]:
    """Those that are; each that was merged leads to one of them, or to what was withdrawn."""
    for one in revisions.values():
        seen = set[str]()
        while one.status is Status.MERGED:
            assert one.id not in seen
            seen.add(one.id)
            one = revisions[str(one.merged_into)]  # noqa: PLW2901
    found = [
        msgspec.structs.replace(one, split_from=msgspec.UNSET)
        for one in revisions.values()
        if one.status is not Status.MERGED and one.withdrawn is msgspec.UNSET
    ]
    return sorted(found, key=lambda one: (one.first_seen, one.id))


WANTED = told([*WORLD, *ALERTS])


def test_two_strikes_are_two_campaigns_and_what_is_common_is_none() -> None:
    members = [{one.value for one in campaign.indicators} for campaign in WANTED]
    assert members == [{"a", "file-1"}, {"b", "file-2"}]
    assert [campaign.alerts for campaign in WANTED] == [("old", "file-1"), ("new",)]
    assert [campaign.id for campaign in WANTED] == [identity(("ip", "a")), identity(("ip", "b"))]


def test_a_campaign_says_who_saw_what_and_when() -> None:
    one = WANTED[0]
    mine = [
        (group.type, value, seen.organisation, seen.country, group.first_seen[0])
        for seen in WORLD
        for group in seen.groups
        for value in group.values
        if Member(group.type, value) in one.indicators
    ]
    assert [(s.type, s.value, s.organisation, s.country, s.first_seen) for s in one.sightings] == (
        sorted(mine, key=lambda each: (each[4], *each[:4]))
    )
    assert all(seen.last_seen == seen.first_seen and seen.slices == 1 for seen in one.sightings)
    assert one.sightings_omitted is msgspec.UNSET


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 9))), st.integers(1))
def test_of_many_sightings_each_partys_first_is_the_last_to_go(
    many: set[tuple[int, int, int]], most: int
) -> None:
    all_ = [Seen("ip", f"{v}", f"org-{p}", "AT", at, at, 1) for v, p, at in many]
    kept, omitted = bounded(all_, most)
    assert len(kept) == min(most, len(all_)) == len(all_) - omitted
    assert set(kept) <= set(all_)
    assert list(kept) == sorted(kept, key=lambda one: (one.first_seen, one.value, one.organisation))
    parties = {one.organisation for one in all_}
    if most >= len(parties):
        first = {p: min(one.first_seen for one in all_ if one.organisation == p) for p in parties}
        for one in parties:
            assert first[one] == min(each.first_seen for each in kept if each.organisation == one)


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 300))
def test_order_and_duplicates_change_nothing(random: Random, twice: int) -> None:
    records: list[Record] = [*WORLD, *random.sample(WORLD, twice), *ALERTS]
    random.shuffle(records)
    assert told(records) == WANTED


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_which_of_two_as_likely_is_told_depends_on_no_order(random: Random, alone: int) -> None:
    """A tool keeps to its file and the file to its tool, each as unlikely by chance."""
    other = ("sha256", "other")
    records: list[Record] = [*WORLD, *ALERTS]
    for nth in range(alone):
        records += [
            sighting("AT", (60 + nth) * HOUR, ("ip", "a"), other),
            sighting("AT", (60 + nth) * HOUR, other, ("ip", "a")),
        ]
    wanted = told(records)
    random.shuffle(records)
    assert told(records) == wanted


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 32))
def test_how_events_are_labelled_changes_labels_and_nothing_else(seed: int) -> None:
    random = Random(seed)
    labels = (None, Tlp.CLEAR, Tlp.RED)
    replace = msgspec.structs.replace
    records = [replace(one, tlp=random.choice(labels)) for one in (*WORLD, *strike(1, "a"))]
    wanted: dict[Member, set[tuple[str, Tlp | None]]] = {}
    for one in records:
        for group in one.groups:
            for value in group.values:
                wanted.setdefault(Member(group.type, value), set()).add((one.organisation, one.tlp))
    shuffled: list[Record] = [*records, *records[:100], *ALERTS]
    random.shuffle(shuffled)
    found = told(shuffled)
    plain = [replace(one, sightings=(), tlp=Tlp.RED) for one in WANTED]
    assert [replace(one, sightings=(), tlp=Tlp.RED) for one in found] == plain
    for campaign in found:
        said = {
            member: {
                (seen.organisation, seen.tlp or None)
                for seen in campaign.sightings
                if (seen.type, seen.value) == (member.type, member.value)
            }
            for member in campaign.indicators
        }
        assert said == {member: wanted[member] for member in campaign.indicators}
        each = [TERMS.of(who).label(tlp) for some in said.values() for who, tlp in some]
        assert campaign.tlp is strictest_tlp(each)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 32))
def test_looks_and_crashes_on_the_way_change_nothing(seed: int) -> None:
    """A look at what is known so far, now and then; what it came to may be lost, or in part; who
    takes over reads all that was committed, and what was told, and goes on.
    """
    random = Random(seed)
    joined = [*strike(2, "a", begin=30 * HOUR), *strike(1, "b", begin=60 * HOUR)]
    log: list[Record] = [*WORLD, *(joined if random.random() < 0.5 else ())]
    log += ALERTS
    log.append(raised("gone", "b", 29 * HOUR, change=Change.OPENED))
    random.shuffle(log)
    log.append(
        alert(Episode("gone", rule("ip"), "b", Change.MERGED, 0, 0, ("AT",), ("o",), "new"), Geo())
    )
    topic: dict[str, Campaign] = {}
    at, committed = desk(), 0
    for position, one in enumerate(log):
        take(at, one)
        if random.random() < 0.01:
            revisions = at.look(UNKNOWN_WATERMARK)
            sent = len(revisions) if random.random() < 0.7 else random.randint(0, len(revisions))
            topic |= {each.id: each for each in revisions[:sent]}
            if sent == len(revisions):
                committed = position + 1
            else:
                at = desk()
                for each in topic.values():
                    at.remember(each)
                for known in log[: random.randint(committed, position + 1)]:
                    take(at, known)
                for again in log[committed : position + 1]:
                    take(at, again)
    topic |= {each.id: each for each in at.look(UNKNOWN_WATERMARK)}
    assert standing(topic) == told(log)


@pytest.mark.parametrize(("others", "joined"), [(0, True), (15, False)])
def test_a_client_that_others_use_besides_is_no_member(others: int, joined: bool) -> None:
    """More than half of what a browser does is to call one name, where it is rare elsewhere."""
    lengths = {**LENGTHS, "domain": HOUR, "ja3": HOUR}
    evidence = Evidence(lengths)
    name, client = ("domain", "home.example"), ("ja3", "browser")
    said = noise(100)
    for nth in range(20):
        country, at = COUNTRIES[nth % 5], (3 * nth + 1) * HOUR
        said += [sighting(country, at, name, client), sighting(country, at, client, name)]
    for nth in range(others):
        country, at, source = COUNTRIES[nth % 5], (4 * nth + 90) * HOUR, ("ip", f"user-{nth}")
        said += [sighting(country, at, source, client), sighting(country, at, client, source)]
    for nth in range(60):  # names that are called, and clients that are seen, besides
        country, at = COUNTRIES[nth % 5], (2 * nth) * HOUR
        one, other = ("domain", f"name-{nth}.example"), ("ja3", f"client-{nth}")
        said += [sighting(country, at, one, other), sighting(country, at, other, one)]
    for each in said:
        evidence.observe(each)
    found = [set(group.members) for group in groups(evidence, candidates(evidence))]
    assert ({name, client} in found) == joined


def test_what_joins_two_keeps_the_oldest_id_and_the_other_leads_to_it() -> None:
    """The tool of the first strike is seen with the file of the second."""
    at = desk()
    feed(at, [*WORLD, *ALERTS])
    assert at.look(UNKNOWN_WATERMARK) == WANTED
    for one in [*strike(2, "a", begin=30 * HOUR), *strike(1, "b")]:
        take(at, one)
    older, younger = at.look(UNKNOWN_WATERMARK)
    assert (older.id, younger.id) == (WANTED[0].id, WANTED[1].id)
    assert {one.value for one in older.indicators} == {"a", "b", "file-1", "file-2"}
    assert (younger.status, younger.merged_into) == (Status.MERGED, older.id)
    assert at.look(UNKNOWN_WATERMARK) == []


def test_what_was_joined_and_is_not_is_split() -> None:
    """An analyst finds that the tool that joined two is nothing: they are two again."""
    bridge = strike(1, "bridge", begin=HOUR // 2) + strike(2, "bridge", begin=30 * HOUR)
    at = desk()
    feed(at, [*WORLD, *bridge, *ALERTS, raised("bridge", "bridge", 3 * HOUR)])
    (whole,) = at.look(UNKNOWN_WATERMARK)
    take(
        at,
        Label(
            "bridge", About.ALERT, Verdict.FALSE_POSITIVE, "ann", 1,
            indicators=(Marked("ip", "bridge"),), organisations=("org-at",),
        ),
    )  # fmt: skip
    older, younger = at.look(UNKNOWN_WATERMARK)
    assert older.id == whole.id
    assert younger.split_from == whole.id
    assert [{m.value for m in one.indicators} for one in (older, younger)] == [
        {"a", "file-1"},
        {"b", "file-2"},
    ]
    # Whoever had seen it is believed less now.
    trust = {one.organisation: one.trust for one in older.corroboration}
    assert trust["org-at"] < 0.9
    assert trust["org-br"] == 0.5


def test_one_that_ended_while_nothing_came_for_long_is_told_to_have_ended() -> None:
    """As after an outage, or in old events with gaps: longer than it is remembered."""
    at, first = begun()
    at.observe(sighting("AT", 10_000 * HOUR, ("ip", "somebody")))
    (now,) = at.look(10_000 * HOUR)
    assert (now.id, now.status) == (first.id, Status.CLOSED)
    assert at.look(10_000 * HOUR) == []
    assert not at.told


def test_a_campaign_lives_and_ends() -> None:
    at = desk()
    feed(at, [*noise(400), *strike(1, "a", begin=100 * HOUR), raised("old", "a", 101 * HOUR)])
    seen = []
    for hours in (0, 8, 30, 90, 300):
        at.observe(sighting("AT", (110 + hours) * HOUR, ("ip", "somebody")))
        told_now = at.look((110 + hours) * HOUR)
        seen.append(told_now[0].status if told_now else None)
    assert seen == [Status.GROWING, Status.OPEN, Status.DORMANT, Status.CLOSED, None]
    assert next(iter(at.told.values())).status is Status.CLOSED


def test_one_that_goes_on_beyond_the_horizon_keeps_its_name_and_its_past() -> None:
    at, first = begun()
    goes_on(at, 14)
    (now,) = [one for one in at.told.values() if one.status is not Status.MERGED]
    assert (now.id, now.first_seen) == (first.id, first.first_seen)
    assert {"a", "tool-1", "tool-14", "file-1"} <= {one.value for one in now.indicators}
    assert ("ip", "a") not in at.evidence.facts
    assert {(one.value, one.country) for one in now.sightings} >= {("a", "AT"), ("tool-14", "KE")}


def goes_on(at: Desk, days: int, since: int = 1) -> list[Campaign]:
    """Each day another tool brings the file; what was told."""
    day, revisions = 24 * HOUR, list[Campaign]()
    for nth in range(since, since + days):
        take(at, raised(f"next-{nth}", f"tool-{nth}", nth * day))
        for one in [*noise(100, nth * day, 20), *strike(1, f"tool-{nth}", begin=nth * day)]:
            take(at, one)
        revisions += at.look(nth * day)
    return revisions


def begun() -> tuple[Desk, Campaign]:
    at = desk()
    take(at, raised("old", "a", HOUR))
    for one in [*noise(400, hours=10), *strike(1, "a")]:
        take(at, one)
    (first,) = at.look(UNKNOWN_WATERMARK)
    assert first.status is Status.GROWING
    return at, first


def of_campaign(one: Campaign, verdict: Verdict, at: int = 1) -> Label:
    """As `sightline label` makes it."""
    marked = tuple(Marked(each.type, each.value) for each in one.indicators)
    return Label(one.id, About.CAMPAIGN, verdict, "ann", at, indicators=marked)


def test_what_was_said_of_a_campaign_stands_when_its_name_is_out_of_sight() -> None:
    at, first = begun()
    goes_on(at, 14)
    (now,) = [one for one in at.told.values() if one.status is not Status.MERGED]
    assert now.id == first.id
    take(at, of_campaign(now, Verdict.CONFIRMED))
    (sure,) = at.look(14 * 24 * HOUR)
    assert (sure.id, sure.confidence) == (first.id, 99)
    assert isinstance(sure.label, msgspec.Struct)
    assert (sure.status, sure.severity) == (now.status, now.severity)
    take(at, of_campaign(now, Verdict.FALSE_POSITIVE, 2))
    (silent,) = at.look(14 * 24 * HOUR)
    assert (silent.status, silent.severity, silent.confidence) == (
        Status.CLOSED, 1, now.confidence,
    )  # fmt: skip
    for one in goes_on(at, 3, 15):
        assert (one.id, one.status, one.severity) == (first.id, Status.CLOSED, 1)
    assert at.look(17 * 24 * HOUR) == []


def test_what_was_found_to_be_nothing_is_raised_again_when_most_of_it_is_new() -> None:
    at, first = begun()
    take(at, of_campaign(first, Verdict.FALSE_POSITIVE))
    (silent,) = at.look(UNKNOWN_WATERMARK)
    assert (silent.status, silent.severity) == (Status.CLOSED, 1)
    quiet = {day: goes_on(at, 1, day)[-1] for day in (1, 2, 3)}
    assert [len(one.indicators) for one in quiet.values()] == [3, 4, 5]
    assert [one.severity for one in quiet.values()] == [1, 1, first.severity]
    assert quiet[3].status is not Status.CLOSED
    assert quiet[3].label is msgspec.UNSET
    take(at, of_campaign(quiet[3], Verdict.BENIGN, 2))
    assert at.look(3 * 24 * HOUR)[-1].severity == 1


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_is_over_and_out_of_sight_is_labelled_all_the_same(verdict: Verdict) -> None:
    at, first = begun()
    long_after = 300 * HOUR
    at.observe(sighting("AT", long_after, ("ip", "somebody")))
    (closed,) = at.look(long_after)
    assert (closed.id, closed.status) == (first.id, Status.CLOSED)
    assert not at.evidence.facts.keys() & {("ip", "a")}
    take(at, of_campaign(closed, verdict))
    (said,) = at.look(long_after)
    assert (said.id, said.status) == (first.id, Status.CLOSED)
    assert isinstance(said.label, msgspec.Struct)
    assert said.label.verdict is verdict
    assert at.look(long_after) == []


def test_what_is_told_of_long_campaigns_fits_a_record_and_comes_to_rest() -> None:
    """How many members there are, and how long their values, is for attackers to choose."""
    at = desk()
    long = "\x01" * 8_000
    for nth in range(12):
        take(at, raised(f"alert-{nth}", f"a{nth}{long}", HOUR * (nth + 1)))
    for one in noise(2_000):
        take(at, one)
    for nth in range(12):
        for one in strike(1, f"a{nth}{long}", begin=HOUR * nth // 60):
            take(at, one)
    (first,) = at.look(UNKNOWN_WATERMARK)
    assert len(encode(first)) <= MOST_BYTES
    assert first.indicators_omitted == 13 - len(first.indicators)
    assert [Member(one.type, one.value) for one in first.reasons] == list(first.indicators)
    assert first.alerts[0] == "alert-0"
    assert first.sightings_omitted
    assert at.look(UNKNOWN_WATERMARK) == []


def test_a_campaign_of_very_many_sightings_that_goes_on_comes_to_rest() -> None:
    """What was left out once, and is in sight, does not count anew at each look."""
    at, first = begun()
    with patch.object(life, "bounded", lambda rows: bounded(rows, 30)):
        goes_on(at, 14)
        before = at.told[first.id]
        assert len(before.sightings) == 30
        take(at, raised("next-14", "tool-14", 14 * 24 * HOUR))  # nothing new
        assert at.look(14 * 24 * HOUR) == []
        assert isinstance(before.sightings_omitted, int)
        assert before.sightings_omitted > 0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300), st.integers(1, 40))
def test_facts_are_bounded_also_if_all_are_of_one_moment(times: list[int], most: int) -> None:
    at = Desk(LENGTHS, NOTHING_LISTED, TERMS, most=most)
    for nth, time in enumerate(times):
        at.observe(sighting("AT", time, ("ip", f"{nth}")))
        assert at.evidence.count <= most
    kept = [fact.last for facts in at.evidence.facts.values() for fact in facts.values()]
    assert at.evidence.count == len(kept) == len(times) - at.shed


def test_a_verdict_on_a_campaign_is_its_own() -> None:
    for verdict, severity, sure in (
        (Verdict.CONFIRMED, WANTED[0].severity, 99),
        (Verdict.FALSE_POSITIVE, 1, WANTED[0].confidence),
    ):
        said = Label(WANTED[0].id, About.CAMPAIGN, verdict, "ann", 5, "seen it", 95)
        first, second = told([*WORLD, *ALERTS, said])
        assert second == WANTED[1]
        assert (first.severity, first.confidence) == (severity, sure)
        assert isinstance(first.label, msgspec.Struct)
        assert (first.label.by, first.label.basis, first.label.confidence) == ("ann", "seen it", 95)


@given(st.integers(1, 40), st.data())
def test_a_tail_is_no_smaller_than_it_is(of: int, data: st.DataObject) -> None:
    from math import comb

    marked, drawn = data.draw(st.integers(0, of)), data.draw(st.integers(0, of))
    hits = data.draw(st.integers(0, drawn))
    exact = sum(
        comb(marked, n) * comb(of - marked, drawn - n) for n in range(hits, min(marked, drawn) + 1)
    ) / comb(of, drawn)
    assert exact <= hypergeometric_tail(hits, drawn, marked, of) * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 0.1, 1e-3, 1e-6]))
def test_ties_too_likely_by_chance_are_left_out_and_no_others(seed: int, weakest: float) -> None:
    random = Random(seed)
    evidence = Evidence(LENGTHS)
    names = [f"one-{number}" for number in range(14)]
    for hour in range(40):
        for name in random.sample(names, random.randrange(5)):
            for country in random.sample(COUNTRIES, random.randrange(4)):
                at = hour * HOUR + random.randrange(HOUR)
                evidence.observe(sighting(country, at, ("ip", name)))
    members = {("ip", name) for name in names}
    presence = Presence(evidence, members)
    pairs = [(one, other) for one in members for other in members if one < other]
    every = {pair: shared for pair in pairs if (shared := presence.shared(*pair)) is not None}
    asked = set(random.sample(pairs, 5))
    told = {(one, other): shared for one, other, shared in presence.ties(weakest, asked)}
    assert told == {
        pair: shared for pair, shared in every.items() if shared.p <= weakest or pair in asked
    }
