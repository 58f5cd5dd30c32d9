"""What is read of partners' intelligence, and what is not, with why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import watch
from pipeline.canonical import CANONICAL
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.intel import misp, stix
from pipeline.intel.pattern import MOST_CHARACTERS, NotReadable
from pipeline.intel.pattern import read as read_pattern
from pipeline.intel.reading import NotRead, Reading, Terms, Why
from pipeline.share.tlp import Pap, Tlp
from pipeline.shell.intel.sources import from_files, from_taxii
from pipeline.shell.intel.topic import Difference, difference
from pipeline.shell.intel.watch_file import read_watches, write_watches
from pipeline.shell.settings import WrongUseError
from pipeline.watch import Watch, identity

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
OURS = "extension-definition--0b3b5d6e-0a3b-5c6e-9a0f-1b2c3d4e5f60"
TERMS = Terms("cert-x")

READ = {
    "[ipv4-addr:value = '198.41.0.4']": [("ip", "198.41.0.4")],
    "[ipv6-addr:value = '2001:0DB8::1'] OR [ipv6-addr:value = '2A00:1450::1']": [
        ("ip", "2a00:1450::1")
    ],
    "[domain-name:value = 'Bücher.Example.']": [("domain", "xn--bcher-kva.example")],
    "[url:value = 'HTTP://Files.example:80/\\'a\\\\b']": [("url", "http://files.example/'a\\b")],
    f"[file:hashes.MD5 = '{MD5.upper()}']": [("md5", MD5)],
    f"[file:hashes.'SHA-1' = '{SHA1}' AND file:hashes.SHA256 = '{SHA256}' AND file:name = 'a']": [
        ("sha1", SHA1),
        ("sha256", SHA256),
    ],
    "[ipv4-addr:value IN ('198.41.0.4', '199.7.83.42')]": [
        ("ip", "198.41.0.4"),
        ("ip", "199.7.83.42"),
    ],
    "([domain-name:value = 'a.example' OR ipv4-addr:value = '198.41.0.4'])": [
        ("domain", "a.example"),
        ("ip", "198.41.0.4"),
    ],
    "[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'a.example']": [
        ("domain", "a.example")
    ],
    "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'x y']": [
        ("user_agent", "x y")
    ],
    f"[network-traffic:extensions.'{OURS}'.ja4 = 't13d1516h2_8daaf6152771_02713d6af862']": [
        ("ja4", "t13d1516h2_8daaf6152771_02713d6af862")
    ],
    f"[software:extensions.'{OURS}'.cve = 'cve-2021-44228']": [("cve", "CVE-2021-44228")],
}
NOT_READ = {
    "[ipv4-addr:value = '10.0.0.1']": Why.NOT_CANONICAL,
    "[ipv4-addr:value ISSUBSET '198.41.0.0/24']": Why.OPERATOR,
    "[ipv4-addr:value NOT = '198.41.0.4']": Why.OPERATOR,
    "[domain-name:value LIKE '%.example']": Why.OPERATOR,
    "[url:value MATCHES '^http']": Why.OPERATOR,
    "[ipv4-addr:value = '198.41.0.4' AND ipv4-addr:x = '1']": Why.COMBINATION,
    "[network-traffic:dst_ref.value = '198.41.0.4' AND network-traffic:dst_port = 443]": Why.COMBINATION,
    "[domain-name:value = 'a.example'] FOLLOWEDBY [ipv4-addr:value = '198.41.0.4']": Why.COMBINATION,
    "[domain-name:value = 'a.example'] REPEATS 5 TIMES": Why.COMBINATION,
    "[windows-registry-key:key = 'HKLM']": Why.NO_INDICATOR,
    "[file:size = 7]": Why.NO_INDICATOR,
}


@pytest.mark.parametrize("pattern", READ)
def test_patterns_that_are_read(pattern: str) -> None:
    found, refused = read_pattern(pattern)
    assert found == READ[pattern]
    assert [why for why, _ in refused] == [Why.NOT_CANONICAL] * pattern.count("0DB8")


@pytest.mark.parametrize("pattern", NOT_READ)
def test_patterns_that_are_not(pattern: str) -> None:
    found, refused = read_pattern(pattern)
    assert (found, [why for why, _ in refused]) == ([], [NOT_READ[pattern]])


@pytest.mark.parametrize("text", ["", "[", "ipv4", "[a:b = 'c'", "[" * 900 + "]" * 900])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(NotReadable) as raised:
        read_pattern(text)
    assert raised.value.why is Why.SYNTAX


@given(st.text("[]()'=\\:.ab ANDORIN1,", max_size=40) | st.text(max_size=20))
def test_any_text_is_read_or_is_none(text: str) -> None:
    try:
        found, _ = read_pattern(f"[{text}]")
    except NotReadable:
        return
    for kind, value in found:
        assert CANONICAL[kind](value) == value


def test_each_type_has_a_canonical_form() -> None:
    assert tuple(CANONICAL) == INDICATOR_TYPES
    for kind in INDICATOR_TYPES:
        assert watch.decode(watch.encode(Watch("a", kind, "v", "s"))).type == kind  # type: ignore[arg-type]


def indicator(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{number:08d}-0000-4000-8000-000000000000",
        "created": "2026-03-01T00:00:00Z",
        "modified": "2026-03-01T00:00:00Z",
        "pattern": "[ipv4-addr:value = '198.41.0.4']",
        "pattern_type": "stix",
        "valid_from": "1970-01-01T00:00:01.5Z",
    } | more


def marked(**definition: Any) -> dict[str, Any]:
    return {"type": "marking-definition", "id": "marking-definition--7", **definition}


AMBER_STRICT = marked(extensions={"e": {"tlp_2_0": "amber+strict"}})
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
AMBER = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"  # of TLP 1


@pytest.mark.parametrize(
    ("more", "beside", "tlp"),
    [
        ({}, [], Tlp.AMBER_STRICT),
        ({"object_marking_refs": [GREEN]}, [], Tlp.GREEN),
        ({"object_marking_refs": [GREEN, AMBER]}, [], Tlp.AMBER),
        ({"object_marking_refs": [GREEN, "marking-definition--7"]}, [], Tlp.AMBER_STRICT),
        ({"object_marking_refs": ["marking-definition--7"]}, [AMBER_STRICT], Tlp.AMBER_STRICT),
        ({"object_marking_refs": ["marking-definition--7"]}, [marked(definition={"tlp": "white"})], Tlp.CLEAR),
        ({"object_marking_refs": [GREEN], "granular_markings": [{"marking_ref": AMBER}]}, [], Tlp.AMBER),
        ({"labels": ["tlp:amber", "green"], "object_marking_refs": [GREEN]}, [], Tlp.AMBER),
    ],
)  # fmt: skip
def test_the_strictest_marking_counts(more: Any, beside: list[Any], tlp: Tlp) -> None:
    (found,) = stix.read([indicator(**more), *beside], TERMS).watches.values()
    assert found.tlp is tlp


def test_an_indicator_of_stix() -> None:
    given = indicator(
        confidence=30, valid_until="1970-01-02T00:00:00Z", labels=["PAP:RED", "malicious"]
    )
    (found,) = stix.read([indicator(valid_until="1999-01-01T00:00:00Z") | given], TERMS).watches.values()  # fmt: skip
    assert found == Watch(
        identity("cert-x", given["id"], ("ip", "198.41.0.4")), "ip", "198.41.0.4", "cert-x",
        given["id"], Tlp.AMBER_STRICT, Pap.RED, 30, 1500, 86_400_000,
    )  # fmt: skip


def why(reading: Reading) -> list[Why]:
    return [one.why for one in reading.not_read]


def test_what_of_stix_is_not_read() -> None:
    red = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
    reading = stix.read(
        [
            indicator(1, pattern_type="snort"),
            indicator(2, valid_from="yesterday"),
            indicator(3, pattern=None),
            indicator(4, pattern="x" * (MOST_CHARACTERS + 1)),
            indicator(5, object_marking_refs=[red]),
            indicator(6, valid_until="2026-02-01T00:00:00Z"),
            indicator(7, revoked=True),
            {"type": "malware", "id": "malware--1"},
            "nothing",
        ],
        Terms("cert-x", now=1_772_366_400_000),
    )
    assert reading.watches == {}
    assert why(reading) == [
        Why.NOT_STIX, Why.MALFORMED, Why.MALFORMED, Why.TOO_LONG, Why.RED, Why.ENDED,
    ]  # fmt: skip
    assert len(reading.references) == 6


def test_of_an_indicator_the_newest_version_counts() -> None:
    newer = indicator(modified="2026-03-02T00:00:00Z", pattern="[domain-name:value = 'a.example']")
    (found,) = stix.read([newer, indicator()], TERMS).watches.values()
    assert found.value == "a.example"


def test_a_package_is_named_beside_the_pattern() -> None:
    references = [{"source_name": "purl", "external_id": "pkg:PyPI/Django@1"}, {"source_name": "x"}]
    (found,) = stix.read([indicator(external_references=references)], TERMS).watches.values()
    assert found.indicator == ("purl", "pkg:pypi/django@1")


def attribute(uuid: str, kind: str, value: str, **more: Any) -> dict[str, Any]:
    return {"uuid": uuid, "type": kind, "value": value, "to_ids": True, "timestamp": "100"} | more


def event(*attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Event": {"uuid": "e", "info": "x", "Attribute": list(attributes), **more}}


def test_a_misp_event() -> None:
    amber = [{"name": "tlp:amber"}, {"name": "PAP:GREEN"}]
    of_object = {"Attribute": [attribute("o", "filename|md5", f"a.exe|{MD5}", Tag=amber)]}
    given = event(
        attribute("1", "ip-dst|port", "198.41.0.4|443", first_seen="1970-01-01T00:00:07Z"),
        attribute("2", "domain|ip", "A.example|198.41.0.4"),
        attribute("3", "ip-src", "198.41.0.4", to_ids=False),
        attribute("4", "ip-src", "10.0.0.1"),
        attribute("5", "yara", "rule"),
        attribute("6", "ip-src", "198.41.0.4", deleted=True),
        attribute("7", "ip-src", "198.41.0.4", Tag=[{"name": "tlp:red"}]),
        {"uuid": "8"},
        Object=[of_object, of_object | {"deleted": True}],
        Tag=[{"name": "tlp:green"}],
    )
    reading = misp.read([given, {"Event": {}}], Terms("cert-x", valid_for_ms=1_000))
    found = {(one.reference, *one.indicator): one for one in reading.watches.values()}
    assert set(found) == {
        ("1", "ip", "198.41.0.4"),
        ("2", "domain", "a.example"),
        ("2", "ip", "198.41.0.4"),
        ("o", "md5", MD5),
    }
    first, of_file = found["1", "ip", "198.41.0.4"], found["o", "md5", MD5]
    assert (first.tlp, first.valid_from, first.valid_until) == (Tlp.GREEN, 7_000, 101_000)
    assert (of_file.tlp, of_file.pap, of_file.valid_from) == (Tlp.AMBER, Pap.GREEN, 100_000)
    assert why(reading) == [
        Why.NOT_FOR_DETECTION, Why.NOT_CANONICAL, Why.NO_INDICATOR, Why.RED, Why.MALFORMED,
        Why.MALFORMED,
    ]  # fmt: skip
    assert reading.references == {"1", "2", "3", "4", "5", "6", "7", "o"}


def test_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    feed.mkdir()
    (feed / "manifest.json").write_text("{}")
    (feed / "e.json").write_text(json.dumps(event(attribute("1", "ip-src", "198.41.0.4"))))
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps({"type": "bundle", "objects": [indicator()]}))
    search = tmp_path / "search.json"
    search.write_text(json.dumps({"response": [event(attribute("2", "md5", MD5))]}))
    readings = from_files([bundle, feed, search], TERMS)
    assert [len(one.watches) for one in readings] == [1, 2]
    for wrong in ("{}", "[]", "nothing", '{"response": []}', "[" * 20_000):
        bundle.write_text(wrong)
        with pytest.raises(WrongUseError, match=r"bundle\.json: "):
            from_files([bundle], TERMS)


@pytest.mark.parametrize(
    "url", ["http://taxii.example/c/", "https://a:b@taxii.example/c/", "ftp://x/", "/etc/passwd"]
)
def test_a_password_goes_nowhere_unsafe(url: str) -> None:
    with pytest.raises(WrongUseError):
        from_taxii(url, "us", "secret", TERMS)


def test_import_once_more_is_what_the_partner_has_now() -> None:
    def made(reference: str, value: str, source: str = "cert-x", **more: Any) -> Watch:
        name = identity(source, reference, ("ip", value))
        return Watch(name, "ip", value, source, reference, **more)

    stays, changes, moved, gone = (made(str(n), "198.41.0.4") for n in range(4))
    other, untouched = made("3", "198.41.0.4", "cert-y"), made("9", "198.41.0.4")
    standing = {one.id: one for one in (stays, changes, moved, gone, other, untouched)}
    changed = msgspec.structs.replace(changes, confidence=7)
    now_at, new = made("2", "199.7.83.42"), made("5", "198.41.0.4")
    found = difference(standing, [stays, changed, now_at, new], "cert-x", set("01235"))
    assert found == Difference([now_at, new], [changed], [moved.id, gone.id], 1)


def test_watches_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "watches.jsonl"
    watches = list(stix.read([indicator(1), indicator(2)], TERMS).watches.values())
    write_watches(path, [*watches, watches[0]])
    assert read_watches(path) == watches
    path.write_text('\n{"id": "a", "type": "mac", "value": "x", "source": "s"}\n')
    with pytest.raises(WrongUseError, match=r"jsonl:2: no watch: "):
        read_watches(path)


def test_what_is_not_read_is_bounded() -> None:
    reading = Reading(TERMS)
    for number in range(10_002):
        reading.refuse(str(number), Why.SYNTAX)
    assert len(reading.not_read) == 10_000
    assert reading.uncounted == 2
    assert reading.not_read[0] == NotRead("0", Why.SYNTAX)
