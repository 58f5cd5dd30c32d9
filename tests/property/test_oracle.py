"""The two oracles, one indexed and one that tries everything, say the same."""

from itertools import permutations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import (
    Episode,
    OracleRule,
    Sighting,
    episodes,
    episodes_by_definition,
    public_ip,
)

# A slice is 1 ms at a timespan of 60; 90 and 100 make slices that are no whole number of ms.
# Most times lie a window apart, give or take one: there runs just touch, or part by one slice.
times = st.one_of(
    st.builds(
        lambda windows, slices: 60 * windows + slices,
        st.integers(-1, 2),
        st.sampled_from([-1, 0, 1, 10]),
    ),
    st.integers(-200, 200),
)
sightings = st.lists(
    st.builds(
        Sighting,
        type=st.sampled_from(["ip", "ip", "ip", "ip", "domain"]),
        value=st.sampled_from(["a", "a", "b"]),
        organisation=st.sampled_from(["north", "south", "east", "west"]),
        country=st.sampled_from(["CZ", "CZ", "SK", "SK", "AT", "DE"]),
        time_ms=times,
        origin=st.sampled_from(["", "x", "y", "z"]),
        event=st.sampled_from(["1", "2", "3", "4"]),
        meets=st.frozensets(st.sampled_from(["scan", "brute", "drop"])),
    ),
    max_size=8,
)
rules = st.builds(
    OracleRule,
    indicator_type=st.just("ip"),
    timespan_ms=st.sampled_from([60, 60, 30, 90, 100]),
    field=st.sampled_from(["country", "organisation", "origin", "event"]),
    gte=st.sampled_from([1, 2, 2, 2, 3, 4]),
    organisations_gte=st.sampled_from([0, 0, 1, 2, 3]),
    countries_gte=st.sampled_from([0, 0, 2]),
    rules=st.sampled_from([("any_event",), ("any_event",), ("scan",), ("scan", "drop")]),
    ordered=st.just(False),
)
temporal = st.builds(
    lambda rules, gte, organisations, countries: OracleRule(
        "ip", 60, "rule", gte or len(rules), organisations, countries, tuple(rules), not gte
    ),
    st.permutations(["scan", "brute", "drop"]).flatmap(
        lambda names: st.sampled_from([names, names[:2]])
    ),
    st.sampled_from([0, 0, 1, 2]),  # 0: all of them, in order
    st.sampled_from([0, 0, 2]),
    st.sampled_from([0, 0, 2]),
)


@settings(max_examples=1000, deadline=None)
@given(sightings, rules | temporal)
def test_both_oracles_agree(sightings: list[Sighting], rule: OracleRule) -> None:
    assert episodes(sightings, rule) == episodes_by_definition(sightings, rule)


@given(sightings, rules | temporal, st.randoms())
def test_order_and_repetition_change_nothing(
    sightings: list[Sighting], rule: OracleRule, random: Random
) -> None:
    again = sightings + sightings
    random.shuffle(again)
    assert episodes(again, rule) == episodes(sightings, rule)


# One slice a millisecond: a country is counted in the window of its own slice and the 59 after it.
SIXTY = OracleRule(indicator_type="ip", timespan_ms=60, field="country", gte=2)


def seen(country: str, time_ms: int) -> Sighting:
    return Sighting("ip", "192.0.2.1", country.lower(), country, time_ms)


def found(first_seen: int, last_seen: int, *countries: str) -> Episode:
    return Episode(
        "ip", "192.0.2.1", first_seen, last_seen, countries, tuple(c.lower() for c in countries)
    )


def test_the_window_is_sixty_slices_wide() -> None:
    """`CZ` at 0 and `SK` at 59 share the one window 0…59; at 60 they share none."""
    assert episodes([seen("CZ", 0), seen("SK", 59)], SIXTY) == {found(0, 59, "CZ", "SK")}
    assert episodes([seen("CZ", 0), seen("SK", 60)], SIXTY) == set()


def test_the_window_must_hold_in_every_slice_between() -> None:
    """Runs 10…59 and 60…69 are one; put the second `CZ` a slice later and they are two.

    CZ  0---------------59           the window still counts CZ
    SK       10---------------69     the window still counts SK
    CZ                    60---...   one run 10…69
    CZ                     61--...   nothing holds at 60: two runs
    """
    joined = [seen("CZ", 0), seen("SK", 10), seen("CZ", 60)]
    assert episodes(joined, SIXTY) == {found(0, 60, "CZ", "SK")}
    parted = [seen("CZ", 0), seen("SK", 10), seen("CZ", 61)]
    assert episodes(parted, SIXTY) == {found(0, 10, "CZ", "SK"), found(10, 61, "CZ", "SK")}


def test_an_episode_covers_a_sighting_before_its_window_held() -> None:
    trail = [seen("CZ", 0), seen("CZ", 20), seen("SK", 70)]
    assert episodes(trail, SIXTY) == {found(20, 70, "CZ", "SK")}


def test_orders_of_arrival_give_one_answer() -> None:
    trail = [seen("CZ", 0), seen("SK", 10), seen("CZ", 61), seen("AT", 75)]
    assert len({frozenset(episodes(order, SIXTY)) for order in permutations(trail)}) == 1


def test_only_public_unicast_addresses_have_a_canonical_form() -> None:
    assert public_ip("61.131.218.218") == "61.131.218.218"
    assert public_ip("::ffff:61.131.218.218") == "61.131.218.218"
    assert public_ip("2A00:1450:0:0::1") == "2a00:1450::1"
    for text in (
        "10.0.0.1",
        "127.0.0.1",
        "192.0.2.1",
        "224.0.0.251",
        "255.255.255.255",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "ff0e::1",
        "2001:db8::1",
        "host",
        "",
    ):
        assert public_ip(text) is None
