"""What `explain` says is so: held against the oracle, and against trying every window."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

from hypothesis import event, given, settings
from hypothesis import strategies as st

from pipeline.alert import Alert, alert
from pipeline.correlate import Correlator
from pipeline.episode import Change
from pipeline.explain.absence import Verdict, why_not
from pipeline.explain.found import explained
from pipeline.explain.inquiry import Inquiry
from pipeline.explain.judge import ORDER, Condition, Judged, judge
from pipeline.explain.when import moment
from pipeline.geo import Geo
from pipeline.indicator import Indicator
from pipeline.rule import Rule
from pipeline.sight import Sightings
from pipeline.slices import SLICES, smear, smear_over
from pipeline.surprise import STRETCH, base_slices
from tests import oracle
from tests.property.test_correlate import BACKGROUND, Given, cases, groups_of

EVERY: set[Indicator] = {(kind, value) for kind in ("ip", "domain") for value in "ab"}


def records(case: Given) -> list[Sightings]:
    return [
        Sightings("events/0", one.organisation, one.country, 0, 0, groups_of(one, case.rules))
        for one in case.sightings
    ]


def inquired(case: Given, asked: set[Indicator]) -> Inquiry:
    inquiry = Inquiry(case.rules, BACKGROUND, asked, {})
    for record in records(case):
        inquiry.sighted(record)
    return inquiry


def alerts_of(case: Given) -> list[Alert]:
    """What the correlator raises, each as it ended."""
    correlator = Correlator(case.rules, 1 << 60, BACKGROUND)
    for record in records(case):
        correlator.observe(record)
    correlator.settle()
    ended = correlator.finish()
    return [alert(one, Geo()) for one in ended if one.change is Change.CLOSED]


def counted(case: Given, rule: Rule, value: str) -> list[oracle.Sighting]:
    of = oracle.rule_of(rule)
    return [one for one in oracle.counting(case.sightings, of) if one.value == value]


def at(one: oracle.Sighting, rule: Rule) -> int:
    return one.time_ms * 60 // rule.timespan_ms


def met(one: oracle.Sighting, rule: Rule) -> set[str]:
    names = {"any_event" if of is None else of.name for of in rule.selections}
    return {name for name in names if name == "any_event" or name in one.meets}


def has(seen: list[oracle.Sighting], rule: Rule, end: int, slices: int) -> tuple[Condition, ...]:
    """What the window of so many slices that ends at `end` has, counted one by one."""
    inside = [one for one in seen if end - slices < at(one, rule) <= end]
    found = []
    for field, needed in rule.conditions:
        if field == "event":
            by_slice: dict[int, set[str]] = {}
            for one in inside:
                by_slice.setdefault(at(one, rule), set()).add(one.event)
            had = sum(min(len(events), needed) for events in by_slice.values())
        elif field == "rule":
            had = len({name for one in inside for name in met(one, rule)})
        elif field in {"origin_country", "origin_as"}:
            had = len({one.origin for one in inside})
        else:
            had = len({getattr(one, field) for one in inside})
        found.append(Condition(field, needed, had))
    if rule.ordered:
        names = ["any_event" if of is None else of.name for of in rule.selections]
        slots = [sorted({at(one, rule) for one in inside if n in met(one, rule)}) for n in names]
        in_order = any(list(chain) == sorted(chain) for chain in product(*slots))
        found.append(Condition(ORDER, 1, int(in_order)))
    return tuple(found)


def lacks(conditions: tuple[Condition, ...]) -> int:
    return sum(max(of.needed - of.had, 0) for of in conditions)


def judged_of(inquiry: Inquiry, rule: Rule, value: str) -> Judged | None:
    for track in inquiry.tracks(rule.indicator_type):
        if rule in track.rules:
            return {one.rule.id: one for one in judge(track, value)}.get(rule.id)
    return None


@settings(max_examples=150, deadline=None)
@given(cases())
def test_the_nearest_window_is_the_nearest_and_a_condition_is_missing_iff_there_is_no_episode(
    case: Given,
) -> None:
    for rule in case.rules:
        for value in "ab":
            seen = counted(case, rule, value)
            judged = judged_of(inquired(case, EVERY), rule, value)
            assert (judged is None) == (not seen)
            if judged is None:
                continue
            low, high = min(at(one, rule) for one in seen), max(at(one, rule) for one in seen)
            ends = range(low, high + SLICES)
            least = min(lacks(has(seen, rule, end, SLICES)) for end in ends)
            assert lacks(judged.conditions) == least
            assert judged.conditions == has(seen, rule, judged.nearest, SLICES)
            of = oracle.rule_of(rule)
            episodes = {one for one in oracle.episodes(case.sightings, of) if one.value == value}
            assert len(judged.episodes) == len(episodes)
            assert bool(judged.missing) == (not episodes)
            for held in judged.episodes:
                assert held.conditions == has(seen, rule, held.first, SLICES)
            event("holds" if episodes else "misses")


@settings(max_examples=60, deadline=None)
@given(cases())
def test_the_window_it_takes_is_the_shortest_that_holds(case: Given) -> None:
    for rule in case.rules:
        seen = counted(case, rule, "a")
        judged = judged_of(inquired(case, EVERY), rule, "a")
        if judged is None or judged.episodes:
            continue
        low, high = min(at(one, rule) for one in seen), max(at(one, rule) for one in seen)

        def held(slices: int, rule: Rule = rule, seen: list[oracle.Sighting] = seen) -> bool:
            return any(not lacks(has(seen, rule, at(one, rule), slices)) for one in seen)

        if judged.takes is None:
            assert not held(high - low + 1)
        else:
            assert judged.takes > SLICES
            assert held(judged.takes)
            assert not held(judged.takes - 1)
            event("a longer window would do")


@settings(max_examples=60, deadline=None)
@given(cases())
def test_why_not_says_so_iff_there_is_no_alert(case: Given) -> None:
    alerts = alerts_of(case)
    inquiry = inquired(case, EVERY)
    for one in sorted(EVERY):
        answer = why_not(one, inquiry, alerts, (), lowers=True)
        asked = [rule for rule in case.rules if rule.indicator_type == one[0]]
        episodes = [
            episode
            for rule in asked
            for episode in oracle.episodes(case.sightings, oracle.rule_of(rule))
            if episode.value == one[1]
        ]
        seen = [rule for rule in asked if counted(case, rule, one[1])]
        assert len(answer.alerts) == len(episodes)
        assert (answer.verdict is Verdict.ALERTED) == bool(episodes)
        assert (answer.verdict is Verdict.UNMET) == (bool(seen) and not episodes)
        assert [miss.rule.id for miss in answer.rules] == [rule.id for rule in asked]
        for miss in answer.rules:
            held = {raised.title for raised in answer.alerts}
            assert miss.holds == (miss.rule.title in held)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_an_alert_is_explained_by_what_the_oracle_counts(case: Given) -> None:
    rules = {rule.id: rule for rule in case.rules}
    for one in alerts_of(case):
        rule = rules[one.finding_info.analytic.uid]
        indicator = (one.observables[0].name, one.observables[0].value)
        found = explained(one, rule, inquired(case, {indicator}), lowers=True)
        seen = [
            of
            for of in counted(case, rule, indicator[1])
            if found.first_seen <= of.time_ms <= found.last_seen
        ]
        assert found.held is not None
        assert not [of for of in found.held.conditions if not of.met]
        firsts: dict[str, int] = {}
        for of in seen:
            firsts[of.country] = min(of.time_ms, firsts.get(of.country, of.time_ms))
        told = {of.country: of.first_seen for of in found.countries}
        # Of what the rule does not count, it may have been seen elsewhere and earlier.
        assert firsts.keys() <= told.keys()
        assert all(told[country] <= time for country, time in firsts.items())
        if rule.selections == (None,) and rule.field in {"country", "organisation", "event"}:
            assert told == firsts
        if rule.spread is None:
            assert found.surprise is None
            continue
        assert found.surprise is not None
        assert found.surprise.p_value == one.unmapped.p_value
        episode = oracle.Episode(
            *indicator, found.first_seen, found.last_seen,
            one.unmapped.countries, one.unmapped.organisations,
        )  # fmt: skip
        before, spread = oracle.outbreaks(
            case.sightings, oracle.rule_of(rule), base_slices(rule.timespan_ms), STRETCH
        )[episode]
        assert (found.surprise.before, found.surprise.spread) == (before, spread)


@given(st.integers(0, 1 << 200), st.integers(1, 300))
def test_smearing_is_or_of_shifts(bits: int, slices: int) -> None:
    plain = 0
    for shift in range(slices):
        plain |= bits << shift
    assert smear_over(bits, slices) == plain
    if slices == SLICES:
        assert smear(bits) == plain


@given(st.integers(0, 253_402_300_799_999))
def test_a_moment_is_what_the_calendar_says(ms: int) -> None:
    assert moment(ms) == datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
