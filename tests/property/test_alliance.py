"""Alliances: no version counts that was not signed by one who may; membership is never forced."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.share import dsse
from pipeline.share.alliance import (
    Alliance,
    Extender,
    Member,
    Policy,
    collection,
    digest,
    problem,
    signed,
    verified,
    without,
)
from pipeline.share.terms import Granularity

replace = msgspec.structs.replace


def key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def text(of: Ed25519PrivateKey) -> str:
    return base64.b64encode(dsse.raw(of.public_key())).decode()


LEAD, SECOND, SK, STRANGER = key(1), key(2), key(3), key(4)
MEMBERS = (
    Member("CZ"),
    Member("SK", "sk-nren", text(SK)),
    Member("AT", "at-nren"),
)
FIRST = Alliance("v4", 1, 1_000, MEMBERS, (Extender("lead", text(LEAD)),), name="Visegrád")


def following(before: Alliance, content: bytes, **change: object) -> Alliance:
    return replace(
        before, version=before.version + 1, at=before.at + 1, previous=digest(content), **change
    )


def chain() -> list[bytes]:
    """Made, extended by one who may then, a policy, and one that leaves by its own key."""
    first = signed(FIRST, LEAD)
    lead = (*FIRST.extend, Extender("second", text(SECOND)))
    second = following(FIRST, first, extend=lead, members=(*MEMBERS, Member("PL")))
    two = signed(second, LEAD)
    policy = Policy(("ip",), ("CZ", "sk-nren"), 3_600_000, Granularity.COUNTRY, 3)
    third = following(second, two, policy=policy)
    three = signed(third, SECOND)
    fourth = following(without(third, MEMBERS[1]), three)
    return [first, two, three, signed(fourth, SK)]


CHAIN = chain()


def test_a_chain_of_versions() -> None:
    found = verified(CHAIN, dsse.fingerprint(dsse.raw(LEAD.public_key())))
    assert isinstance(found, list)
    assert [one.version for one in found] == [1, 2, 3, 4]
    last = found[-1]
    assert [one.name for one in last.members] == ["CZ", "at-nren", "PL"]
    assert [one.name for one in last.readers] == ["CZ"]
    assert last.recipient.types == {"ip"}
    assert last.recipient.granularity is Granularity.COUNTRY
    assert collection(found[0]).id == collection(last).id


def test_only_who_was_meant_to_could_begin_it() -> None:
    assert verified(CHAIN, "0" * 64) == "version 1: nobody signed it who may"


@settings(max_examples=200)
@given(st.data())
def test_no_flipped_bit_no_missing_version_no_other_order_goes_unseen(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["flip", "remove", "swap"]))
    versions = list(CHAIN)
    if kind == "flip":
        number = data.draw(st.integers(0, 3))
        changed = bytearray(versions[number])
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] ^= 1 << data.draw(st.integers(0, 7))
        versions[number] = bytes(changed)
    elif kind == "remove":
        del versions[data.draw(st.integers(0, 2))]
    else:
        at = data.draw(st.integers(0, 2))
        versions[at], versions[at + 1] = versions[at + 1], versions[at]
    found = verified(versions)
    # A bit that changes nothing that is said, as in unused bits of base64, changes nothing here.
    assert isinstance(found, str) or found == verified(CHAIN)


CHANGES: list[tuple[str, Callable[[Alliance], Alliance]]] = [
    ("a member more", lambda one: replace(one, members=(*one.members, Member("DE")))),
    ("another gone", lambda one: without(one, MEMBERS[2])),
    ("two gone", lambda one: without(without(one, MEMBERS[1]), MEMBERS[2])),
    ("gone, and another policy", lambda one: replace(without(one, MEMBERS[1]), policy=Policy())),
    ("gone, and who may extend", lambda one: replace(
        without(one, MEMBERS[1]), extend=(Extender("sk", text(SK)),)
    )),
    ("gone, and another name", lambda one: replace(without(one, MEMBERS[1]), name="x")),
]  # fmt: skip


@pytest.mark.parametrize(
    "change", [change for _, change in CHANGES], ids=[what for what, _ in CHANGES]
)
def test_a_member_can_leave_by_its_key_and_do_nothing_else(
    change: Callable[[Alliance], Alliance],
) -> None:
    limited = replace(FIRST, policy=Policy(types=("ip",)))
    first = signed(limited, LEAD)
    assert isinstance(verified([first, signed(following(change(limited), first), LEAD)]), list)
    for by in (SK, STRANGER):
        found = verified([first, signed(following(change(limited), first), by)])
        assert found == "version 2: nobody signed it who may"
    left = following(without(limited, MEMBERS[1]), first)
    assert isinstance(verified([first, signed(left, SK)]), list)
    assert isinstance(verified([first, signed(left, STRANGER)]), str)


def test_who_may_extend_no_more_may_not() -> None:
    first = signed(FIRST, LEAD)
    second = following(FIRST, first, extend=(Extender("second", text(SECOND)),))
    two = signed(second, LEAD)
    third = following(second, two, members=())
    assert isinstance(verified([first, two, signed(third, LEAD)]), str)
    assert isinstance(verified([first, two, signed(third, SECOND)]), list)


@pytest.mark.parametrize(
    ("alliance", "why"),
    [
        (replace(FIRST, id="V4"), "id 'V4' may hold only a-z, 0-9 and '-', 64 at most"),
        (replace(FIRST, members=(*MEMBERS, Member("CZ"))), "member 'CZ' is there twice"),
        (
            replace(FIRST, members=(Member("UK"),)),
            "member 'UK': country 'UK' is not an ISO 3166-1 alpha-2 country code; did you mean 'GB'?",
        ),
        (replace(FIRST, extend=()), "extend needs Ed25519 public keys in base64"),
        (replace(FIRST, policy=Policy(counts=2)), "counts: from 3 members at the least"),
        (replace(FIRST, name="a\x1b[2J"), "a text holds a control character"),
    ],
)
def test_what_is_wrong_with_a_version_is_said(alliance: Alliance, why: str) -> None:
    assert problem(alliance) == why
    assert verified([signed(alliance, LEAD)]) == f"version 1: {why}"


@given(st.binary(max_size=200))
def test_whatever_lies_there_is_refused_and_nothing_raises(content: bytes) -> None:
    assert isinstance(verified([content]), str)
    assert isinstance(verified([CHAIN[0], content]), str)
