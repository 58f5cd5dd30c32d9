"""The correlator's state on the wire: what a segment holds, and what joining it does."""

from __future__ import annotations

from pipeline.checkpoint import Seal, restore, save, seal, unseal
from pipeline.correlate import Correlator
from pipeline.episode import Change, Episode
from pipeline.registry import Party
from pipeline.rule import Rule
from pipeline.sight import SourceState
from pipeline.window import Window
from tests.unit.making import HOUR, at, rule, seen

DAY = 24 * HOUR


def correlator(*rules: Rule, met: tuple[Party, ...] = ()) -> Correlator:
    """One that numbered these parties first: numbers on the wire must not be its own."""
    one = Correlator(rules or [rule()], DAY)
    for party in met:
        one.parties.number(party)
    return one


def fill(one: Correlator) -> list[Episode]:
    """A single, a few, a window without an episode, and one with."""
    one.observe(seen("single", "CZ", at("12:00:10")))
    one.observe(seen("few", "CZ", at("12:00:10"), at("12:05")))
    one.observe(seen("few", "SK", at("12:00:20")))
    for organisation in ("a", "b", "c"):
        one.observe(seen("window", "CZ", at("12:01"), organisation=organisation))
    for country in ("CZ", "SK", "AT"):
        one.observe(seen("episode", country, at("12:10")))
    return one.settle()


def knows(one: Correlator) -> dict[str, object]:
    """By indicator, who saw it in which slice, and when; parties by name."""
    (track,) = one.tracks
    known: dict[str, object] = {}
    for value, state in track.states.items():
        if isinstance(state, Window):
            window = state
        else:
            window = track.widen((state,) if isinstance(state, int) else state)
        known[value] = [
            (
                {one.parties.all[n]: bits << island.base for n, bits in island.seen.items()},
                island.times,
            )
            for island in window.islands
        ]
    return known


def everything(one: Correlator, *, published: bool = True) -> bytes:
    return save(one, 0, one.tracks[0].states, published=published, gone=False)


def test_a_seal_says_how_far_time_had_come() -> None:
    sources = [SourceState("events/0", 5, idle=True)]
    assert unseal(seal(7, 1234, sources)) == Seal(7, 1234, sources)


def test_what_was_saved_is_known_again() -> None:
    before = correlator()
    fill(before)
    after = correlator(met=(Party("other", "DE"), Party("org-sk", "SK")))
    restore(after, everything(before), sealed=True)
    after.resume()
    assert knows(after) == knows(before)
    assert after.live == before.live == {"ip": 4}


def test_an_episode_goes_on_under_its_id() -> None:
    before = correlator()
    (opened,) = fill(before)
    after = correlator()
    restore(after, everything(before), sealed=True)
    after.resume()
    assert after.settle() == []  # it had been delivered
    after.observe(seen("episode", "DE", at("12:20")))
    (updated,) = after.settle()
    assert (updated.id, updated.change) == (opened.id, Change.UPDATED)
    assert updated.countries == ("AT", "CZ", "DE", "SK")
    assert [one.id for one in after.finish()] == [opened.id]


def test_what_may_not_have_been_delivered_is_given_out_again() -> None:
    before = correlator()
    (opened,) = fill(before)
    after = correlator()
    restore(after, everything(before, published=False), sealed=False)
    after.resume()
    assert after.settle() == [opened]


def test_a_merger_that_may_not_have_been_told_is_told_again() -> None:
    before = correlator()
    for clock in ("12:00", "14:00"):
        for country in ("CZ", "SK", "AT"):
            before.observe(seen("a", country, at(clock)))
    first, second = before.settle()
    for country in ("CZ", "SK", "AT"):
        before.observe(seen("a", country, at("13:00")))
    (merged,) = before.settle()
    assert (merged.change, merged.id, merged.merged_into) == (Change.MERGED, second.id, first.id)

    for published, expected in ((False, [merged]), (True, [])):
        after = correlator()
        restore(after, everything(before, published=published), sealed=False)
        after.resume()
        again = [one for one in after.settle() if one.change is Change.MERGED]
        assert again == expected
        assert after.settle() == []


