"""What a recipient has been told, whatever came when; and what is told of numbers alone."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.campaign.campaign import Campaign, Member, Seen, Status
from pipeline.share.counts import DAY_MS, STEPS, counts
from pipeline.share.release import Kind, Reader, Recipient, release
from pipeline.share.terms import Conditions, Grant, Granularity, Terms
from pipeline.share.tlp import Pap, Tlp
from pipeline.share.views import Publication

HOUR = 3_600_000
WHO = {"cz-nren": "CZ", "sk-nren": "SK", "at-nren": "AT"}
READERS = (Reader("", "CZ"), Reader("sk-nren", "SK"))
ALLIANCE = Recipient(Kind.ALLIANCE, "v4", READERS, members=READERS)
replace = msgspec.structs.replace


def terms(labels: dict[str, Tlp]) -> Terms:
    to = (Grant("alliance:v4"),)
    return Terms(
        {who: Conditions(label, None, to, country=WHO[who]) for who, label in labels.items()}
    )


OPEN = terms(dict.fromkeys(WHO, Tlp.AMBER))


def campaign(identity: str, *rows: Seen, status: Status = Status.OPEN) -> Campaign:
    return Campaign(
        id=identity, status=status, first_seen=min(one.first_seen for one in rows),
        last_seen=max(one.last_seen for one in rows),
        indicators=tuple({Member(one.type, one.value): None for one in rows}),
        countries=tuple(sorted({one.country for one in rows})),
        organisations=tuple(sorted({one.organisation for one in rows})),
        alerts=("a",), severity=3, confidence=80, p_value=0.1, reasons=(), tlp=Tlp.RED,
        first_told=0, grown_at=0, confidence_word="likely", admiralty="B2", corroboration=(),
        sightings=rows, pap=Pap.AMBER,
    )  # fmt: skip


SEEN = st.builds(
    lambda value, who, at, for_: Seen("ip", value, who, WHO[who], at, at + for_, 1),
    st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    st.sampled_from(sorted(WHO)),
    st.integers(0, 10),
    st.integers(0, 10),
)
ROWS = st.lists(SEEN, min_size=1, max_size=5, unique_by=lambda one: (one.value, one.organisation))
STEPS_OF_TIME = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.tuples(st.sampled_from("AB"), ROWS)), max_size=12
)


def own(identity: str, rows: list[Seen]) -> tuple[Seen, ...]:
    """No two campaigns have a member in common."""
    return tuple(replace(one, value=f"{one.value}{identity == 'A':d}") for one in rows)


@settings(max_examples=150)
@given(STEPS_OF_TIME, st.integers(0, 8))
def test_at_any_time_it_has_what_was_told_before_the_delay(
    steps: list[tuple[int, tuple[str, list[Seen]] | None]], delay: int
) -> None:
    """Held against a recount from the whole past at every moment."""
    publication, has, now = Publication(OPEN, ALLIANCE, delay), dict[str, Campaign](), 0
    past: list[tuple[int, Campaign]] = []
    for later, revision in steps:
        now += later
        if revision is not None:
            one = campaign(revision[0], *own(*revision))
            past.append((now, one))
            publication.hear(one, now)
        for view in publication.look(now):
            assert has.get(view.id) != view
            has[view.id] = view
        newest = {one.id: one for told, one in past if told + delay <= now}
        wanted = [
            shown
            for one in newest.values()
            if (shown := release(one, OPEN, ALLIANCE, now)) is not None
        ]
        assert all(has[view.id] == view for view in wanted)
        for one in has.values():
            if one not in wanted and one.status is Status.MERGED:
                # It leads to what is told of its members now.
                assert one.merged_into in has
        assert all("at-nren" not in one.organisations for one in has.values())


@settings(max_examples=100)
@given(STEPS_OF_TIME, st.integers(0, 8), st.sets(st.integers(0, 11)))
def test_whoever_takes_over_tells_the_same_in_the_end(
    steps: list[tuple[int, tuple[str, list[Seen]] | None]], delay: int, crashes: set[int]
) -> None:
    """The topic has the newest revisions and what was told; nothing else is handed on."""
    ends: list[dict[str, Campaign]] = []
    for crashing in (False, True):
        publication, has, now = Publication(OPEN, ALLIANCE, delay), dict[str, Campaign](), 0
        newest: dict[str, tuple[int, Campaign]] = {}
        for number, (later, revision) in enumerate(steps):
            now += later
            if revision is not None:
                one = campaign(revision[0], *own(*revision))
                newest[one.id] = (now, one)
                publication.hear(one, now)
            has |= {view.id: view for view in publication.look(now)}
            if crashing and number in crashes:
                publication = Publication(OPEN, ALLIANCE, delay)
                for view in has.values():
                    publication.remember(view)
                for told, one in newest.values():
                    publication.hear(one, told)
        has |= {view.id: view for view in publication.look(now + delay)}
        now += delay
        shown = [release(one, OPEN, ALLIANCE, now) for _, one in newest.values()]
        ends.append({theirs.id: has[theirs.id] for theirs in shown if theirs is not None})
    assert ends[0] == ends[1]


def test_a_member_that_leaves_stops_the_future_only() -> None:
    both = campaign(
        "A", Seen("ip", "x", "cz-nren", "CZ", 1, 2, 1), Seen("ip", "x", "sk-nren", "SK", 3, 4, 1)
    )
    publication = Publication(OPEN, ALLIANCE)
    publication.hear(both, 0)
    (first,) = publication.look(10)
    assert first.organisations == ("cz-nren", "sk-nren")
    without = replace(ALLIANCE, readers=READERS[:1], members=READERS[:1])
    publication.turn_to(OPEN, without, 0)
    (second,) = publication.look(11)
    assert second.organisations == ("cz-nren",)
    only = campaign("B", Seen("ip", "y", "sk-nren", "SK", 3, 4, 1))
    publication.hear(only, 12)
    assert publication.look(12) == []
    publication.turn_to(OPEN, replace(ALLIANCE, readers=(), members=()), 0)
    assert publication.look(13) == []
    assert publication.told[second.id] == second


def test_what_is_merged_leads_to_the_name_that_the_other_has_here() -> None:
    one = campaign("A", Seen("ip", "x", "cz-nren", "CZ", 1, 2, 1))
    other = campaign(
        "B", Seen("ip", "z", "at-nren", "AT", 0, 2, 1), Seen("ip", "y", "sk-nren", "SK", 3, 4, 1)
    )
    publication = Publication(OPEN, ALLIANCE)
    publication.hear(one, 0)
    publication.hear(other, 0)
    told = {view.indicators[0].value: view for view in publication.look(5)}
    assert set(told) == {"x", "y"}
    publication.hear(replace(one, status=Status.MERGED, merged_into="B"), 6)
    (merged,) = publication.look(6)
    assert (merged.id, merged.status, merged.merged_into) == (
        told["x"].id,
        Status.MERGED,
        told["y"].id,
    )


MANY = tuple(Reader(f"org-{n}", "CZ") for n in range(12))


def in_members(
    identity: str, came: list[int], label: Tlp = Tlp.AMBER_STRICT, value: str = "x"
) -> Campaign:
    rows = [Seen("ip", value, f"org-{n}", "CZ", at, at + 1, 1, label) for n, at in enumerate(came)]
    return campaign(identity, *rows)


CAME = st.lists(st.lists(st.integers(0, 3 * DAY_MS), min_size=1, max_size=12), max_size=4)


@settings(max_examples=200)
@given(CAME, st.integers(0, 3), st.randoms(use_true_random=False))
def test_a_number_tells_nothing_else(came: list[list[int]], day: int, random: object) -> None:
    told = [in_members(f"c{n}", times, value=f"v{n}") for n, times in enumerate(came)]
    found = counts(told, Terms(), MANY, 3, day)
    # Other ids, indicators, members, order, and other times of the same days: the same numbers.
    shuffled = list(MANY)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    renamed = {f"org-{n}": one.name for n, one in enumerate(shuffled)}
    others = [
        campaign(
            f"other-{one.id}",
            *(
                replace(
                    row,
                    value=f"other-{row.value}",
                    organisation=renamed[row.organisation],
                    first_seen=row.first_seen // DAY_MS * DAY_MS + (row.first_seen * 7) % DAY_MS,
                )
                for row in one.sightings
            ),
        )
        for one in reversed(told)
    ]
    assert counts(others, Terms(), MANY, 3, day) == found

    # Naively: so many others had seen it by the end of the day, and not by the end of the last.
    def reached(times: list[int], before: int) -> int:
        left = sum(at < before for at in times) - 1
        return max((step for step in STEPS if step <= left), default=0)

    steps = [(reached(times, day * DAY_MS), reached(times, (day + 1) * DAY_MS)) for times in came]
    assert sorted(found) == sorted(after for before, after in steps if after > before)
    assert all(number >= 3 for number in found)


@given(st.lists(st.integers(0, DAY_MS - 1), min_size=1, max_size=12), st.integers(0, 11))
def test_nobody_brings_a_campaign_over_the_least_by_seeing_it_himself(
    came: list[int], who: int
) -> None:
    without_me = [at for n, at in enumerate(came) if n != who % len(came)]
    told = counts([in_members("c", came)], Terms(), MANY, 3, 0)
    if len(without_me) < 3:
        assert told == ()
    elif told:
        assert len(without_me) >= told[0]


def test_what_is_red_is_not_even_counted() -> None:
    red, strict = in_members("c", [1] * 4, Tlp.RED), in_members("d", [1] * 4)
    assert counts([red, strict], Terms(), MANY, 3, 0) == (3,)
    assert counts([strict], Terms(), MANY, 4, 0) == ()


@given(st.sampled_from(Granularity), st.permutations(["cz-a", "cz-b", "cz-c"]))
def test_who_is_masked_can_be_anybody(granularity: Granularity, names: list[str]) -> None:
    """Another organisation in its place, or where only the count is told from another country:
    not a byte changes.
    """

    def view(who: list[str], country: str) -> bytes:
        grant = (Grant("community", granularity),)
        known = {
            one: Conditions(Tlp.GREEN, None, grant, trust=n / 9)
            for n, one in enumerate(sorted(who))
        }
        rows = [Seen("ip", "x", one, country, 10 * n, 10 * n + 5, n) for n, one in enumerate(who)]
        shown = release(campaign("A", *rows), Terms(known), Recipient(Kind.COMMUNITY))
        assert shown is not None
        return msgspec.json.encode(shown)

    plain = view(["cz-a", "cz-b", "cz-c"], "CZ")
    if granularity is Granularity.ORGANISATION:
        assert all(one.encode() in plain for one in names)
    else:
        assert view(names, "CZ") == plain
        assert b"cz-" not in plain
        assert (view(names, "SK") == plain) == (granularity is Granularity.COUNT)
