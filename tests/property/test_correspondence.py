"""What a letter tells: nothing but what its recipient may see, and only when that has changed."""

from __future__ import annotations

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.campaign.campaign import Campaign, Member, Seen
from pipeline.registry import Organisation
from pipeline.share import letter as letters
from pipeline.share import release as policy
from pipeline.share.correspondence import Correspondence
from pipeline.share.directory import Constituency, Csirt, Directory, Premises, Role
from pipeline.share.ledger import Entry
from pipeline.share.route import Routes
from pipeline.share.subscriber import Delivery
from pipeline.share.terms import Conditions, Grant, Granularity, Terms
from pipeline.share.tlp import Tlp
from tests.unit.making import MINUTE, at
from tests.unit.telling import campaign

NOW = at("18:00")
HOMES = {"a": "CZ", "a-too": "CZ", "b": "KE", "b-too": "KE", "c": "BR"}
VALUES = ("203.0.114.1", "203.0.114.2")
READERS = {"cz": "CZ", "cz-sector": "CZ", "ke": "KE", "br": "BR"}

conditions = st.builds(
    Conditions,
    st.sampled_from((None, *Tlp)),
    st.none(),
    st.lists(
        st.builds(
            Grant, st.sampled_from(("CZ", "KE", "BR", "cz-sector")), st.sampled_from(Granularity)
        ),
        max_size=3,
    ).map(tuple),
)
terms = st.fixed_dictionaries(dict.fromkeys(HOMES, conditions)).map(Terms)
rows = st.lists(
    st.tuples(st.sampled_from(VALUES), st.sampled_from(sorted(HOMES)), st.integers(0, 5)),
    min_size=1, max_size=5, unique_by=lambda row: row[:2],
)  # fmt: skip


def csirt(name: str, role: Role, **of: tuple[object, ...]) -> Csirt:
    constituency = msgspec.convert(of, Constituency)
    return Csirt(name, name, READERS[name], role, verified_at=NOW, constituency=constituency)


DIRECTORY = Directory(
    (
        csirt("cz", Role.NATIONAL, countries=("CZ",)),
        csirt("cz-sector", Role.SECTOR, networks=("192.0.2.0/24",), sectors=("research",), countries=("CZ",)),
        csirt("ke", Role.NATIONAL, countries=("KE",), domains=("b.ke",)),
        csirt("br", Role.NATIONAL, countries=("BR",)),
    ),
    (Premises("a", networks=("192.0.2.128/25",)), Premises("b-too", domains=("x.b.ke",))),
)  # fmt: skip
ORGANISATIONS = tuple(
    Organisation(name, country, name, "research" if name == "a-too" else None, None, ())
    for name, country in HOMES.items()
)
ROUTES = Routes(DIRECTORY, ORGANISATIONS)


def made(seen: list[tuple[str, str, int]], **changed: object) -> Campaign:
    sightings = tuple(
        Seen("ip", value, who, HOMES[who], at("12:00") + n * MINUTE, at("12:10"), 1)
        for value, who, n in seen
    )
    of = campaign("cz", sightings=sightings)
    return msgspec.structs.replace(
        of,
        indicators=tuple(Member("ip", value) for value in sorted({row[0] for row in seen})),
        first_seen=min(one.first_seen for one in sightings),
        **changed,
    )


def written(of: Campaign, on: Terms) -> dict[str, Entry]:
    one = Correspondence(ROUTES, on, Delivery(), hold_ms=0)
    one.campaign(of)
    return {entry.to: entry for entry in one.due(of.id, NOW)}


def told(found: dict[str, Entry], to: str) -> bytes:
    return letters.encode(found[to].letter) if to in found else b""