def test_segments_join_in_any_state_that_is_there() -> None:
    """Parts of the same indicator, by one integer, a few and a window, each with each."""
    parts = [
        [seen("x", "CZ", at("12:00:30"))],
        [seen("x", "CZ", at("12:00:10"))],
        [seen("x", "CZ", at("11:00")), seen("x", "SK", at("12:00"))],
        [seen("x", country, at("12:30")) for country in ("CZ", "SK", "AT")],
    ]
    for one in parts:
        for other in parts:
            whole, after = correlator(), correlator()
            for part in (one, other):
                alone = correlator()
                for sightings in part:
                    whole.observe(sightings)
                    alone.observe(sightings)
                alone.settle()
                restore(after, everything(alone), sealed=False)
            assert knows(after) == knows(whole)


def test_a_newer_segment_s_episodes_stand_for_the_older_one_s() -> None:
    before = correlator()
    fill(before)
    old = everything(before)
    (closed,) = before.advance(at("20:00") + DAY)
    after = correlator()
    restore(after, old, sealed=True)
    restore(after, everything(before), sealed=True)
    after.resume()
    assert closed.change is Change.CLOSED
    assert after.open_episodes == 0
    assert after.settle() == []


def test_a_long_episode_keeps_what_its_window_has_forgotten() -> None:
    before = Correlator([rule()], 0)
    for hour in range(10):
        for minute in (0, 30):
            for country in ("CZ", "SK", "AT") if hour else ("FR", "IT", "ES"):
                before.observe(seen("a", country, at(f"{hour:02}:{minute:02}")))
        before.settle()
        before.advance(at(f"{hour:02}:30"))
        before.sweep()
    after = Correlator([rule()], 0)
    restore(after, everything(before), sealed=True)
    after.advance(at("09:30"))
    after.resume()
    assert after.settle() == []
    (closed,) = after.finish()
    assert closed.first_seen == at("00:00")
    assert closed.countries == ("AT", "CZ", "ES", "FR", "IT", "SK")


def test_gone_holds_only_under_a_seal() -> None:
    before = correlator()
    fill(before)
    gone = save(before, 0, ["episode", "single"], published=True, gone=True)
    for sealed, left in (
        (True, {"few", "window"}),
        (False, {"single", "few", "window", "episode"}),
    ):
        after = correlator()
        restore(after, everything(before), sealed=True)
        restore(after, gone, sealed=sealed)
        after.resume()
        after.settle()
        (track,) = after.tracks
        assert set(track.states) == left
        assert after.open_episodes == (0 if sealed else 1)
        # What is there after all must be written again, behind the record that says it is not.
        assert {"episode", "single"} <= set(track.dirty) or sealed


def test_what_no_rule_asks_for_any_more_is_left_out() -> None:
    before = correlator()
    fill(before)
    segment = everything(before)
    other = correlator(rule("domain"), rule(timespan=2 * HOUR))
    restore(other, segment, sealed=True)
    other.resume()
    assert other.live == {"domain": 0, "ip": 0}


def test_the_episodes_of_a_rule_that_is_gone_are_left_out_and_a_new_rule_s_are_found() -> None:
    before = correlator()
    fill(before)
    after = correlator(rule(gte=2))
    restore(after, everything(before), sealed=True)
    after.resume()
    assert after.open_episodes == 0
    assert after.live == {"ip": 4}
    after.observe(seen("episode", "CZ", at("12:11")))
    opened = {one.value: one.countries for one in after.settle()}
    assert opened == {"episode": ("AT", "CZ", "SK"), "few": ("CZ", "SK")}


def test_an_indicator_that_is_not_there_is_not_saved() -> None:
    segment = save(correlator(), 0, ["nobody knows"], published=True, gone=False)
    after = correlator()
    restore(after, segment, sealed=True)
    assert after.live == {"ip": 0}
