"""Every type of indicator of the contract's table: where it is read, and its canonical form."""

import json
from typing import Any

import pytest

from pipeline.canonical import (
    CACHES,
    MAX_VALUE_CHARACTERS,
    canonical_cve,
    canonical_domain,
    canonical_fingerprint,
    canonical_hash,
    canonical_ip,
    canonical_purl,
    canonical_text,
    canonical_url,
)
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.indicator import indicators
from pipeline.indicator_type import INDICATOR_TYPES
from tests.unit.making import raw

MD5, SHA1, SHA256 = "0af" * 10 + "42", "0af" * 13 + "1", "0af" * 21 + "7"


def found(**attributes: Any) -> tuple[list[tuple[str, str]], int]:
    (event,) = decode(raw(**attributes))
    assert isinstance(event, Event), event
    return indicators(event)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"src_endpoint": {"ip": "::FFFF:8.8.8.8"}}, [("ip", "8.8.8.8")]),
        ({"query": {"hostname": "A.Example."}}, [("domain", "a.example")]),
        ({"http_request": {"url": {"hostname": "A.Example"}}}, [("domain", "a.example")]),
        ({"tls": {"sni": "Bücher.example"}}, [("domain", "xn--bcher-kva.example")]),
        ({"http_request": {"url": {"url_string": "HTTP://A/B#c"}}}, [("url", "http://a/B")]),
        ({"file": {"url": {"url_string": "ftp://A:21/B"}}}, [("url", "ftp://a/B")]),
        ({"file": {"hashes": [{"algorithm_id": 1, "value": MD5.upper()}]}}, [("md5", MD5)]),
        ({"file": {"hashes": [{"algorithm_id": 2, "value": SHA1.upper()}]}}, [("sha1", SHA1)]),
        ({"file": {"hashes": [{"algorithm_id": 3, "value": SHA256}]}}, [("sha256", SHA256)]),
        ({"tls": {"ja3_hash": {"algorithm_id": 1, "value": MD5.upper()}}}, [("ja3", MD5)]),
        (
            {"ja4_fingerprint_list": [{"type_id": 1, "value": "T13D1516H2_8DAAF6152771_B1"}]},
            [("ja4", "t13d1516h2_8daaf6152771_b1")],
        ),
        (
            {"client_hassh": {"fingerprint": {"algorithm_id": 1, "value": MD5.upper()}}},
            [("hassh", MD5)],
        ),
        ({"user": {"credential_uid": "sha256:AbC"}}, [("credential", "sha256:AbC")]),
        ({"http_request": {"user_agent": " Curl/8 "}}, [("user_agent", " Curl/8 ")]),
        ({"vulnerabilities": [{"cve": {"uid": "cve-2021-44228"}}]}, [("cve", "CVE-2021-44228")]),
        (
            {"vulnerabilities": [{"affected_packages": [{"purl": "pkg:PyPI/Django_X@1"}]}]},
            [("purl", "pkg:pypi/django-x@1")],
        ),
    ],
)
def test_where_each_type_is_read(
    attributes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert found(**attributes) == (expected, 0)


def test_every_type_has_a_row_above() -> None:
    (mark,) = test_where_each_type_is_read.pytestmark
    rows = [expected for _, expected in mark.args[1]]
    assert {kind for expected in rows for kind, _ in expected} == set(INDICATOR_TYPES)


@pytest.mark.parametrize(
    ("type_id", "value", "expected"),
    [
        (1, "A.Example.", ("domain", "a.example")),
        (2, "8.8.8.8", ("ip", "8.8.8.8")),
        (6, "HTTP://A/", ("url", "http://a/")),
        (8, MD5.upper(), ("md5", MD5)),
        (8, SHA1.upper(), ("sha1", SHA1)),
        (8, SHA256.upper(), ("sha256", SHA256)),
        (18, "cve-2021-44228", ("cve", "CVE-2021-44228")),
    ],
)
def test_observables(type_id: int, value: str, expected: tuple[str, str]) -> None:
    assert found(observables=[{"type_id": type_id, "value": value}]) == ([expected], 0)


@pytest.mark.parametrize(
    "observable",
    [
        {"type_id": 4, "value": "root"},
        {"type_id": 99, "value": "8.8.8.8"},
        {"type_id": 2},
        {"type_id": 2, "value": ""},
        {"value": "8.8.8.8"},
        {},
    ],
)
def test_other_observables_say_nothing(observable: dict[str, Any]) -> None:
    assert found(observables=[observable]) == ([], 0)


@pytest.mark.parametrize(
    "attributes",
    [
        {"src_endpoint": {"ip": "10.0.0.1"}},
        {"query": {"hostname": "1.2.3.4"}},
        {"http_request": {"url": {"hostname": "[::1]"}}},
        {"http_request": {"url": {"url_string": "/index.html"}}},
        {"http_request": {"user_agent": "x" * (MAX_VALUE_CHARACTERS + 1)}},
        {"tls": {"sni": "-"}},
        {"tls": {"ja3_hash": {"value": "a b"}}},
        {"file": {"url": {"url_string": "x"}}},
        {"file": {"hashes": [{"algorithm_id": 1, "value": SHA1}]}},
        {"user": {"credential_uid": "x" * (MAX_VALUE_CHARACTERS + 1)}},
        {"client_hassh": {"fingerprint": {"value": "\n"}}},
        {"ja4_fingerprint_list": [{"type_id": 1, "value": "\x7f"}]},
        {"vulnerabilities": [{"cve": {"uid": "CVE-1"}}]},
        {"vulnerabilities": [{"affected_packages": [{"purl": "x"}]}]},
        {"observables": [{"type_id": 8, "value": "a" * 33}]},
        {"observables": [{"type_id": 8, "value": "g" * 32}]},
        {"observables": [{"type_id": 1, "value": "8.8.8.8"}]},
    ],
)
def test_a_value_without_a_canonical_form_is_counted(attributes: dict[str, Any]) -> None:
    assert found(**attributes) == ([], 1)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"src_endpoint": {}},
        {"src_endpoint": {"ip": ""}},
        {"query": {}},
        {"http_request": {}},
        {"http_request": {"url": {}}},
        {"tls": {}},
        {"tls": {"ja3_hash": {}}},
        {"file": {}},
        {"file": {"url": {}, "hashes": [{}]}},
        {"file": {"hashes": [{"algorithm_id": 4, "value": "ab"}, {"value": "ab"}]}},
        {"user": {}},
        {"client_hassh": {}},
        {"client_hassh": {"fingerprint": {}}},
        {"ja4_fingerprint_list": [{}, {"type_id": 2, "value": "a"}, {"type_id": 1}]},
        {"vulnerabilities": [{}, {"cve": {}, "affected_packages": [{}]}]},
        {"observables": []},
    ],
)
def test_what_is_absent_is_not_counted(attributes: dict[str, Any]) -> None:
    assert found(**attributes) == ([], 0)


