"""What `watch` says of its own reading, and how indicators are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.canonical import canonical_domain, canonical_ip, canonical_url
from pipeline.explain.named import named
from pipeline.indicator_type import DOMAIN, IP, URL
from pipeline.share.defang import defanged, fanged
from pipeline.shell.watch.pace import AGAIN_MS, BEHIND_MS, Pace


def test_who_keeps_up_says_nothing() -> None:
    pace = Pace()
    assert not list(pace.read(0, 90_000, 0))  # old, but nothing is left: that is how it is told
    assert not list(pace.read(50, BEHIND_MS - 1, 1_000))
    assert not list(pace.read(0, 0, 2_000))


def test_who_falls_behind_says_so_once_in_a_while_and_when_it_is_over() -> None:
    pace = Pace()
    assert list(pace.read(2_000, 61_000, 0)) == ["behind by 2,000 records, 61 s"]
    assert not list(pace.read(1_500, 61_000, AGAIN_MS - 1))
    assert list(pace.read(1_000, 62_000, AGAIN_MS)) == ["behind by 1,000 records, 62 s"]
    assert list(pace.read(0, 60_000, AGAIN_MS + 1)) == ["caught up"]
    assert not list(pace.read(0, 0, AGAIN_MS + 2))


def test_a_broker_that_goes_and_comes_is_said_once_each() -> None:
    pace = Pace()
    said = [list(pace.broker(there=there)) for there in (True, False, False, True, True)]
    assert [len(lines) for lines in said] == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (IP, "218.237.65.47", "218[.]237[.]65[.]47"),
        (IP, "2a00:1450::1", "2a00[:]1450[:][:]1"),
        (DOMAIN, "evil.example", "evil[.]example"),
        (URL, "https://a.example:8080/x.exe?y=1", "hxxps://a[.]example:8080/x.exe?y=1"),
        (URL, "ftp://a.example/x", "fxp://a[.]example/x"),
        ("sha256", "ab" * 32, "ab" * 32),
    ],
)
def test_nothing_follows_what_is_shown(kind: str, value: str, shown: str) -> None:
    assert defanged(kind, value) == shown
    assert fanged(shown) == value


@given(st.ip_addresses().map(str), st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,8}){1,3}", fullmatch=True))
def test_what_was_defanged_is_found_again(address: str, domain: str) -> None:
    url = f"http://{domain}/a?b=c"
    for kind, value in (
        (IP, canonical_ip(address)),
        (DOMAIN, canonical_domain(domain)),
        (URL, canonical_url(url)),
    ):
        if value is not None:
            assert named(defanged(kind, value))[0] == (kind, value)
            assert named(f"{kind}:{value}") == [(kind, value)]


def test_an_address_that_is_not_public_names_nothing() -> None:
    assert named("192.0.2.1") == named("10[.]0[.]0[.]1") == named("fe80::1") == named("ip:x") == []


def test_a_value_may_be_of_several_types() -> None:
    assert {kind for kind, _ in named("d84d634e3c67937db031d3383979ecb9")} >= {"md5", "ja3"}
    assert named("cve-2021-44228") == [("cve", "CVE-2021-44228")]
