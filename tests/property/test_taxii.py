"""A TAXII store gives out what a list that is filtered would; in pages of any size, each once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.shell.taxii import store as stores
from pipeline.shell.taxii.query import BadQueryError, acceptable, micros, query_of, timestamp, token
from pipeline.shell.taxii.store import TaxiiStore

Object = dict[str, Any]
SECOND = 1_000_000


def made(number: int, version: int) -> Object:
    kind = ("indicator", "campaign")[number % 2]
    return {
        "type": kind,
        "id": f"{kind}--{uuid5(NAMESPACE_URL, str(number))}",
        "modified": timestamp(version * SECOND),
    }


PUTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.lists(st.builds(made, st.integers(0, 4), st.integers(0, 4)), max_size=6),
        st.integers(0, 3),  # a clock that stands still, and goes back
    ),
    max_size=6,
)
LIMIT = st.integers(1, 7)


def kept(puts: list[tuple[str, list[Object], int]], collection: str) -> list[Object]:
    """In order of adding, each version once."""
    found: list[Object] = []
    for to, objects, _ in puts:
        found += (one for one in objects if to == collection and one not in found)
        found = list({(one["id"], one["modified"]): one for one in found}.values())
    return found


def wanted(objects: list[Object], asked: dict[str, str]) -> list[Object]:
    def of(one: Object) -> list[str]:
        return [other["modified"] for other in objects if other["id"] == one["id"]]

    def is_asked(one: Object) -> bool:
        versions = asked.get("match[version]", "last").split(",")
        return (
            ("match[type]" not in asked or one["type"] in asked["match[type]"].split(","))
            and ("match[id]" not in asked or one["id"] in asked["match[id]"].split(","))
            and (
                "all" in versions
                or one["modified"] in versions
                or ("last" in versions and one["modified"] == max(of(one)))
                or ("first" in versions and one["modified"] == min(of(one)))
            )
        )

    return [one for one in objects if is_asked(one)]


def several(of: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(of, min_size=1, max_size=3).map(",".join)


FILTERS: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries(
    {},
    optional={
        "match[type]": several(st.sampled_from(["indicator", "campaign", "malware"])),
        "match[id]": several(st.integers(0, 5).map(lambda number: str(made(number, 0)["id"]))),
        "match[version]": several(
            st.sampled_from(["first", "last", "all", timestamp(0), timestamp(2 * SECOND)])
        ),
    },
)


@settings(max_examples=60, deadline=None)
@given(PUTS, FILTERS, LIMIT, st.booleans())
def test_pages_are_the_filtered_list(
    puts: list[tuple[str, list[Object], int]], asked: dict[str, str], limit: int, by_date: bool
) -> None:
    with TemporaryDirectory() as folder:
        store = TaxiiStore(Path(folder) / "store.sqlite")
        added = [store.put(to, objects, now) for to, objects, now in puts]
        assert sum(added) == len(kept(puts, "a")) + len(kept(puts, "b"))
        found: list[Object] = []
        dates: list[int] = []
        where: dict[str, str] = {}
        while True:
            asking = asked | {"limit": str(limit)} | where
            page = store.page("a", query_of(asking.items()))
            found += (msgspec.json.decode(row.object) for row in page.rows)
            dates += (row.added for row in page.rows)
            if page.next is None:
                break
            assert len(page.rows) == limit
            where = {"added_after": timestamp(dates[-1])} if by_date else {"next": page.next}
            if not by_date:  # what OpenCTI says besides
                where["added_after"] = timestamp(dates[-1])
        assert found == wanted(kept(puts, "a"), asked)
        assert dates == sorted(set(dates))


def test_a_page_ends_where_it_comes_to_too_much(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stores, "PAGE_BYTES", 200)
    store = TaxiiStore(tmp_path / "store.sqlite")
    store.put("a", [made(number, 0) for number in range(5)], 0)
    page = store.page("a", query_of([]))
    assert 0 < len(page.rows) < 5
    rest = store.page("a", query_of([("next", str(page.next))]))
    assert [row.added for row in (*page.rows, *rest.rows)][:4] == [0, 1, 2, 3]


def test_a_page_tells_nothing_of_other_collections(tmp_path: Path) -> None:
    """Not even how much is put into them."""
    answers = []
    for others in (0, 7):
        store = TaxiiStore(tmp_path / f"{others}.sqlite")
        for now in range(3):
            store.put("a", [made(now, 0)], 10 * now)
            store.put("b", [made(n, now) for n in range(others)], 10 * now)
        page = store.page("a", query_of([("limit", "2")]))
        answers.append((page, store.page("a", query_of([("next", str(page.next))]))))
    assert answers[0] == answers[1]


def test_old_versions_go_and_observables_have_dates_for_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stores, "MOST_VERSIONS", 3)
    store = TaxiiStore(tmp_path / "store.sqlite")
    for version in range(5):
        store.put("a", [made(0, version)], version)
    every = query_of([("match[version]", "all")])
    assert [row.version for row in store.page("a", every).rows] == [n * SECOND for n in (2, 3, 4)]
    observable = {"type": "ipv4-addr", "id": f"ipv4-addr--{uuid5(NAMESPACE_URL, '1')}"}
    assert store.put("b", [observable, observable], 70) == 1
    assert store.put("b", [observable | {"x": 1}], 70) == 1
    assert [(row.added, row.version) for row in store.page("b", every).rows] == [(70, 70), (71, 71)]
    assert store.forget(71, lambda view: False) == 4
    assert store.put("a", [made(0, 9)], 3) == 1
    assert [row.added for row in store.page("a", every).rows] == [5]


@given(st.text(max_size=20))
def test_no_other_token_is_taken(text: str) -> None:
    try:
        query = query_of([("next", text)])
    except BadQueryError:
        return
    assert token(query.after) == text


@given(st.integers(0, 1 << 50))
def test_timestamps_come_back(time: int) -> None:
    assert micros(timestamp(time), "it") == time


@given(st.text(max_size=40))
def test_any_header_is_answered(text: str) -> None:
    assert acceptable(text) in {True, False}
    assert acceptable(f"{text},*/*")
