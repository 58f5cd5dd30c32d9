"""What campaigns are shown with: to whom they were released, and what those say who were told."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.campaign.campaign import Campaign, Status, encode
from pipeline.share import reply as replies
from pipeline.share.reply import Reply, Request, Word
from pipeline.shell.serve import answers as module
from pipeline.shell.serve.answers import MOST_SHOWN, MOST_THREADS, Answers
from pipeline.shell.serve.beside import BesideTopics, Place
from pipeline.shell.serve.released import Released
from pipeline.shell.serve.rows import Record
from pipeline.shell.serve.store import Store
from tests.unit import told

DAY = 86_400_000


def view(name: str, *values: str, first: int = told.NOON, **changed: Any) -> Campaign:
    one = told.campaign(name, tuple(("ip", value) for value in values), first=first)
    return msgspec.structs.replace(one, **changed)


campaigns = st.builds(
    lambda name, values, day, merged: view(
        name, *values, first=told.NOON + day * DAY, status=Status.MERGED if merged else Status.OPEN
    ),
    st.sampled_from("abc"),
    st.lists(st.sampled_from(["198.18.0.1", "198.18.0.2", "198.18.0.3"]), min_size=1, unique=True),
    st.integers(0, 2),
    st.booleans(),
)


@given(
    st.lists(st.tuples(st.sampled_from(["v4", "north"]), st.none() | campaigns), max_size=12),
    campaigns,
)
def test_it_was_released_to_whom_the_newest_views_say(
    said: list[tuple[str, Campaign | None]], ours: Campaign
) -> None:
    """However views came and went: what stands, looked at one by one."""
    released = Released()
    newest: dict[tuple[str, str], Campaign | None] = {}
    for alliance, one in said:
        name = one.id if one else "a"
        released.take(alliance, name, one)
        newest[alliance, name] = one
    expected = {
        alliance
        for (alliance, _), one in newest.items()
        if one is not None
        and one.status is not Status.MERGED
        and set(one.indicators) & set(ours.indicators)
        and one.first_seen <= ours.last_seen
        and ours.first_seen <= one.last_seen
    }
    assert released.to(ours) == tuple(sorted(expected))


def test_the_filter_finds_what_an_alliance_knows_under_another_name(tmp_path: Path) -> None:
    ours = told.campaign("ours", (("ip", "198.18.0.1"), ("ip", "198.18.0.2")))
    other = told.campaign("other", (("ip", "198.18.0.9"),))
    known = Record("released", b"theirs", encode(view("theirs", "198.18.0.2")), 1, "v4")
    gone = Record("released", b"theirs", None, 2, "v4")

    def found(store: Store) -> set[str]:
        page = store.page("campaigns", {"alliance": ("v4",)})
        return {row.id for row in page.rows}

    for order in ([told.record(ours), known], [known, told.record(ours)]):
        path = tmp_path / f"{order[0].kind}.sqlite"
        with closing(Store(path)) as store:
            store.apply([told.record(other)], {})
            for one in order:
                store.apply([one], {})
            assert found(store) == {"ours"}
            assert store.apply([known], {}) == [], "told again it is no change"
            (row,) = store.apply([gone], {})
            assert row.id == "ours"
            assert found(store) == set()
            store.apply([known], {})
        # Begun again it stands, before anything is read anew.
        with closing(Store(path)) as store:
            assert found(store) == {"ours"}


def entry(about: str, to: str, thread: str) -> bytes:
    return msgspec.json.encode({"about": about, "to": to, "thread": thread, "letter": {}})


def replied(thread: str, word: Word, at: int = 1, text: str = "") -> bytes:
    return replies.encode(Reply(thread, word, at, text))


def test_replies_are_of_the_campaign_that_their_thread_names() -> None:
    answers = Answers()
    assert answers.take_reply("cz-csirt", b"1", replied("theirs", Word.RECEIVED)) is None
    assert answers.of("ours") == []
    assert answers.take_entry(b"1", entry("ours", "cz-csirt", "theirs")) == "ours"
    assert answers.take_entry(b"1", entry("ours", "cz-csirt", "theirs")) is None, "that is known"
    assert answers.take_entry(b"2", entry("ours", "ke-csirt", "theirs-too")) is None
    assert answers.take_reply("ke-csirt", b"2", replied("theirs-too", Word.NOT_OURS, 3)) == "ours"
    assert answers.take_reply("operator", b"3", replied("ours", Word.HANDLED, 2, "done")) == "ours"
    # The name that one knows it by is nobody else's.
    answers.take_reply("ke-csirt", b"4", replied("theirs", Word.NEED_MORE, 9))
    shown = [(one.by, one.word, one.text) for one in answers.of("ours")]
    assert shown == [
        ("ke-csirt", "not-ours", ""), ("operator", "handled", "done"), ("cz-csirt", "received", ""),
    ]  # fmt: skip
    assert answers.take_reply("ke-csirt", b"2", None) == "ours"
    assert [one.by for one in answers.of("ours")] == ["operator", "cz-csirt"]


def test_what_is_no_reply_is_counted_or_passed_over() -> None:
    answers = Answers()
    for value in (b"", b"{", b'{"kind":"reply"}', b"\xff", replied("t", Word.HANDLED) + b"x"):
        assert answers.take_reply("cz-csirt", b"1", value) is None
    assert answers.not_ours == 5
    question = replies.encode(Request("ours", "*", "who else?", 1, named=True))
    assert answers.take_reply("operator", b"1", question) is None
    assert answers.take_entry(b"1", b"{}") is None
    assert answers.not_ours == 6
    assert answers.of("ours") == []


def test_however_much_is_written_what_is_kept_is_bounded() -> None:
    answers = Answers()
    for number in range(MOST_SHOWN + 5):
        answers.take_reply("operator", b"%d" % number, replied("c", Word.HANDLED, number))
    assert [one.at for one in answers.of("c")] == list(range(MOST_SHOWN + 4, 4, -1))
    for number in range(MOST_THREADS):
        answers.take_reply("operator", b"1", replied(f"t{number}", Word.HANDLED))
    assert answers.of("c") == []
    assert answers.of(f"t{MOST_THREADS - 1}")


def test_who_writes_much_pushes_nobody_else_s_reply_out() -> None:
    answers = Answers()
    answers.take_entry(b"1", entry("ours", "cz-csirt", "theirs"))
    answers.take_reply("cz-csirt", b"1", replied("theirs", Word.HANDLED))
    for number in range(MOST_THREADS + 5):
        answers.take_reply("ke-csirt", b"%d" % number, replied(f"t{number}", Word.HANDLED))
    assert [one.by for one in answers.of("ours")] == ["cz-csirt"]


def test_what_the_ledger_forgets_is_forgotten_and_names_are_bounded() -> None:
    answers = Answers()
    answers.take_reply("cz-csirt", b"1", replied("theirs", Word.HANDLED))
    answers.take_entry(b"a", entry("ours", "cz-csirt", "theirs"))
    assert answers.of("ours")
    answers.take_entry(b"a", None)
    assert answers.of("ours") == []
    with patch.object(module, "MOST_NAMES", 3):
        for number in range(9):
            answers.take_entry(b"%d" % number, entry(f"c{number}", "cz-csirt", f"t{number}"))
            answers.take_reply("cz-csirt", b"%d" % number, replied(f"t{number}", Word.HANDLED))
    assert [bool(answers.of(f"c{number}")) for number in range(9)] == [False] * 6 + [True] * 3


def test_a_page_is_told_of_a_reply_that_comes_now_and_not_of_old_ones() -> None:
    beside = BesideTopics({"replies.operator": Place("replies", "operator")})

    def at(ms: int, key: bytes) -> Any:
        return SimpleNamespace(key=key, value=replied("ours", Word.HANDLED), timestamp=ms)

    assert beside.take("replies.operator", [at(1, b"1")]) == []
    (one,) = beside.take("replies.operator", [at(1 << 52, b"2")])
    assert (one.kind, one.key) == ("touched", b"ours")
    assert len(beside.answers.of("ours")) == 2
