"""Episodes by example: one source in three countries within an hour. A slice is a minute."""

from __future__ import annotations

import pytest

from pipeline.correlate import Correlator
from pipeline.episode import Change, Episode
from pipeline.party import Parties
from pipeline.registry import Party
from pipeline.rule import Rule
from pipeline.sight import UNKNOWN_WATERMARK, Group, Sightings
from pipeline.surprise import Background
from pipeline.window import Window
from tests.unit.making import HOUR, MINUTE, at, rule, seen

OPENED, UPDATED, CLOSED, MERGED = Change.OPENED, Change.UPDATED, Change.CLOSED, Change.MERGED
DAY = 24 * HOUR


class Run:
    """A correlator that is asked after every sighting."""

    def __init__(self, *rules: Rule, lateness: int = DAY) -> None:
        self.correlator = Correlator(rules or [rule()], lateness)
        self.late = 0

    def see(
        self, country: str, *times: str, value: str = "8.8.8.8", organisation: str = ""
    ) -> list[Episode]:
        moments = [at(time) for time in times]
        self.late += self.correlator.observe(
            seen(value, country, *moments, organisation=organisation)
        )
        return self.correlator.settle()

    def advance(self, time: str) -> list[Episode]:
        return self.correlator.advance(at(time))


def told(episode: Episode) -> tuple[Change, str, int, int, str]:
    return (
        episode.change,
        episode.value,
        episode.first_seen,
        episode.last_seen,
        " ".join(episode.countries),
    )


def test_an_episode_opens_with_the_sighting_that_completes_its_window() -> None:
    run = Run()
    assert run.see("CZ", "12:00:30") == []
    assert run.see("SK", "12:20") == []
    assert run.see("CZ", "12:40", organisation="another") == []
    (opened,) = run.see("AT", "12:59:59.999")
    assert told(opened) == (OPENED, "8.8.8.8", at("12:00:30"), at("12:59:59.999"), "AT CZ SK")
    assert opened.organisations == ("another", "org-at", "org-cz", "org-sk")
    assert opened.rule == rule()
    assert opened.merged_into is None
    assert run.correlator.open_episodes == 1


def test_a_window_is_sixty_slices_wide() -> None:
    run = Run()
    run.see("CZ", "12:00:59")
    run.see("SK", "12:20")
    assert run.see("AT", "13:00") == []


def test_another_indicator_is_another_matter() -> None:
    run = Run()
    for country, value in (("CZ", "8.8.8.8"), ("SK", "8.8.8.8"), ("AT", "9.9.9.9")):
        assert run.see(country, "12:00", value=value) == []
    assert run.correlator.live == {"ip": 2}


def test_a_fourth_country_is_an_update_and_a_repetition_is_none() -> None:
    run = Run()
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:00")
    (updated,) = run.see("DE", "12:10")
    assert told(updated) == (UPDATED, "8.8.8.8", at("12:00"), at("12:10"), "AT CZ DE SK")
    assert run.see("DE", "12:10") == []
    assert run.see("CZ", "12:00") == []


def test_another_organisation_of_a_known_country_is_an_update() -> None:
    run = Run()
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:00")
    (updated,) = run.see("AT", "12:10", organisation="another")
    assert updated.change is UPDATED
    assert "another" in updated.organisations


def test_an_attack_that_merely_goes_on_is_told_by_refresh() -> None:
    run = Run()
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:00")
    assert run.correlator.refresh() == []
    assert run.see("CZ", "12:10") == []
    assert run.see("CZ", "12:30") == []
    (refreshed,) = run.correlator.refresh()
    assert told(refreshed) == (UPDATED, "8.8.8.8", at("12:00"), at("12:30"), "AT CZ SK")
    assert run.correlator.refresh() == []


def test_refresh_tells_nothing_twice() -> None:
    """What was held back went out with a greater change, or with the end."""
    run = Run(lateness=0)
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:00")
    run.see("CZ", "12:10")
    run.see("DE", "12:11")
    assert run.correlator.refresh() == []
    run.see("CZ", "12:12")
    assert [episode.change for episode in run.advance("20:00")] == [CLOSED]
    assert run.correlator.refresh() == []


