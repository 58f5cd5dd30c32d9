"""A canonical form is canonical: it is its own, it can be encoded, and nothing makes it raise."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.canonical import (
    MAX_VALUE_CHARACTERS,
    canonical_cve,
    canonical_domain,
    canonical_fingerprint,
    canonical_ip,
    canonical_purl,
    canonical_text,
    canonical_url,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
PIECES: dict[Callable[[str], str | None], tuple[str, list[str]]] = {
    canonical_ip: ("0123456789abcdefABCDEF.:%/[]", ["8.8.8.8", "::ffff:", "2a00:", "::"]),
    canonical_domain: ("aA0-_.。．ßüİſ١ّ\u200d*é", ["xn--", "example", "xn--bcher-kva", "例え"]),
    canonical_url: (
        "aA0:/?#@[]%.\\ é。\x7f",
        ["http://", "HTTPS://", ":80", ":443", "[2A00::1]", "user:pw@", "Bücher", "xn--a"],
    ),
    canonical_fingerprint: ("aA0_-İK é", []),
    canonical_text: ("aA é", []),
    canonical_cve: ("0123456789", ["CVE-", "cve-", "2021-", "44228"]),
    canonical_purl: (
        "aA0_-.~%:/@?#=& +é",
        [
            "pkg:",
            "PyPI/",
            "npm/",
            "%40",
            "github/",
            "swift/",
            "cpan/",
            "A::B",
            "?a=b",
            "#a/..",
            "@1",
        ],
    ),
}


def spelled(canonical: Callable[[str], str | None]) -> st.SearchStrategy[str]:
    letters, pieces = PIECES[canonical]
    return st.lists(st.sampled_from([*letters, *pieces]), max_size=25).map("".join) | text


@pytest.mark.parametrize("canonical", PIECES, ids=lambda function: function.__name__)
def test_a_canonical_form_is_its_own(canonical: Callable[[str], str | None]) -> None:
    @settings(max_examples=400, deadline=None)
    @given(spelled(canonical))
    def holds(given: str) -> None:
        value = canonical(given)
        if value is not None:
            assert canonical(value) == value
            assert value.encode()
            assert len(value) <= 3 * MAX_VALUE_CHARACTERS

    holds()


@given(st.ip_addresses())
def test_an_address_has_one_spelling_or_none(address: ipaddress.IPv4Address) -> None:
    spellings = {str(address), address.exploded, str(address).upper()}
    (value,) = {canonical_ip(one) for one in spellings}
    assert value in {None, str(address)} or isinstance(address, ipaddress.IPv6Address)


@given(st.ip_addresses(v=4))
def test_the_short_cut_for_plain_addresses_is_none_for_what_is_not_public(
    address: ipaddress.IPv4Address,
) -> None:
    value = canonical_ip(str(address))
    assert value == canonical_ip(f"::ffff:{address}")
    if value is not None:
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


@settings(max_examples=2000)
@given(
    st.text("0123456789. ", max_size=17) | st.from_regex(r"\d{1,4}(\.\d{1,3}){2,4}", fullmatch=True)
)
def test_dotted_numbers_are_what_python_takes_for_an_address(text: str) -> None:
    """The operating system reads them for us: it must not know notations that nobody else does."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        assert canonical_ip(text) is None
    else:
        assert canonical_ip(text) in {None, str(address)}
        assert (canonical_ip(text) is None) == (canonical_ip(f"::ffff:{address}") is None)