@given(terms, rows, rows, st.sampled_from(sorted(READERS)), st.booleans())
def test_what_a_recipient_may_not_see_changes_no_letter(
    on: Terms,
    seen: list[tuple[str, str, int]],
    others: list[tuple[str, str, int]],
    reader: str,
    other_name: bool,
) -> None:
    """Two campaigns that look the same to a recipient lead to the same letter, or to none."""
    recipient = policy.csirt(reader, READERS[reader])

    def visible(row: tuple[str, str, int]) -> bool:
        return policy.release(made([row]), on, recipient) is not None

    shown = [row for row in seen if visible(row)]
    keys = {row[:2] for row in shown}
    hidden = [row for row in others if not visible(row) and row[:2] not in keys]
    assume(shown or hidden)
    one, two = made(seen), made(shown + hidden, id="another" if other_name else "c")
    same = policy.release(one, on, recipient, at("12:10")) == policy.release(
        two, on, recipient, at("12:10")
    )
    assert same, "the policy itself"
    assert told(written(one, on), reader) == told(written(two, on), reader)


@given(terms, rows)
def test_a_letter_comes_once_and_says_what_may_be_seen(
    on: Terms, seen: list[tuple[str, str, int]]
) -> None:
    of = made(seen)
    one = Correspondence(ROUTES, on, Delivery(), hold_ms=0)
    one.campaign(of)
    entries = one.due(of.id, NOW)
    assert len({entry.to for entry in entries}) == len(entries)
    for entry in entries:
        body = entry.letter.body
        assert isinstance(body, letters.Told)
        recipient = policy.csirt(entry.to, READERS[entry.to])
        assert body.campaign == policy.release(of, on, recipient, of.last_seen)
        assert body.yours
    assert one.due(of.id, NOW + 1) == [], "nothing has changed"
    later = msgspec.structs.replace(of, confidence=1, p_value=0.5)
    one.campaign(later)
    assert one.due(of.id, NOW + 2) == [], "nor has what anybody may see"


@given(terms, rows, st.data())
def test_whatever_is_forgotten_and_read_back_is_written_again_alike(
    on: Terms, seen: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    """A successor that has read back any part of what was written writes the rest, under the same
    ids, and nothing of it twice.
    """
    of = made(seen)
    entries = written(of, on)
    kept = data.draw(st.sets(st.sampled_from(sorted(entries)))) if entries else set()
    successor = Correspondence(ROUTES, on, Delivery(), hold_ms=0)
    for to in kept:
        successor.ledger.put(entries[to])
    successor.campaign(of)
    again = {entry.to: entry for entry in successor.due(of.id, NOW)}
    assert again.keys() == entries.keys() - kept
    assert all(again[to].letter == entries[to].letter for to in again)


@given(
    terms,
    st.lists(st.tuples(rows, st.integers(0, 15)), min_size=1, max_size=5),
    st.sets(st.integers(0, 4)),
)
def test_whatever_revisions_there_were_the_newest_letters_say_what_the_last_does(
    on: Terms, revisions: list[tuple[list[tuple[str, str, int]], int]], restarts: set[int]
) -> None:
    """With minutes between them, some too soon for a letter, and successors that read it back."""
    hold = 10 * MINUTE
    one = Correspondence(ROUTES, on, Delivery(), hold_ms=hold)
    now, ids = NOW, list[str]()
    for n, (seen, minutes) in enumerate(revisions):
        now += minutes * MINUTE
        of = made(seen)
        if n in restarts:
            successor = Correspondence(ROUTES, on, Delivery(), hold_ms=hold)
            for entry in one.ledger.about(of.id):
                successor.ledger.put(entry)
            one = successor
        one.campaign(of)
        ids += [entry.letter.id for entry in one.due(of.id, now)]
    last = made(revisions[-1][0])
    ids += [entry.letter.id for entry in one.due(last.id, now + hold)]
    assert one.held == set()
    for to, wanted in written(last, on).items():
        found = one.ledger.get(last.id, to)
        assert found is not None
        assert found.substance == wanted.substance
    assert len(ids) == len(set(ids)), "no letter twice"