def test_one_event_may_say_much_and_partly_badly() -> None:
    said, uncanonical = found(
        src_endpoint={"ip": "8.8.8.8"},
        query={"hostname": "bad name"},
        file={"hashes": [{"algorithm_id": 1, "value": MD5}, {"algorithm_id": 3, "value": "short"}]},
        observables=[{"type_id": 2, "value": "8.8.8.8"}, {"type_id": 2, "value": "127.0.0.1"}],
    )
    assert said == [("ip", "8.8.8.8"), ("md5", MD5), ("ip", "8.8.8.8")]
    assert uncanonical == 3


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("172.15.255.255", "172.15.255.255"),
        ("172.32.0.0", "172.32.0.0"),
        ("100.63.255.255", "100.63.255.255"),
        ("100.128.0.0", "100.128.0.0"),
        ("192.0.1.0", "192.0.1.0"),
        ("198.17.255.255", "198.17.255.255"),
        ("198.20.0.0", "198.20.0.0"),
        ("223.255.255.255", "223.255.255.255"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("::FFFF:0808:0808", "8.8.8.8"),
        ("2A00:1450:0:0::1", "2a00:1450::1"),
        ("2001:4860:4860:0:0:0:0:8888", "2001:4860:4860::8888"),
    ],
)
def test_a_public_address(text: str, canonical: str) -> None:
    assert canonical_ip(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
        *("169.254.1.1", "172.16.0.1", "172.31.255.255", "192.0.0.9", "192.0.2.1", "192.168.1.1"),
        *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
        *("239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:224.0.0.1", "64:ff9b:1::1"),
        *("100::1", "2001::1", "2001:db8::1", "2002:808:808::1", "3fff::1", "5f00::1"),
        *("fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1", "fe80::1%eth0", "2a00::1%1"),
    ],
)
def test_an_address_that_is_not_public_unicast(text: str) -> None:
    assert canonical_ip(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("8.8.8", "8.8.8.8.8", "08.8.8.8", "256.1.1.1", "8.8.8.8/32", "8.8.8.8:53", " 8.8.8.8"),
        *("8.8.8.8\n", "134744072", "0x8080808", "٨.٨.٨.٨", "[2a00::1]", "2a00:::1", "host", "-"),
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert canonical_ip(text) is None


LABEL = "a" * 63


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.EXAMPLE", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("_dmarc.Bücher.example.", "_dmarc.xn--bcher-kva.example"),
        ("_a_._b._例え。テスト".replace("_例", "例"), "_a_._b.xn--r8jz45g.xn--zckzah"),
        ("1.2.3.4.example", "1.2.3.4.example"),
        ("0x7g", "0x7g"),
        (f"{LABEL}.example", f"{LABEL}.example"),
        (f"{LABEL}.{LABEL}.{LABEL}.{'b' * 61}.", f"{LABEL}.{LABEL}.{LABEL}.{'b' * 61}"),
    ],
)
def test_a_domain(text: str, canonical: str) -> None:
    assert canonical_domain(text) == canonical
    assert canonical_domain(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("1.2.3.4", "8.8.8.8.", "0x7f.1", "1.2.3.0x", "127.1", "2a00::1", "[2a00::1]", "1"),
        *("", ".", "a..b", "a.b..", ".a", "-a.b", "a-.b", "a b", "a/b", "a:80", "*.a.b", "a@b"),
        *(f"{LABEL}a.b", f"{LABEL}.{LABEL}.{LABEL}.{'b' * 62}", "a." * 1025, "é" * 300),
        *("_ü.example", "a／b.ü", "a..ü", "a b.ü", "-a.ü", "ü.7", "xn--ü.a"),
        *("a\u200db.example", "℀.example", "a.\u0661", "\ud800"),
    ],
)
def test_what_is_no_domain(text: str) -> None:
    assert canonical_domain(text) is None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTP://Example.COM/Path?Q=A", "http://example.com/Path?Q=A"),
        ("http://a", "http://a"),
        ("http://a?q", "http://a?q"),
        ("http://a:80/", "http://a/"),
        ("https://a:443/", "https://a/"),
        ("ws://a:80", "ws://a"),
        ("wss://a:443", "wss://a"),
        ("ftp://a:21/x", "ftp://a/x"),
        ("http://a:443/", "http://a:443/"),
        ("https://a:80/", "https://a:80/"),
        ("tcp://a:80/", "tcp://a:80/"),
        ("http://a:/x", "http://a/x"),
        ("http://a:080/", "http://a/"),
        ("http://a:0443/", "http://a:443/"),
        ("tcp://a:00080/", "tcp://a:80/"),
        ("tcp://a:0/", "tcp://a:0/"),
        ("tcp://a:65535/", "tcp://a:65535/"),
        ("http://_x.Bücher.example/", "http://_x.xn--bcher-kva.example/"),
        ("http://a/#b", "http://a/"),
        ("http://a#b?c/d", "http://a"),
        ("http://a/b?c#d#e", "http://a/b?c"),
        ("http://User:Pass@A:80/", "http://User:Pass@a/"),
        ("http://u@B@C/", "http://u@B@c/"),
        ("http://[2A00:1450::1]:80/", "http://[2a00:1450::1]/"),
        ("http://[2A00:1450::1]:8080/", "http://[2a00:1450::1]:8080/"),
        ("http://Bücher.example:80/Ü", "http://xn--bcher-kva.example/Ü"),
        ("http://10.0.0.1/", "http://10.0.0.1/"),
        ("git+ssh://A/b", "git+ssh://a/b"),
    ],
)
def test_a_url(text: str, canonical: str) -> None:
    assert canonical_url(text) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "/path", "example.com/", "//a/b", "mailto:a@b", "http:/a", "http:///a", "http://"),
        *("http://:80/", "http://u@/", "http://a:b/", "http://a:80:80/", "http://[::1", "http://]"),
        *(
            "http://[a]b/",
            "1http://a/",
            "http://a b/",
            "http://a/\n",
            "http://a/\x7f",
            "\thttp://a",
        ),
        *("http://℀/", "http://a/" + "x" * MAX_VALUE_CHARACTERS),
        *("http://a:65536/", "http://a:" + "9" * 2000, "http://a／b.bücher/", "http://a＠ü/"),
    ],
)
def test_what_is_no_url(text: str) -> None:
    assert canonical_url(text) is None