def test_a_sighting_from_before_moves_the_first_seen_back() -> None:
    run = Run()
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:30")
    (updated,) = run.see("CZ", "12:00")
    assert told(updated) == (UPDATED, "8.8.8.8", at("12:00"), at("12:30"), "AT CZ SK")
    # 11:30 is 60 slices before 12:30: no window that holds covers it.
    assert run.see("CZ", "11:30") == []


def test_an_episode_of_a_single_window_is_one() -> None:
    """The third country comes in the last slice that shares a window with the first."""
    run = Run()
    run.see("CZ", "12:00")
    run.see("SK", "12:30")
    (opened,) = run.see("AT", "12:59")
    (updated,) = run.see("DE", "12:59")
    assert (updated.id, updated.change) == (opened.id, UPDATED)
    assert run.correlator.open_episodes == 1


@pytest.mark.parametrize("clocks", [("12:00", "20:00"), ("20:00", "12:00")])
def test_all_that_a_batch_brought_is_looked_at(clocks: tuple[str, str]) -> None:
    run = Run()
    for organisation in ("a", "b", "c"):  # three parties: the windows are looked at
        run.see("CZ", "12:00", organisation=organisation)
    run.see("SK", "12:00")
    for clock in clocks:
        run.correlator.observe(seen("8.8.8.8", "AT", at(clock)))
    (opened,) = run.correlator.settle()
    assert opened.first_seen == opened.last_seen == at("12:00")


def test_an_episode_closes_when_nothing_can_change_it_any_more() -> None:
    """
    12:00 ────────── 12:59   the windows that hold
                        13:00   the one after it must be final too: at 13:01, and the lateness
    """
    run = Run(lateness=10 * MINUTE)
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:00")
    assert run.advance("13:10:59.999") == []
    (closed,) = run.advance("13:11")
    assert told(closed) == (CLOSED, "8.8.8.8", at("12:00"), at("12:00"), "AT CZ SK")
    assert run.advance("23:00") == []
    assert run.correlator.open_episodes == 0


def test_a_closed_episode_is_told_as_it_ended() -> None:
    run = Run(lateness=0)
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:00")
    run.see("CZ", "12:30")  # held back: nobody was told by an update
    (closed,) = run.advance("20:00")
    assert told(closed) == (CLOSED, "8.8.8.8", at("12:00"), at("12:30"), "AT CZ SK")


def test_lateness_is_exact() -> None:
    run = Run(lateness=10 * MINUTE)
    run.advance("13:00")
    run.see("CZ", "12:50")
    assert run.late == 0
    run.see("SK", "12:49:59.999")
    assert run.late == 1
    run.see("AT", "12:50")
    assert run.see("DE", "12:50") != []  # SK was not counted: this is the third
    assert run.correlator.finish()[0].countries == ("AT", "CZ", "DE")


def test_time_never_goes_back() -> None:
    run = Run(lateness=0)
    run.advance("13:00")
    run.advance("11:00")
    run.see("CZ", "12:00")
    assert run.late == 1
    assert run.correlator.watermark == at("13:00")
    assert Correlator([rule()], 0).watermark == UNKNOWN_WATERMARK


def test_before_time_is_known_nothing_is_late() -> None:
    run = Run(lateness=0)
    run.correlator.advance(UNKNOWN_WATERMARK)
    run.see("CZ", "00:00")
    assert run.late == 0


def test_a_late_sighting_is_counted_once_though_two_rules_miss_it() -> None:
    run = Run(rule(timespan=HOUR), rule(timespan=2 * HOUR), lateness=0)
    run.advance("13:00")
    run.see("CZ", "10:00")
    assert run.late == 1


def test_what_one_rule_misses_another_of_longer_slices_may_take() -> None:
    run = Run(rule(timespan=HOUR, gte=1), rule(timespan=2 * HOUR, gte=1), lateness=0)
    run.advance("13:01")  # two-minute slices: 13:00 is not over
    (opened,) = run.see("CZ", "13:00:30")
    assert opened.rule == rule(timespan=2 * HOUR, gte=1)
    assert run.late == 1


def joined(run: Run) -> list[list[Episode]]:
    """Two episodes, an hour without one between them, and the late sightings that fill it."""
    out = [run.see(country, "12:00") for country in ("CZ", "SK", "AT")][2:]
    out += [run.see(country, "14:00") for country in ("CZ", "SK", "DE")][2:]
    out += [run.see(country, "13:00") for country in ("CZ", "SK", "FR")]
    return out


