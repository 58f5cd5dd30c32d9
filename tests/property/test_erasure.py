"""What is erased is not in what is left, and all else is as it was."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.campaign import label as labels
from pipeline.campaign.label import About, Label, Marked, Verdict
from pipeline.checkpoint import decode_segment
from pipeline.correlate import Correlator
from pipeline.dead_letter import dead_letter
from pipeline.dead_letter import encode as encode_letter
from pipeline.decode import Reason, Rejection
from pipeline.rule_file import read_rules
from pipeline.shard import Shard
from pipeline.share import erasure
from pipeline.share.erasure import Sought
from pipeline.sight import Group, Sightings, decode_sightings, encode
from pipeline.surprise import Background
from tests.integration.rules import THREE_COUNTRIES

GONE = "198.41.0.4"
SOUGHT = Sought((GONE,))
NOON = 1_767_268_800_000
RULES, _ = read_rules(THREE_COUNTRIES, "rules.yml")
values = st.sampled_from([GONE, "198.41.0.40", "1.198.41.0", "203.119.4.7", "2a00::7"])
columns = st.lists(
    st.tuples(values, st.integers(0, 100), st.lists(st.tuples(st.just("ip"), values), max_size=3)), max_size=8
)  # fmt: skip


Rows = list[tuple[str, int, list[tuple[str, str]]]]


def sightings(rows: Rows, country: str = "CZ") -> Sightings:
    """Each with its companions, and each a minute after the one before."""
    times = [NOON + n * 60_000 + after for n, (_, after, _) in enumerate(rows)]
    group = Group("ip", [value for value, *_ in rows], times, times, [tuple(c) for *_, c in rows])
    return Sightings(f"events.{country}/0", country.lower(), country, NOON, NOON, [group])


@given(columns)
def test_sightings_of_others_and_their_companions_stay(rows: Rows) -> None:
    before = sightings(rows)
    left = erasure.of_sightings(None, encode(before), SOUGHT)
    read = decode_sightings(None, left)
    kept = [
        (value, after, [one for one in company if one[1] != GONE])
        for value, after, company in rows
        if value != GONE
    ]
    assert isinstance(read, Sightings)
    (group,) = read.groups
    times = [
        t
        for value, t in zip(before.groups[0].values, before.groups[0].first_seen, strict=True)
        if value != GONE
    ]
    assert group.values == [value for value, *_ in kept]
    assert group.first_seen == times
    assert [list(map(tuple, one)) for one in group.companions] == [company for *_, company in kept]
    assert (left == encode(before)) == (kept == rows)


@given(st.lists(columns, min_size=3, max_size=3))
def test_state_is_what_it_would_be_had_it_never_been_seen(rows: list[Rows]) -> None:
    """A restore of cleaned checkpoints equals a run without the erased indicator."""

    def restored(cleaned: bool) -> Correlator:
        first = Shard(RULES, 3_600_000, background=Background(3, 3))
        for country, some in zip(("CZ", "AT", "KE"), rows, strict=True):
            one = sightings(some, country)
            record = encode(one)
            if not cleaned:
                record = erasure.of_sightings(None, record, SOUGHT)
            first.take([(None, record)])
        written = {key: value for key, value in first.checkpoint()}  # noqa: C416 - the newest of each
        if cleaned:
            written = {
                key: value if key == b"seal" or value is None else erasure.of_segment(value, SOUGHT)
                for key, value in written.items()
            }
            for key, value in written.items():
                assert value is None or b"198.41.0.4" not in value.replace(b"198.41.0.40", b""), key
        second = Shard(RULES, 3_600_000, background=Background(3, 3))
        second.restore(list(written.items()))
        return second.correlator

    one, other = restored(cleaned=True), restored(cleaned=False)
    assert [set(track.states) for track in one.tracks] == [
        set(track.states) for track in other.tracks
    ]
    assert GONE not in one.tracks[0].states
    assert {e.value for e in one.finish()} == {e.value for e in other.finish()}


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_word_is_found_however_json_writes_it(before: str, after: str) -> None:
    text = f"{before} {GONE} {after}"
    for ascii_ in (True, False):
        try:
            raw = json.dumps({"a": [{"message": text}]}, ensure_ascii=ascii_).encode()
        except UnicodeEncodeError:
            continue
        assert SOUGHT.in_bytes(raw)
    escaped = "".join(f"\\u{ord(c):04x}" for c in GONE)
    assert SOUGHT.in_bytes(f'{{"a": "{escaped}"}}'.encode())
    letter = dead_letter(Rejection(Reason.SCHEMA, "x", GONE.encode()), "t", 0, 0, 0, 0)
    assert erasure.in_letter(encode_letter(letter), SOUGHT)


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("198.41.0.4", True),
        ("198.41.0.40", False),
        ("1.198.41.0.4", False),
        ("198.41.0.4.5", False),
        ("2198.41.0.4", False),
        ("http://198.41.0.4:8080/x", True),
        ("from=198.41.0.4, twice.", True),
        ("It was 198.41.0.4.", True),
        ("x-198.41.0.4", False),
    ],
)
def test_where_a_word_ends(text: str, is_it: bool) -> None:
    assert SOUGHT.in_text(text) == is_it


def test_an_indicator_is_found_in_another_spelling() -> None:
    event = {
        "time": 1,
        "metadata": {"uid": "u"},
        "device": {"uid": "s"},
        "src_endpoint": {"ip": "::FFFF:c629:4"},
    }
    assert SOUGHT.in_bytes(json.dumps(event).encode())
    assert not SOUGHT.in_bytes(
        json.dumps(event | {"src_endpoint": {"ip": "::FFFF:c629:5"}}).encode()
    )


def test_of_a_label_what_is_left() -> None:
    label = Label("x", About.CAMPAIGN, Verdict.BENIGN, "anna", 1, f"as {GONE} is ours", 90,
                  (Marked("ip", GONE), Marked("ip", "203.119.4.7")))  # fmt: skip
    left = labels.decode(erasure.of_label(labels.encode(label), SOUGHT) or b"")
    assert left == msgspec.structs.replace(
        label, basis="as (erased) is ours", indicators=(Marked("ip", "203.119.4.7"),)
    )
    alone = msgspec.structs.replace(label, about=About.ALERT, indicators=(Marked("ip", GONE),))
    assert erasure.of_label(labels.encode(alone), SOUGHT) is None
    by = Sought(("anna",))
    assert labels.decode(erasure.of_label(labels.encode(label), by) or b"").by == "(erased)"


def test_of_a_pack_that_waits_the_others_stay() -> None:
    lines = [json.dumps({"ip": ip}).encode() for ip in (GONE, "203.119.4.7", GONE)]
    assert erasure.of_pack(b"\n".join(lines), SOUGHT) == (lines[1], 1)


def test_too_little_is_not_sought() -> None:
    assert isinstance(erasure.named(["a"]), str)
    assert isinstance(erasure.named([]), str)


def test_a_segment_is_read_as_it_is_written() -> None:
    shard = Shard(RULES, 3_600_000, background=Background(3, 3))
    shard.take([(None, encode(sightings([("203.119.4.7", 0, [])])))])
    (record, *_) = [value for key, value in shard.checkpoint() if key != b"seal" and value]
    assert erasure.of_segment(record, SOUGHT) == record
    assert decode_segment(record).track.kind == "ip"