def test_only_the_last_at_sign_ends_the_user() -> None:
    """Once, every other was tried too: a square of work, and `@` in a host."""
    assert canonical_url("http://a@[b@c]/") is None


@pytest.mark.parametrize("length", [32, 40, 64])
def test_a_hash(length: int) -> None:
    value = ("0123456789abcdef" * 4)[:length]
    assert canonical_hash(value.upper(), length) == value
    for wrong in (value[1:], value + "0", "g" + value[1:], " " + value[1:], "٠" + value[1:], ""):
        assert canonical_hash(wrong, length) is None


def test_a_fingerprint() -> None:
    assert canonical_fingerprint("T13D") == "t13d"
    assert canonical_fingerprint("a" * MAX_VALUE_CHARACTERS) == "a" * MAX_VALUE_CHARACTERS
    for wrong in ("", "a b", "a\x00", "a" * (MAX_VALUE_CHARACTERS + 1)):
        assert canonical_fingerprint(wrong) is None


def test_text_is_taken_as_given() -> None:
    for text in ("Mozilla/5.0 (X11)", " x ", "ÄÖ", "x" * MAX_VALUE_CHARACTERS):
        assert canonical_text(text) == text
    assert canonical_text("") is None
    assert canonical_text("x" * (MAX_VALUE_CHARACTERS + 1)) is None


