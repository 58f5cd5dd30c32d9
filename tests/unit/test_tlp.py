from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.share.tlp import Pap, Tlp, pap_of, strictest_pap, strictest_tlp, tlp_of


@pytest.mark.parametrize(
    ("text", "tlp"),
    [
        ("tlp:amber+strict", Tlp.AMBER_STRICT),
        ("AMBER STRICT", Tlp.AMBER_STRICT),
        ("TLP:WHITE", Tlp.CLEAR),
        (" tlp:red ", Tlp.RED),
        ("tlp:ex:chr", None),
        ("", None),
    ],
)
def test_labels_are_read_as_people_write_them(text: str, tlp: Tlp | None) -> None:
    assert tlp_of(text) == tlp


def test_pap_is_read_too() -> None:
    assert pap_of("PAP:AMBER") is Pap.AMBER
    assert pap_of("PAP:WHITE") is Pap.CLEAR
    assert pap_of("amber+strict") is None


@given(st.lists(st.sampled_from(Tlp)), st.lists(st.sampled_from(Tlp)))
def test_the_strictest_of_parts_is_that_of_all(some: list[Tlp], others: list[Tlp]) -> None:
    both = strictest_tlp([*some, *others])
    assert both.strictness >= max(one.strictness for one in [*some, *others, Tlp.CLEAR])
    if some and others:
        assert strictest_tlp([strictest_tlp(some), strictest_tlp(others)]) is both


def test_what_nobody_labelled_is_strict() -> None:
    assert strictest_tlp([]) is Tlp.AMBER_STRICT
    assert strictest_pap([]) is Pap.AMBER
