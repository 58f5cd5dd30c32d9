"""Whatever the bytes of a message are: `decode` returns, and each event comes out once."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decode import Reason, Rejection, decode, simple, split, together
from pipeline.event import Event
from pipeline.indicator import indicators
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.intake import Intake
from pipeline.registry import Party

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = texts | st.sampled_from(
    [
        *("8.8.8.8", "::ffff:8.8.8.8", "10.0.0.1", "A.Example.", "bücher.example", "a..b"),
        *("HTTP://U@A:80/b#c", "http://[::1]/", "/x", "0af" * 10 + "42", "cve-2021-44228"),
        *("pkg:PyPI/Django_X@1", "pkg:npm/%40a/b@1?x=y#z", "x" * 2049),
    ]
)


def table(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of the fields, each also null."""
    return st.fixed_dictionaries({}, optional={k: st.none() | v for k, v in fields.items()})


urls = table(hostname=values, url_string=values)
numbers = st.sampled_from([0, 1, 2, 3, 6, 8, 18, 99])
fingerprints = table(value=values, algorithm_id=numbers)
EVENT_FIELDS = {
    "src_endpoint": table(ip=values, port=st.integers(0, 65535)),
    "query": table(hostname=values),
    "http_request": table(url=urls, user_agent=values),
    "tls": table(sni=values, ja3_hash=fingerprints),
    "file": table(url=urls, hashes=st.lists(fingerprints, max_size=3)),
    "user": table(credential_uid=values),
    "client_hassh": table(fingerprint=fingerprints),
    "ja4_fingerprint_list": st.lists(table(value=values, type_id=numbers), max_size=3),
    "vulnerabilities": st.lists(
        table(cve=table(uid=values), affected_packages=st.lists(table(purl=values), max_size=2)),
        max_size=2,
    ),
    "observables": st.lists(table(type_id=numbers, value=values), max_size=3),
    "unmapped": st.recursive(texts, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
}
events = st.builds(
    lambda required, optional: required | optional,
    st.fixed_dictionaries(
        {
            "time": st.integers(0, 10**12),
            "metadata": st.fixed_dictionaries({"uid": texts.filter(bool)}),
            "device": st.fixed_dictionaries({"uid": texts.filter(bool)}),
        }
    ),
    table(**EVENT_FIELDS),
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message of good events with a stretch of it cut out and something else put in."""
    some = draw(st.lists(events, min_size=1, max_size=3))
    form = draw(st.sampled_from([array, lines, array_in_lines]))
    message = form(some)
    start = draw(st.integers(0, len(message)))
    end = draw(st.integers(start, min(len(message), start + 40)))
    junk: bytes = draw(
        st.binary(max_size=8) | st.sampled_from([b"[", b"{", b'"', b"\n", b"\\", b"]}", b""])
    )
    mutated: bytes = message[:start] + junk + message[end:]
    return mutated


def array(some: list[Any]) -> bytes:
    return json.dumps(some).encode()


def array_in_lines(some: list[Any]) -> bytes:
    return json.dumps(some, indent=1, ensure_ascii=False).encode()


def lines(some: list[Any]) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in some)


messages = (
    st.binary(max_size=200)
    | st.text(alphabet='[]{}",:\\ \n0a', max_size=200).map(str.encode)
    | anything.map(lambda value: json.dumps(value).encode())
    | st.lists(anything, max_size=5).map(lines)
    | damaged()
)


@settings(max_examples=700, deadline=None)
@given(messages)
def test_any_bytes_are_taken_or_rejected(message: bytes) -> None:
    outcome = decode(message)
    assert outcome or message.strip().startswith(b"[")  # only an empty array holds no event
    for one in outcome:
        assert isinstance(one, Event | Rejection)
        if isinstance(one, Rejection):
            assert one.reason in {Reason.NOT_JSON, Reason.SCHEMA, Reason.TOO_DEEP}
            assert one.raw in message
            assert one.detail


@settings(max_examples=700, deadline=None)
@given(messages)
def test_split_is_decode_s_companion(message: bytes) -> None:
    """As many parts as events, in the same order: a part alone decodes to its event."""
    outcome, parts = decode(message), split(message)
    assert len(outcome) == len(parts)
    for one, part in zip(outcome, parts, strict=True):
        if isinstance(part, Rejection):
            assert one == part
        elif isinstance(one, Rejection):
            assert one.raw == part
        else:
            assert decode(part) == (one,)


ONE = b'{"time":1,"metadata":{"uid":"a"},"device":{"uid":"x"}}'
DEEP = ONE[:-1] + b',"z":%s{}%s}'
pieces = st.sampled_from(
    [
        *(ONE, ONE, ONE, ONE + ONE, ONE + b"\n" + ONE, ONE + b"\n", b" " + ONE, b"", b"{}", b"{", b"}"),
        *(ONE[:-1] + b',"z":"}', b'{"}', ONE[:-1] + b',"z":[{}', b"{}]}", ONE[:-1] + b',"z":{}', b'{"a":{}'),
        *(DEEP % (b"[" * 60, b"]" * 60), DEEP % (b"[" * 61, b"]" * 61), ONE[:-1] + b',"z":"[[[[[[[["}'),
        b'{"time":-1,"metadata":{"uid":"a"},"device":{"uid":"x"}}',
    ]
)  # fmt: skip


@settings(max_examples=800)
@given(st.lists(pieces | messages, min_size=1, max_size=6))
def test_what_is_decoded_together_is_what_is_decoded_alone(raws: list[bytes]) -> None:
    """Messages that make up for each other are no exception: half an event, and two in one."""
    alone, found = [simple(raw) for raw in raws], together(raws)
    assert found is None or found == alone
    if all(raw in {ONE, DEEP % (b"[" * 60, b"]" * 60)} for raw in raws):
        assert found is not None


@settings(max_examples=300, deadline=None)
@given(messages)
def test_every_event_is_counted_once(message: bytes) -> None:
    party = Party("o", "CZ")
    intake = Intake("t/0", {"s": party}, {"s": party}, {"ip": 60}, 0)
    rejected = intake.read(message, now_ms=10**12)
    assert intake.tally.adds_up
    assert intake.tally.received == len(decode(message))
    assert len(rejected) == intake.tally.rejected.total() + intake.tally.late


@settings(max_examples=300, deadline=None)
@given(st.lists(events, min_size=1, max_size=6))
def test_packing_changes_nothing(some: list[dict[str, Any]]) -> None:
    one_by_one = [decode(json.dumps(one).encode()) for one in some]
    assert all(len(decoded) == 1 for decoded in one_by_one)
    expected = [decoded[0] for decoded in one_by_one]
    assert all(isinstance(one, Event) for one in expected)
    for form in (array, array_in_lines, lines):
        assert list(decode(form(some))) == expected


@settings(max_examples=300, deadline=None)
@given(st.lists(events | anything, min_size=1, max_size=6))
def test_in_an_array_the_good_do_not_suffer_from_the_bad(some: list[Any]) -> None:
    """Also: the same is said of a bad one, alone or among others."""
    alone = [decode(array([one]))[0] for one in some]
    assert list(decode(array(some))) == alone


@settings(max_examples=300, deadline=None)
@given(events)
def test_any_event_has_indicators_of_known_types_in_canonical_form(event: dict[str, Any]) -> None:
    """Canonical: an event that says the canonical values says the same."""
    (read,) = decode(json.dumps(event).encode())
    assert isinstance(read, Event)
    found, uncanonical = indicators(read)
    assert uncanonical >= 0
    for kind, value in found:
        assert kind in INDICATOR_TYPES
        again = decode(json.dumps(SAYING[kind](value) | REQUIRED).encode())[0]
        assert isinstance(again, Event)
        assert indicators(again) == ([(kind, value)], 0)


REQUIRED = {"time": 1, "metadata": {"uid": "e"}, "device": {"uid": "s"}}
SAYING: dict[str, Any] = {
    "ip": lambda v: {"src_endpoint": {"ip": v}},
    "domain": lambda v: {"query": {"hostname": v}},
    "url": lambda v: {"file": {"url": {"url_string": v}}},
    "md5": lambda v: {"file": {"hashes": [{"value": v, "algorithm_id": 1}]}},
    "sha1": lambda v: {"file": {"hashes": [{"value": v, "algorithm_id": 2}]}},
    "sha256": lambda v: {"file": {"hashes": [{"value": v, "algorithm_id": 3}]}},
    "ja3": lambda v: {"tls": {"ja3_hash": {"value": v}}},
    "ja4": lambda v: {"ja4_fingerprint_list": [{"value": v, "type_id": 1}]},
    "hassh": lambda v: {"client_hassh": {"fingerprint": {"value": v}}},
    "credential": lambda v: {"user": {"credential_uid": v}},
    "user_agent": lambda v: {"http_request": {"user_agent": v}},
    "cve": lambda v: {"vulnerabilities": [{"cve": {"uid": v}}]},
    "purl": lambda v: {"vulnerabilities": [{"affected_packages": [{"purl": v}]}]},
}

ADVERSARIAL = {
    "open arrays": b"[",
    "open objects": b'{"a":',
    "quotes": b'"',
    "escapes": b'"\\',
    "lines of braces": b"{\n",
    "empty lines": b"\n",
    "lines that end strings": b'{"a":"\n"}\n',
    "arrays in lines": b"[]\n",
    "closing brackets": b"]}",
    "no UTF-8": b"\xff\n",
}


@given(st.sampled_from(sorted(ADVERSARIAL)), st.sampled_from([b"", b"{", b"[", b'{"a":"']))
@settings(deadline=None)
def test_work_is_bounded_by_the_size(name: str, prefix: bytes) -> None:
    """Each event's bytes are looked at once, whatever the message: no part stands in another."""
    message = prefix + ADVERSARIAL[name] * 20_000
    outcome = decode(message)
    assert len(outcome) <= message.count(b"\n") + 1
    raws = [one.raw for one in outcome if isinstance(one, Rejection)]
    assert sum(map(len, raws)) <= len(message)