def test_a_cve() -> None:
    assert canonical_cve("cve-2021-44228") == "CVE-2021-44228"
    assert canonical_cve("CVE-1999-0001") == "CVE-1999-0001"
    for wrong in (
        "CVE-2021-442",
        "CVE-21-44228",
        "2021-44228",
        "CVE-2021-4422a",
        "",
        "CVE-٢٠٢١-1234",
    ):
        assert canonical_cve(wrong) is None
    assert canonical_cve("CVE-2021-" + "1" * 23) is not None
    assert canonical_cve("CVE-2021-" + "1" * 24) is None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("pkg:PyPI/Django_Allauth@12.23", "pkg:pypi/django-allauth@12.23"),
        ("pkg:GitHub/Package-URL/Purl-Spec@1", "pkg:github/package-url/purl-spec@1"),
        ("pkg://npm/foo", "pkg:npm/foo"),
        ("pkg:npm/%40angular/animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
        ("pkg:deb/debian/curl@7?distro=x&arch=i386", "pkg:deb/debian/curl@7?arch=i386&distro=x"),
        ("pkg:maven/org.a/b@1?classifier=", "pkg:maven/org.a/b@1"),
        ("pkg:golang/a.b/c#/d/../e/", "pkg:golang/a.b/c#d/e"),
    ],
)
def test_a_purl(text: str, canonical: str) -> None:
    assert canonical_purl(text) == canonical
    assert canonical_purl(canonical) == canonical


@pytest.mark.parametrize(
    "text", ["", "pypi/x", "pkg:", "pkg:pypi", "pkg:pypi/", "pkg:a/" + "x" * MAX_VALUE_CHARACTERS]
)
def test_what_is_no_purl(text: str) -> None:
    assert canonical_purl(text) is None


def test_no_canonical_value_can_break_what_encodes_it() -> None:
    """JSON's lone surrogates do not get as far as an indicator."""
    (one,) = decode(json.dumps({"time": 1, "metadata": {"uid": "\ud800"}}).encode())
    assert not isinstance(one, Event)


def test_what_is_remembered_of_canonical_forms_is_bounded_in_bytes() -> None:
    """Once, 65,536 texts of 256 KiB would have been kept as keys: 16 GiB, from one sensor."""
    long = ["9" * 250_000, "a" * 2_000, "http://a/" + "b" * 1_990, "pkg:npm/" + "c" * 1_990]
    before = [memory.cache_info().currsize for memory in CACHES]
    for canonical in (canonical_ip, canonical_domain, canonical_url, canonical_purl):
        for text in long:
            canonical(text)
            canonical(text + "é")
    assert [memory.cache_info().currsize for memory in CACHES] == before
    canonical_ip("2a00:1450::abcd")
    assert sum(memory.cache_info().currsize for memory in CACHES) == sum(before) + 1
