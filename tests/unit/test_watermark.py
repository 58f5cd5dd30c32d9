"""How far event time has come: the least over the sources that live."""

from pipeline.sight import UNKNOWN_WATERMARK, Progress, SourceState
from pipeline.watermark import Watermarks
from tests.unit.making import at

A, B, C = "events/0", "events/1", "events/2"


def told(marks: Watermarks, *expected: str, idle: tuple[str, ...] = ()) -> None:
    """An intake worker that owns the expected sources says what it knows of them: nothing new."""
    states = [SourceState(source, UNKNOWN_WATERMARK, source in idle) for source in expected]
    marks.told(Progress(states, list(expected)))


def test_nothing_is_known_until_somebody_tells_what_to_expect() -> None:
    marks = Watermarks()
    assert marks.whole() == UNKNOWN_WATERMARK
    marks.heard(A, at("12:00"))
    assert marks.whole() == UNKNOWN_WATERMARK
    told(marks, A)
    assert marks.whole() == at("12:00")


def test_the_slowest_source_holds() -> None:
    marks = Watermarks()
    told(marks, A, B)
    marks.heard(A, at("12:00"))
    assert marks.whole() == UNKNOWN_WATERMARK
    marks.heard(B, at("10:00"))
    assert marks.whole() == at("10:00")
    marks.heard(B, at("11:00"))
    assert marks.whole() == at("11:00")


def test_a_source_never_goes_back() -> None:
    marks = Watermarks()
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
    marks = Watermarks()
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
    marks = Watermarks()
    marks.heard(A, at("12:00"))
    marks.heard(B, at("10:00"))
    told(marks, A, B, idle=(A, B))
    assert marks.whole() == at("12:00")


def test_a_source_that_is_expected_and_unknown_holds_all_back() -> None:
    marks = Watermarks()
    marks.told(Progress([SourceState(A, at("12:00"), idle=False)], [A, B]))
    assert marks.whole() == UNKNOWN_WATERMARK
    marks.told(Progress([SourceState(B, at("09:00"), idle=False)], [A, B]))
    assert marks.whole() == at("09:00")


def test_a_late_joiner_holds_all_back_but_turns_nothing_back() -> None:
    marks = Watermarks()
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
    marks = Watermarks()
    marks.heard(A, at("12:00"))
    told(marks, A, B)
    assert marks.whole() == UNKNOWN_WATERMARK
    told(marks, A, B, idle=(B,))
    assert marks.whole() == at("12:00")


def test_a_restore_knows_how_far_time_was_and_expects_nothing_yet() -> None:
    before = Watermarks()
    told(before, A, B, idle=(B,))
    before.heard(A, at("12:00"))
    after = Watermarks()
    after.restore(before.states(), before.whole())
    assert after.whole() == at("12:00")
    after.heard(A, at("13:00"))
    assert after.whole() == at("12:00")
    told(after, A, B)
    assert after.whole() == at("12:00")  # B counts as live until it is told idle again
    told(after, A, B, idle=(B,))
    assert after.whole() == at("13:00")


def test_a_restore_lowers_nothing() -> None:
    marks = Watermarks()
    told(marks, A)
    marks.heard(A, at("12:00"))
    assert marks.whole() == at("12:00")
    marks.restore([SourceState(A, at("10:00"), idle=False)], at("10:00"))
    assert marks.whole() == at("12:00")