def test_a_late_sighting_joins_two_episodes_and_the_older_goes_on() -> None:
    """
    12:00 ──────── 12:59                   14:00 ──────── 14:59
                        13:00 ──────── 13:59                     FR at 13:00, come late
    """
    run = Run()
    (first,), (second,), nothing, no_more, (merged, updated) = joined(run)
    assert nothing == []
    assert no_more == []
    assert (first.change, second.change) == (OPENED, OPENED)
    assert told(merged) == (MERGED, "8.8.8.8", at("14:00"), at("14:00"), "CZ DE SK")
    assert (merged.id, merged.merged_into) == (second.id, first.id)
    assert updated.id == first.id
    assert told(updated) == (UPDATED, "8.8.8.8", at("12:00"), at("14:00"), "AT CZ DE FR SK")
    (closed,) = run.correlator.finish()
    assert (closed.id, closed.change) == (first.id, CLOSED)
    assert closed.countries == ("AT", "CZ", "DE", "FR", "SK")


def test_a_late_sighting_fills_the_gap_between_two_that_just_do_not_touch() -> None:
    """12:00 … 12:59 and 13:01 … 14:00; a third country at 12:01 makes 13:00 hold."""
    run = Run()
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:00")
    run.see("CZ", "12:01")
    run.see("SK", "12:01")
    assert [run.see(country, "13:01") for country in ("DE", "FR", "IT")][2][0].change is OPENED
    assert run.correlator.open_episodes == 2
    assert [episode.change for episode in run.see("AT", "12:01")] == [MERGED, UPDATED]
    assert run.correlator.open_episodes == 1


def test_an_episode_that_grows_backwards_keeps_its_id() -> None:
    run = Run()
    opened = [run.see(country, "12:30") for country in ("CZ", "SK", "AT")][2][0]
    (earlier,) = run.see("CZ", "11:45")
    for country in ("SK", "AT"):
        assert run.see(country, "11:45") == []  # but its windows hold from 11:45 on now
    (earliest,) = run.see("CZ", "11:00")
    assert (earlier.change, earlier.first_seen) == (UPDATED, at("11:45"))
    assert (earliest.change, earliest.first_seen) == (UPDATED, at("11:00"))
    assert opened.id == earlier.id == earliest.id


def test_ids_are_the_same_wherever_they_are_computed() -> None:
    first, second = joined(Run()), joined(Run())
    assert [[one.id for one in some] for some in first] == [
        [one.id for one in some] for some in second
    ]
    other = [Run(rule(gte=2)).see(country, "12:00") for country in ("CZ", "SK")]
    assert other == [[], []]
    assert len({one.id for some in first for one in some}) == 2


def test_the_id_is_fixed_for_ever() -> None:
    """It is what makes an alert the same after an upgrade: of rule, type, value, first window."""
    run = Run()
    opened = [run.see(country, "12:00") for country in ("CZ", "SK", "AT")][2][0]
    assert opened.id == "ec65a706-c6d3-59d4-92eb-3c5ef20eea0c"


def test_the_id_does_not_depend_on_how_far_time_had_come() -> None:
    ids = set()
    for time in ("00:00", "11:00", "12:00", "12:00:59"):
        run = Run(lateness=0)
        run.advance(time)
        ids |= {one.id for country in ("CZ", "SK", "AT") for one in run.see(country, "12:00:59")}
    assert ids == {"ec65a706-c6d3-59d4-92eb-3c5ef20eea0c"}


def test_an_hour_of_silence_makes_another_episode() -> None:
    run = Run(lateness=0)
    (first,) = [run.see(country, "12:00") for country in ("CZ", "SK", "AT")][2]
    (closed,) = run.advance("13:30")
    (second,) = [run.see(country, "14:00") for country in ("CZ", "SK", "AT")][2]
    assert closed.id == first.id != second.id


def test_organisations_may_be_what_is_counted() -> None:
    run = Run(rule(field="organisation", gte=2))
    assert run.see("CZ", "12:00", organisation="a") == []
    assert run.see("SK", "12:00", organisation="a") == []
    (opened,) = run.see("CZ", "12:00", organisation="b")
    assert (opened.countries, opened.organisations) == (("CZ", "SK"), ("a", "b"))


