"""The window, drawn: x a sighting, ▒ the windows that end here and cover one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.slices import (
    PARTY_BITS,
    SLICES,
    at_least,
    pack_single,
    runs,
    runs_about,
    slice_of,
    smear,
    unpack_single,
)
from pipeline.window import EVERYWHERE, REACH, Window

HOUR = 3_600_000
CZ, SK, AT = 0, 1, 2
EACH = {CZ: CZ, SK: SK, AT: AT}


def window(*sightings: tuple[int, int]) -> Window:
    """Of (party, slice), each a thousand ms long, seen in its middle."""
    one = Window()
    for party, at in sightings:
        one.see(party, at, at * 1000 + 500, at * 1000 + 500)
    return one


def state(of: Window) -> tuple[object, ...]:
    """What a window knows, whatever slice its bits count from."""
    islands = [(one.base, one.last, one.seen, one.times) for one in of.islands]
    return islands, of.since, of.floor


def holding(
    of: Window, count: int, group: dict[int, int] = EACH, span: tuple[int, int] = EVERYWHERE
) -> list[tuple[int, int]]:
    return list(of.holding([(count, group)], span))


@pytest.mark.parametrize(
    ("time", "timespan", "expected"),
    [
        (0, HOUR, 0),
        (59_999, HOUR, 0),
        (60_000, HOUR, 1),
        (1, 90, 0),
        (2, 90, 1),
        (3, 90, 2),
        (1, 7, 8),
        (253_402_300_799_999, 1000, 253_402_300_799_999 * 60 // 1000),
    ],
)
def test_the_slice_of_a_time(time: int, timespan: int, expected: int) -> None:
    assert slice_of(time, timespan) == expected


def test_a_sighting_is_covered_by_sixty_windows() -> None:
    """
    slice     0                             59 60
    seen      x  .  .  .  .  .  .  .  .  .  .  .
    smeared   ▒  ▒  ▒  ▒  ▒  ▒  ▒  ▒  ▒  ▒  ▒  .
    """
    assert smear(0) == 0
    assert smear(1) == (1 << SLICES) - 1
    assert list(runs(smear(1 | 1 << 60))) == [(0, 119)]
    assert list(runs(smear(1 | 1 << 61))) == [(0, 59), (61, 120)]


def test_at_least_counts_columns() -> None:
    """
    CZ         x x x . . x
    SK         . x x x . x
    AT         . . x x . .
    at least 2   1 2 3   5
    """
    columns = [0b100111, 0b101110, 0b001100]
    assert at_least(1, columns) == 0b101111
    assert at_least(2, columns) == 0b101110
    assert at_least(3, columns) == 0b000100
    assert at_least(4, columns) == 0


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0b0, []),
        (0b1, [(0, 0)]),
        (0b1100, [(2, 3)]),
        (0b11011, [(0, 1), (3, 4)]),
        ((1 << 200) - 1, [(0, 199)]),
    ],
)
def test_runs(bits: int, expected: list[tuple[int, int]]) -> None:
    assert list(runs(bits)) == expected


@pytest.mark.parametrize(
    ("party", "first", "last"),
    [
        (0, 0, 0),
        ((1 << PARTY_BITS) - 1, 253_402_300_799_999, 253_402_300_799_999),
        (7, 5, 5 + (1 << 32) - 1),
    ],
)
def test_one_sighting_is_one_integer(party: int, first: int, last: int) -> None:
    assert unpack_single(pack_single(party, first, last)) == (party, first, last)


def test_a_slice_of_the_longest_rule_fits_the_integer() -> None:
    assert 30 * 24 * HOUR // SLICES < 1 << 32


def test_two_countries_share_windows_until_the_older_sighting_leaves() -> None:
    """
    slice   100       110                159 160        169
    CZ      x▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    SK                x▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    both              ├────────────────────┤
    """
    one = window((CZ, 100), (SK, 110))
    assert holding(one, 2) == [(110, 159)]
    assert holding(one, 1) == [(100, 169)]
    assert holding(one, 3) == []


def test_parties_of_one_group_count_once() -> None:
    one = window((CZ, 100), (SK, 110), (AT, 120))
    assert holding(one, 2, {CZ: CZ, SK: CZ, AT: AT}) == [(120, 169)]
    assert holding(one, 2, {CZ: CZ, SK: CZ, AT: CZ}) == []


def test_only_what_lies_near_a_change_is_looked_at() -> None:
    """
    slice   100                   159 160
    CZ      x▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    SK                             x▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    """
    touching, apart = window((CZ, 100), (SK, 159)), window((CZ, 100), (SK, 160), (AT, 160))
    assert holding(touching, 2, EACH, (159, 159)) == [(159, 159)]
    assert holding(touching, 2, EACH, (100, 100)) == [(159, 159)]
    assert holding(touching, 2, {CZ: CZ, SK: CZ}, (100, 159)) == []
    assert holding(apart, 2, EACH, (160, 160)) == [(160, 219)]
    assert holding(apart, 2, EACH, (100, 100)) == []
    assert holding(apart, 1, EACH, (100, 100)) == [(100, 219)]


def test_runs_of_windows_that_a_change_does_not_reach_are_passed_over() -> None:
    """On one island there may be hundreds: an indicator that is seen every day."""
    one = window(*((party, 200 * n) for n in range(4) for party in (CZ, SK)))
    assert len(one.islands) == 1
    every = [(0, 59), (200, 259), (400, 459), (600, 659)]
    assert holding(one, 2) == every
    assert holding(one, 2, EACH, (400, 400)) == [(400, 459)]
    assert holding(one, 2, EACH, (459, 541)) == [(400, 459), (600, 659)]
    assert holding(one, 2, EACH, (200, 400)) == [(200, 259), (400, 459)]
    assert holding(one, 2, EACH, (460, 540)) == []


@given(st.integers(0, 1 << 80), st.integers(-5, 90), st.integers(-5, 90))
def test_runs_about(bits: int, low: int, high: int) -> None:
    expected = [(first, last) for first, last in runs(bits) if first <= high and last >= low]
    assert list(runs_about(bits, low, high)) == (expected if low <= high else [])


def test_nothing_holds_where_nothing_is_remembered() -> None:
    """A span long before the window once was a negative shift."""
    one = window((CZ, 1000), (SK, 1000))
    assert holding(one, 1, EACH, (5, 6)) == []
    assert holding(one, 1, EACH, (1001, 1070)) == []
    assert holding(one, 2, EACH, (0, 2000)) == [(1000, 1059)]


def test_sightings_far_apart_lie_on_islands() -> None:
    """
    slice   0            REACH    2 REACH + 1
    CZ      x              x          x
            ├── one ───────┤          ├ another
    """
    assert len(window((CZ, 0), (CZ, REACH)).islands) == 1
    assert len(window((CZ, 0), (CZ, REACH + 1)).islands) == 2
    assert len(window((CZ, REACH + 1), (CZ, 0)).islands) == 2
    assert len(window((CZ, 0), (CZ, REACH), (CZ, 2 * REACH + 1)).islands) == 2


def test_a_sighting_between_two_islands_joins_them() -> None:
    far = REACH + 50
    islands = window((CZ, 0), (SK, far), (AT, 3 * far))
    assert [one.base for one in islands.islands] == [0, far, 3 * far]
    islands.see(CZ, 60, 60_500, 60_500)
    assert [(one.base, one.last) for one in islands.islands] == [(0, far), (3 * far, 3 * far)]
    islands.see(CZ, 2 * far, 2_000_000, 2_000_000)
    assert len(islands.islands) == 3
    islands.see(CZ, 2 * far - 50, 2_000_000, 2_000_000)
    assert [(one.base, one.last) for one in islands.islands] == [(0, 2 * far), (3 * far, 3 * far)]


def test_windows_that_touch_are_one_run() -> None:
    """The last window over slice 100 ends at 159; the next one may be over another sighting."""
    assert holding(window((CZ, 100), (SK, 160)), 1) == [(100, 219)]
    assert holding(window((CZ, 100), (SK, 161)), 1) == [(100, 159), (161, 220)]
    assert REACH > SLICES  # islands never touch


def test_the_time_between_costs_nothing() -> None:
    """One sensor says 1970, another today; the rule has slices of 17 ms."""
    ages = [0, 10**6, 10**9, 10**14]
    one = window(*[(party, at) for at in ages for party in (CZ, SK)])
    assert holding(one, 2) == [(at, at + 59) for at in ages]
    assert one.cover(10**9, 10**9 + 59) == (10**12 + 500, 10**12 + 500, [CZ, SK])
    assert max(bits.bit_length() for island in one.islands for bits in island.seen.values()) == 1
    one.forget(10**9)
    assert [island.base for island in one.islands] == [10**9, 10**14]
    assert state(one) == state(one_of(one))


def one_of(other: Window) -> Window:
    one = Window()
    one.join(other)
    return one


def test_an_older_sighting_than_the_first_moves_the_base() -> None:
    one = window((CZ, 100), (SK, 40))
    assert one.oldest == 40
    assert state(one) == state(window((SK, 40), (CZ, 100)))
    assert holding(one, 2) == []
    one.see(AT, 99, 99_500, 99_500)
    assert holding(one, 3) == []
    assert holding(one, 2) == [(99, 158)]


def test_seeing_again_says_nothing_new_but_a_wider_time_does() -> None:
    one = window((CZ, 100))
    assert not one.see(CZ, 100, 100_500, 100_500)
    assert one.see(SK, 100, 100_500, 100_500)
    assert not one.see(SK, 100, 100_500, 100_500)
    assert one.see(CZ, 100, 100_200, 100_500)
    assert one.see(CZ, 100, 100_500, 100_700)
    assert one.islands[0].times == {100: (100_200, 100_700)}


def test_covering() -> None:
    """
    slice   100    105    110
    CZ      x             x
    SK             x
    """
    one = window((CZ, 100), (SK, 105), (CZ, 110))
    assert one.cover(100, 110) == (100_500, 110_500, [CZ, SK])
    assert one.cover(101, 109) == (105_500, 105_500, [SK])
    assert one.cover(0, 100) == (100_500, 100_500, [CZ])
    assert one.cover(106, 109) is None
    assert one.cover(111, 500) is None


def test_forgetting() -> None:
    """
    slice   100    105 │ 110       what is left of the line is forgotten
    CZ      x          │ x
    SK             x   │
    """
    one = window((CZ, 100), (SK, 105), (CZ, 110))
    one.forget(106)
    (island,) = one.islands
    assert island.seen == {CZ: 1 << 4}
    assert island.times == {110: (110_500, 110_500)}
    assert (one.oldest, one.since) == (106, 106)
    assert one.floor == 106 + SLICES - 1  # older windows cover what is forgotten
    assert not one.see(SK, 105, 105_500, 105_500)
    assert one.see(SK, 106, 106_500, 106_500)
    before = state(one)
    one.forget(50)
    assert state(one) == before


def test_the_slice_from_which_on_is_kept_is_kept() -> None:
    one = window((CZ, 100), (SK, 105))
    one.forget(105)
    assert one.cover(100, 110) == (105_500, 105_500, [SK])


def test_forgetting_what_was_never_there_keeps_the_base() -> None:
    one = window((CZ, 100))
    one.forget(50)
    assert (one.oldest, one.since) == (100, 50)
    assert one.see(SK, 60, 60_500, 60_500)
    assert one.see(SK, 50, 50_500, 50_500)
    assert not one.see(SK, 49, 49_500, 49_500)


def test_windows_before_the_floor_are_settled() -> None:
    one = window((CZ, 100), (SK, 110))
    one.floor = 120
    assert holding(one, 2) == [(120, 159)]
    one.floor = 160
    assert holding(one, 2) == []


def test_newest() -> None:
    assert window((CZ, 100), (SK, 110), (AT, 90)).newest == 110
    empty = Window()
    empty.forget(5)
    assert (empty.oldest, empty.newest) == (5, 4)


def test_joining_is_seeing_all_of_both() -> None:
    left = [(CZ, 100), (SK, 140)]
    right = [(SK, 90), (CZ, 100), (AT, 300)]
    both = window(*left, *right)
    one, other = window(*left), window(*right)
    one.join(window(*right))
    other.join(window(*left))
    assert state(one) == state(other) == state(both)
    one.join(one)
    assert state(one) == state(both)


def test_what_either_side_has_settled_is_settled() -> None:
    for floors in ((120, 150), (150, 120)):
        one, other = window((CZ, 100)), window((CZ, 100))
        one.floor, other.floor = floors
        one.join(other)
        assert one.floor == 150


def test_joining_keeps_what_both_sides_have_forgotten_forgotten() -> None:
    one, other = window((CZ, 100), (SK, 140)), window((CZ, 110), (AT, 150))
    one.forget(105)
    other.forget(120)
    one.join(other)
    assert one.since == 120
    assert one.floor == 120 + SLICES - 1
    assert [set(island.times) for island in one.islands] == [{140, 150}]
