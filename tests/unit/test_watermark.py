"""How far event time has come: the least over the sources that live."""

from pipeline.sight import UNKNOWN_WATERMARK, Progress, SourceState
from pipeline.watermark import Watermarks
from tests.unit.making import HOUR, MINUTE, at

DAY = 24 * HOUR
A, B, C = "events/0", "events/1", "events/2"


def told(marks: Watermarks, *expected: str, idle: tuple[str, ...] = ()) -> None:
    """An intake worker that owns the expected sources says what it knows of them: nothing new."""
    states = [SourceState(source, UNKNOWN_WATERMARK, source in idle) for source in expected]
    marks.told(Progress(states, list(expected)))


def test_nothing_is_known_until_somebody_tells_what_to_expect() -> None:
    marks = Watermarks(DAY)
    assert marks.whole() == UNKNOWN_WATERMARK
    marks.heard(A, at("12:00"))
    assert marks.whole() == UNKNOWN_WATERMARK
    told(marks, A)
    assert marks.whole() == at("12:00")


def test_the_slowest_source_holds() -> None:
    marks = Watermarks(DAY)
    told(marks, A, B)
    marks.heard(A, at("12:00"))
    assert marks.whole() == UNKNOWN_WATERMARK
    marks.heard(B, at("10:00"))
    assert marks.whole() == at("10:00")
    marks.heard(B, at("11:00"))
    assert marks.whole() == at("11:00")


def test_a_source_never_goes_back() -> None:
    marks = Watermarks(DAY)
    told(marks, A)
    marks.heard(A, at("12:00"))
    marks.heard(A, at("11:00"))
    assert marks.whole() == at("12:00")
    assert marks.states() == [SourceState(A, at("12:00"), idle=False)]


def test_an_idle_source_does_not_count_until_it_is_heard_again() -> None:
    """
    A  12:00 ─────────────── 13:00
    B  10:00 ── idle ─────────────── 12:30
    """
    marks = Watermarks(DAY)
    told(marks, A, B)
    marks.heard(A, at("12:00"))
    marks.heard(B, at("10:00"))
    told(marks, A, B, idle=(B,))
    assert marks.whole() == at("12:00")
    marks.heard(A, at("13:00"))
    assert marks.whole() == at("13:00")
    marks.heard(B, at("12:30"))  # from here on it holds the rest back, but nothing falls
    assert marks.whole() == at("13:00")
    marks.heard(A, at("14:00"))
    assert marks.whole() == at("13:00")
    marks.heard(B, at("13:30"))
    assert marks.whole() == at("13:30")


def test_with_every_source_idle_all_was_read_and_the_latest_holds() -> None:
    marks = Watermarks(DAY)
    marks.heard(A, at("12:00"))
    marks.heard(B, at("10:00"))
    told(marks, A, B, idle=(A, B))
    assert marks.whole() == at("12:00")


def test_a_source_that_is_expected_and_unknown_holds_all_back() -> None:
    marks = Watermarks(DAY)
    marks.told(Progress([SourceState(A, at("12:00"), idle=False)], [A, B]))
    assert marks.whole() == UNKNOWN_WATERMARK
    marks.told(Progress([SourceState(B, at("09:00"), idle=False)], [A, B]))
    assert marks.whole() == at("09:00")


def test_a_late_joiner_holds_all_back_but_turns_nothing_back() -> None:
    marks = Watermarks(DAY)
    told(marks, A)
    marks.heard(A, at("12:00"))
    assert marks.whole() == at("12:00")
    marks.told(Progress([SourceState(A, at("12:00"), idle=False)], [A, C]))
    marks.heard(A, at("13:00"))
    assert marks.whole() == at("12:00")
    marks.heard(C, at("11:00"))
    assert marks.whole() == at("12:00")
    marks.heard(C, at("12:45"))
    assert marks.whole() == at("12:45")


def test_a_source_that_has_never_sent_anything_counts_once_it_is_idle() -> None:
    marks = Watermarks(DAY)
    marks.heard(A, at("12:00"))
    told(marks, A, B)
    assert marks.whole() == UNKNOWN_WATERMARK
    told(marks, A, B, idle=(B,))
    assert marks.whole() == at("12:00")