def test_one_sighting_may_be_enough() -> None:
    (opened,) = Run(rule(gte=1)).see("CZ", "12:00")
    assert told(opened) == (OPENED, "8.8.8.8", at("12:00"), at("12:00"), "CZ")


def test_each_rule_has_its_own_episode() -> None:
    two, three, day = rule(gte=2), rule(gte=3), rule(gte=2, timespan=DAY)
    run = Run(two, three, day)
    run.see("CZ", "12:00")
    assert {one.rule for one in run.see("SK", "12:10")} == {two, day}
    assert {(one.rule, one.change) for one in run.see("AT", "12:20")} == {
        (two, UPDATED),
        (three, OPENED),
        (day, UPDATED),
    }
    assert len(run.correlator.tracks) == 2


def test_a_type_without_a_rule_is_neither_kept_nor_late() -> None:
    run = Run()
    run.advance("23:00")
    assert run.correlator.observe(seen("a.example", "CZ", 5, kind="domain")) == 0
    assert run.correlator.live == {"ip": 0}


def test_a_fold_that_spans_slices_counts_with_its_ends() -> None:
    """Folded for rules of longer slices than ours, by a worker that has others."""
    run = Run(lateness=0)
    group = Group("ip", ["8.8.8.8"], [at("12:00")], [at("12:30")])
    run.correlator.observe(Sightings("events/0", "org-cz", "CZ", 0, 0, [group]))
    run.see("SK", "12:00")
    (opened,) = run.see("AT", "12:00")
    assert (opened.first_seen, opened.last_seen) == (at("12:00"), at("12:30"))


def test_of_a_fold_that_spans_slices_the_end_that_is_not_late_counts() -> None:
    """Both were dropped once."""
    run = Run(lateness=0)
    run.advance("12:15")
    group = Group("ip", ["8.8.8.8"], [at("12:00")], [at("12:30")])
    late = run.correlator.observe(Sightings("events/0", "org-cz", "CZ", 0, 0, [group]))
    assert late == 1
    run.see("SK", "12:30")
    (opened,) = run.see("AT", "12:30")
    assert (opened.first_seen, opened.countries) == (at("12:30"), ("AT", "CZ", "SK"))


def test_a_party_s_folds_of_one_slice_join() -> None:
    run = Run()
    run.see("CZ", "12:00:30", "12:00:10", "12:00:50", "12:00:20")
    run.see("SK", "12:00:30")
    (opened,) = run.see("AT", "12:00:30")
    assert (opened.first_seen, opened.last_seen) == (at("12:00:10"), at("12:00:50"))


def test_what_time_has_passed_is_forgotten() -> None:
    """With sightings from 13:09 on still to come, nothing before 12:08 matters any more."""
    run = Run(lateness=10 * MINUTE)
    run.see("CZ", "12:00", value="single")
    run.see("CZ", "12:00", value="few")
    run.see("SK", "12:07", value="few")
    for organisation in ("a", "b", "c"):
        run.see("CZ", "12:07", value="window", organisation=organisation)
    run.see("CZ", "12:00", value="young")
    run.see("SK", "12:08", value="young")
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:10", value="episode")
    run.advance("13:19")
    assert run.correlator.sweep() == 3
    assert set(run.correlator.tracks[0].states) == {"young", "episode"}
    assert run.correlator.live == {"ip": 2}
    run.advance("15:00")
    assert run.correlator.sweep() == 2
    assert run.correlator.live == {"ip": 0}


def test_many_sightings_by_too_few_become_a_window_and_stay_exact() -> None:
    run = Run()
    run.see("SK", "12:00:30")
    for minute in range(20):
        run.see("CZ", f"12:{minute:02}:30")
    run.see("SK", "12:00:10")
    assert run.see("CZ", "12:00:05") == []
    (opened,) = run.see("AT", "12:10")
    assert told(opened) == (OPENED, "8.8.8.8", at("12:00:05"), at("12:19:30"), "AT CZ SK")


def test_a_few_sightings_of_one_slice_join_too() -> None:
    run = Run()
    run.see("SK", "12:00:30")
    run.see("CZ", "12:00:30")
    run.see("CZ", "12:00:30")
    run.see("SK", "12:00:10")
    run.see("CZ", "12:00:50")
    (few,) = run.correlator.tracks[0].states.values()
    assert isinstance(few, tuple)
    assert len(few) == 2
    (opened,) = run.see("AT", "12:00:30")
    assert (opened.first_seen, opened.last_seen) == (at("12:00:10"), at("12:00:50"))


