"""What the read store finds is what looking at every record finds, and a rebuilt one finds the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.campaign import label as labels
from pipeline.campaign.campaign import Status
from pipeline.campaign.campaign import decode as decode_campaign
from pipeline.campaign.label import Labels
from pipeline.shell.observe import decode_alert
from pipeline.shell.serve.rows import KINDS, Kind, Record
from pipeline.shell.serve.store import Store
from pipeline.view import facet
from pipeline.view.facet import SEVERITIES, Beside, Wanted, is_wanted
from tests.unit import told

SECTORS = {"cz-nren": "research", "ke-nren": "banking"}
countries = st.lists(st.sampled_from(["CZ", "KE", "BR"]), min_size=1, max_size=3, unique=True)
kinds = st.sampled_from(["ip", "domain"])
severities = st.integers(1, 5)
chances = st.sampled_from([None, 0.0, 1e-5, 0.03, 0.9])
alerts = st.builds(
    lambda identity, value, kind, where, severity, p: told.alert(
        identity, value, kind, where, severity=severity, p_value=p
    ),
    *(st.sampled_from(["a1", "a2", "a3", "a4"]), st.sampled_from(["x", "xy", "z"]), kinds),
    *(countries, severities, chances),
)
campaigns = st.builds(
    lambda identity, members, where, status, severity, p: told.campaign(
        identity, members, where, status=status, severity=severity, p_value=p
    ),
    st.sampled_from(["c1", "c2", "c3"]),
    st.lists(st.tuples(kinds, st.sampled_from(["x", "xy", "z"])), max_size=3, unique=True),
    *(countries, st.sampled_from(Status), severities, chances),
)
said = st.builds(
    told.label,
    st.sampled_from(["a1", "a2", "c1"]),
    st.sampled_from(["benign", "confirmed", "false-positive"]),
    *(st.sampled_from(["ann", "ben"]), st.integers(1, 3)),
)
gone = st.builds(
    lambda kind, n: Record(kind, f"{kind[0]}{n}".encode(), None, told.NOON),
    *(st.sampled_from(KINDS), st.integers(1, 4)),
)
times = st.integers(told.NOON, told.NOON + 3)
records = st.builds(told.record, alerts | campaigns | said, times) | gone
streams = st.lists(st.lists(records, max_size=6), max_size=5)
wants = st.dictionaries(
    st.sampled_from(["country", "severity", "type", "sector", "surprise", "label", "status"]),
    st.lists(
        st.sampled_from(
            ["CZ", "KE", "4", "5", "ip", "domain", "research", "1e-4", "none", "benign", "open"]
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
    max_size=2,
)


@contextmanager
def store() -> Iterator[Store]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Store(Path(folder) / "s.sqlite", SECTORS)) as made,
    ):
        yield made


def standing(stream: Sequence[Record], kind: Kind) -> dict[str, frozenset[str]]:
    """By id, the facets of the newest of each, from the records alone."""
    newest: dict[bytes, Record] = {}
    notes: dict[bytes, Record] = {}
    for one in stream:
        assert one.key is not None
        if one.kind == kind:
            newest[one.key] = one
        elif one.kind == "labels":
            notes[one.key] = one
    every = Labels()
    for one in notes.values():
        assert one.value is not None
        every.add(labels.decode(one.value))
    found: dict[str, frozenset[str]] = {}
    for one in newest.values():
        if one.value is None or one.key is None:
            continue
        name = one.key.decode()
        if kind == "alerts":
            alert = decode_alert(one.value)
            found[name] = facet.of_alert(alert, SECTORS, every.of(name), Beside())
        else:
            made = decode_campaign(one.value)
            found[name] = facet.of_campaign(made, SECTORS, every.of(name), Beside())
    return found


def seen(store: Store, kind: Kind, wanted: Wanted, limit: int) -> list[tuple[str, frozenset[str]]]:
    """All pages."""
    found, after, total = [], None, None
    while True:
        page = store.page(kind, wanted, after=after, limit=limit)
        assert total in {None, page.total}
        total, after = page.total, page.next
        found += [(row.id, row.facets) for row in page.rows]
        if after is None:
            assert len(found) == total
            return found


@settings(max_examples=60)
@given(streams, wants, st.integers(1, 3))
def test_pages_are_what_is_wanted_of_what_stands(
    stream: list[list[Record]], wanted: Wanted, limit: int
) -> None:
    with store() as made:
        for batch in stream:
            made.apply(batch, {})
        flat = [one for batch in stream for one in batch]
        for kind in KINDS:
            expected = {
                name: facets
                for name, facets in standing(flat, kind).items()
                if is_wanted(facets, wanted)
            }
            found = seen(made, kind, wanted, limit)
            assert dict(found) == expected
            severities = [
                next(f for f in facets if f.startswith("severity:")) for _, facets in found
            ]
            order = [SEVERITIES.index(one.partition(":")[2]) for one in severities]
            assert order == sorted(order), "the severest first"
            counts: dict[str, int] = {}
            for facets in standing(flat, kind).values():
                for name in facets:
                    counts[name] = counts.get(name, 0) + 1
            assert made.counts(kind) == counts


@settings(max_examples=40)
@given(streams, st.integers(0, 4), st.integers(1, 3))
def test_who_asks_for_what_changed_comes_to_what_stands(
    stream: list[list[Record]], left_after: int, limit: int
) -> None:
    """A viewer who saw some of it, was away, and asks for the rest."""
    with store() as made:
        known: dict[Kind, tuple[dict[str, frozenset[str]], int]] = {}
        for number, batch in enumerate(stream):
            made.apply(batch, {})
            if number == left_after:
                known = {kind: caught_up(made, kind, {}, 0, limit) for kind in KINDS}
        flat = [one for batch in stream for one in batch]
        for kind in KINDS:
            before, revision = known.get(kind, ({}, 0))
            assert caught_up(made, kind, before, revision, limit)[0] == standing(flat, kind)


@settings(max_examples=30)
@given(streams)
def test_built_anew_it_holds_the_same_and_hides_no_change(stream: list[list[Record]]) -> None:
    """Topics are read again in another order, each key in its own."""
    flat = [
        one._replace(at=told.NOON + number)  # a broker's times do not go back
        for number, one in enumerate(one for batch in stream for one in batch)
    ]
    with store() as made, store() as anew:
        for one in flat:
            made.apply([one], {})
        anew.apply(sorted(flat, key=lambda one: (one.kind != "labels", one.key)), {})
        for kind in KINDS:
            assert caught_up(anew, kind, {}, 0, 3)[0] == standing(flat, kind)
            revisions = {row.id: row.revision for row in anew.changes(kind, 0)}
            for row in made.changes(kind, 0):
                if row.body is not None:
                    assert revisions[row.id] >= row.revision


def caught_up(
    made: Store, kind: Kind, known: dict[str, frozenset[str]], revision: int, limit: int
) -> tuple[dict[str, frozenset[str]], int]:
    known = dict(known)
    while rows := made.changes(kind, revision, limit):
        for row in rows:
            assert row.revision > revision
            revision = row.revision
            known[row.id] = row.facets
            if row.body is None:
                del known[row.id]
    return known, revision


@settings(max_examples=30)
@given(streams)
def test_a_store_that_is_opened_again_goes_on(stream: list[list[Record]]) -> None:
    with tempfile.TemporaryDirectory() as folder, store() as whole:
        path = Path(folder) / "s.sqlite"
        for number, batch in enumerate(stream):
            with closing(Store(path, SECTORS)) as made:
                assert made.positions() == ({("t", 0): number} if number else {})
                made.apply(batch, {("t", 0): number + 1})
            whole.apply(batch, {("t", 0): number + 1})
        with closing(Store(path, SECTORS)) as made:
            assert made.revision == whole.revision
            for kind in KINDS:
                assert seen(made, kind, {}, 3) == seen(whole, kind, {}, 3)