def test_a_restore_knows_how_far_time_was_and_expects_nothing_yet() -> None:
    before = Watermarks(DAY)
    told(before, A, B, idle=(B,))
    before.heard(A, at("12:00"))
    after = Watermarks(DAY)
    after.restore(before.states(), before.whole())
    assert after.whole() == at("12:00")
    after.heard(A, at("13:00"))
    assert after.whole() == at("12:00")
    told(after, A, B)
    assert after.whole() == at("12:00")  # B counts as live until it is told idle again
    told(after, A, B, idle=(B,))
    assert after.whole() == at("13:00")


def test_a_restore_lowers_nothing() -> None:
    marks = Watermarks(DAY)
    told(marks, A)
    marks.heard(A, at("12:00"))
    assert marks.whole() == at("12:00")
    marks.restore([SourceState(A, at("10:00"), idle=False)], at("10:00"))
    assert marks.whole() == at("12:00")


def ticks(marks: Watermarks, told_at: int, *states: SourceState) -> None:
    marks.told(Progress(list(states), [state.source for state in states], told_at))


def live(source: str, watermark: int, *, backlog: bool = False) -> SourceState:
    return SourceState(source, watermark, idle=False, backlog=backlog)


def test_time_goes_on_without_a_source_whose_clock_has_stopped() -> None:
    """
    A  12:00 ──────────────────▶ a day later
    B  11:59, for ever           12:00 │ ten minutes │ does not hold time back
    """
    marks = Watermarks(DAY)
    now = at("12:00")
    for _ in range(2):
        ticks(marks, now, live(A, now + DAY), live(B, now))
        assert marks.whole() == now  # as late as an event may be
    ticks(marks, now, live(A, now + DAY + 1), live(B, now))
    ticks(marks, now + 10 * MINUTE - 1, live(A, now + DAY + 1), live(B, now))
    assert (marks.whole(), marks.stragglers) == (now, frozenset())
    ticks(marks, now + 10 * MINUTE, live(A, now + DAY + 1), live(B, now))
    assert (marks.whole(), marks.stragglers) == (now + DAY + 1, frozenset({B}))


def test_a_straggler_that_comes_up_counts_again() -> None:
    marks = Watermarks(HOUR, 0)
    ticks(marks, 0, live(A, at("12:00")), live(B, at("09:00")))
    assert (marks.whole(), marks.stragglers) == (at("12:00"), frozenset({B}))
    ticks(marks, 0, live(A, at("13:00")), live(B, at("12:30")))
    assert (marks.whole(), marks.stragglers) == (at("12:30"), frozenset())


def test_a_source_with_a_backlog_is_waited_for_however_far_it_is_behind() -> None:
    marks = Watermarks(HOUR)
    for minute in range(0, 600, 5):
        behind = live(B, at("00:01"), backlog=True)
        ticks(marks, minute * MINUTE, live(A, at("20:00")), behind)
    assert (marks.whole(), marks.stragglers) == (at("00:01"), frozenset())


def test_patience_begins_anew_where_a_source_had_a_backlog_or_was_idle() -> None:
    for between in (live(B, 0, backlog=True), SourceState(B, 0, idle=True)):
        marks = Watermarks(HOUR)
        ticks(marks, 0, live(A, at("20:00")), live(B, 0))
        ticks(marks, 9 * MINUTE, live(A, at("20:00")), between)
        ticks(marks, 10 * MINUTE, live(A, at("20:00")), live(B, 0))
        assert marks.stragglers == frozenset()
        ticks(marks, 20 * MINUTE, live(A, at("20:00")), live(B, 0))
        assert marks.stragglers == {B}


def test_an_idle_source_is_no_measure_of_the_others() -> None:
    """A has been replayed and is silent; B is replayed after it, from the same day."""
    marks = Watermarks(HOUR, 0)
    ticks(marks, 0, SourceState(A, at("20:00"), idle=True), live(B, at("01:00")))
    assert marks.stragglers == frozenset()


def test_sources_are_counted() -> None:
    marks = Watermarks(HOUR)
    told(marks, A, B, C, idle=(B,))
    assert (marks.known, marks.idle) == (3, 1)