def test_a_sweep_is_done_in_bounded_steps() -> None:
    run = Run(lateness=0)
    for n in range(10):
        run.see("CZ", "12:00", value=str(n))
    run.advance("15:00")
    assert [run.correlator.sweep(4) for _ in range(4)] == [4, 4, 2, 0]


def test_a_sweep_waits_until_enough_time_has_passed() -> None:
    run = Run(lateness=0)
    run.see("CZ", "12:00")
    run.advance("13:00")
    assert run.correlator.sweep() == 0
    run.advance("13:02")  # 12:00 has passed, but the next round starts only at 13:15
    assert run.correlator.sweep() == 0
    run.advance("13:15")
    assert run.correlator.sweep() == 1


def test_an_indicator_that_is_seen_again_in_mid_sweep_stays() -> None:
    run = Run(lateness=0)
    for value in ("a", "b"):
        run.see("CZ", "12:00", value=value)
    run.advance("15:00")
    assert run.correlator.sweep(1) == 1
    run.see("SK", "15:00", value="b")
    assert run.correlator.sweep(1) == 0
    assert run.correlator.live == {"ip": 1}


def test_an_episode_that_lasts_remembers_what_its_window_has_forgotten() -> None:
    """For 20 hours some three are always there; the first of them are long gone at the end."""
    run = Run(lateness=0)
    countries = ("CZ", "SK", "AT", "DE")
    revisions: list[Episode] = []
    for hour in range(20):
        for minute in (0, 30):
            for country in countries[:3] if hour else ("FR", "IT", "ES"):
                revisions += run.see(country, f"{hour:02}:{minute:02}")
        revisions += run.advance(f"{hour:02}:30")
        run.correlator.sweep()
    (window,) = run.correlator.tracks[0].states.values()
    assert isinstance(window, Window)
    assert sum(len(island.times) for island in window.islands) < 10  # that it did forget
    (closed,) = run.advance("23:30")
    assert {one.id for one in revisions} == {closed.id}
    assert closed.countries == ("AT", "CZ", "ES", "FR", "IT", "SK")
    assert (closed.first_seen, closed.last_seen) == (at("00:00"), at("19:30"))


def test_the_end_of_a_run_closes_what_is_open() -> None:
    run = Run()
    for country in ("CZ", "SK", "AT"):
        run.see(country, "12:00")
    (closed,) = run.correlator.finish()
    assert told(closed) == (CLOSED, "8.8.8.8", at("12:00"), at("12:00"), "AT CZ SK")
    assert run.correlator.finish() == []


def test_parties_are_numbered_and_grouped_as_they_are_met() -> None:
    parties = Parties()
    names = [Party("a", "CZ"), Party("a", "SK"), Party("b", "CZ"), Party("a", "CZ")]
    assert [parties.number(party) for party in names] == [0, 1, 2, 0]
    assert parties.all == names[:3]
    assert parties.countries == {0: 0, 1: 1, 2: 0}
    assert parties.organisations == {0: 0, 1: 0, 2: 2}


@pytest.mark.parametrize("order", ["CZ SK AT", "AT SK CZ", "SK AT CZ"])
def test_order_does_not_matter(order: str) -> None:
    times = {"CZ": "12:00", "SK": "12:30", "AT": "12:59"}
    run = Run()
    (opened,) = [run.see(country, times[country]) for country in order.split()][2]
    assert told(opened) == (OPENED, "8.8.8.8", at("12:00"), at("12:59"), "AT CZ SK")


def test_a_late_sighting_before_an_open_episode_is_told_by_its_p_value() -> None:
    """It lies hours before the window that holds, and says that the address was there already."""
    one = Correlator([rule()], DAY, Background(8, 8))
    for country in ("CZ", "SK", "AT"):
        one.observe(seen("8.8.8.8", country, at("12:00")))
    (opened,) = one.settle()
    one.observe(seen("8.8.8.8", "CZ", at("09:30"), at("10:30")))
    revised = [*one.settle(), *one.refresh()]
    (closed,) = one.finish()
    assert opened.p_value != closed.p_value
    assert [episode.p_value for episode in revised][-1:] == [closed.p_value]
