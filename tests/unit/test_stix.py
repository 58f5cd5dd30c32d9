"""What STIX says of a campaign: names that stay, versions that rise, labels that travel."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.v21.pattern import Pattern

from pipeline.campaign.campaign import Campaign, Member, Seen, Status, Why, Word
from pipeline.campaign.label import Verdict
from pipeline.event import LAST_TIME_MS
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.share import stix
from pipeline.share.moment import date, moment, ms_of
from pipeline.share.outward import Producer, outward, revised_at
from pipeline.share.stix import Profile
from pipeline.share.stix_object import MARKINGS, Object
from pipeline.share.stix_value import put
from pipeline.share.stix_version import succession
from pipeline.share.tlp import Pap, Tlp
from pipeline.share.uri import uri
from tests.campaigns import made, value

replace = msgspec.structs.replace
AT = 1_740_831_900_123
IP = Member("ip", "203.0.113.5")


def seen(organisation: str, country: str, first: int = AT, last: int = AT, slices: int = 1) -> Seen:
    return Seen("ip", IP.value, organisation, country, first, last, slices)


def campaign(**changed: Any) -> Campaign:
    """One address, seen in two countries."""
    sightings = (seen("cz-nren", "CZ"), seen("ke-bank", "KE", AT + 5, AT + 90_000, 3))
    plain = Campaign(
        id="2f0b6c55-6d0e-5b0c-8d4d-93c0f2a7e1b4", status=Status.OPEN, first_seen=AT,
        last_seen=AT + 90_000, indicators=(IP,), countries=("CZ", "KE"),
        organisations=("cz-nren", "ke-bank"), alerts=("a-1",), severity=3, confidence=84,
        p_value=0.01, reasons=(), tlp=Tlp.AMBER_STRICT, pap=Pap.GREEN, first_told=AT + 5, grown_at=AT + 5,
        confidence_word="very likely", admiralty="B2", corroboration=(), sightings=sightings,
    )  # fmt: skip
    return replace(plain, **changed)


def test_a_pseudonym_does_not_leave() -> None:
    hidden = Member("ip", "pseudonym:1:2961:" + "0f" * 16)
    whole = campaign(
        indicators=(IP, hidden),
        sightings=(*campaign().sightings, replace(seen("br-uni", "BR"), value=hidden.value)),
        reasons=(Why("ip", IP.value, f"with ip {hidden.value}: of one network", 0.1),),
    )
    assert "pseudonym:" not in msgspec.json.encode(stix.objects(whole)).decode()
    assert outward(whole).indicators == (IP,)
    assert outward(whole).reasons[0].why == "with ip (a pseudonym): of one network"


def of(kind: str, objects: list[Object]) -> list[Object]:
    return [one for one in objects if one["type"] == kind]


def only(kind: str, objects: list[Object]) -> Object:
    (found,) = of(kind, objects)
    return found


def test_a_campaign_in_stix() -> None:
    objects = stix.objects(campaign())
    by_id = {one["id"]: one for one in objects}
    marking = only("marking-definition", objects)
    assert marking["id"] == MARKINGS[Tlp.AMBER_STRICT]
    assert marking["name"] == "TLP:AMBER+STRICT"
    assert next(iter(marking["extensions"].values()))["tlp_2_0"] == "amber+strict"
    address = only("ipv4-addr", objects)
    assert address["id"] == "ipv4-addr--826fe3cb-56b0-5620-9d30-4c17ed7b24e3"
    indicator = only("indicator", objects)
    assert indicator["pattern"] == "[ipv4-addr:value = '203.0.113.5']"
    assert indicator["confidence"] == 70
    told = {}
    for one in of("sighting", objects):
        assert one["sighting_of_ref"] == indicator["id"]
        whom, where = (by_id[reference] for reference in one["where_sighted_refs"])
        told[whom["name"], where["country"]] = (one["first_seen"], one["last_seen"], one["count"])
    assert told == {
        ("cz-nren", "CZ"): ("2025-03-01T12:25:00.123Z", "2025-03-01T12:25:00.123Z", 1),
        ("ke-bank", "KE"): ("2025-03-01T12:25:00.128Z", "2025-03-01T12:26:30.123Z", 3),
    }
    related = {
        (
            by_id[one["source_ref"]]["type"],
            one["relationship_type"],
            by_id[one["target_ref"]]["type"],
        )
        for one in of("relationship", objects)
    }
    assert related == {
        ("indicator", "indicates", "campaign"),
        ("indicator", "based-on", "observed-data"),
        ("campaign", "targets", "location"),
        ("campaign", "targets", "identity"),
    }
    assert all(
        one["object_marking_refs"] == [marking["id"]] for one in objects if one is not marking
    )
    grouping = only("grouping", objects)
    assert set(grouping["object_refs"]) | {marking["id"], indicator["created_by_ref"]} | {
        grouping["id"]
    } == set(by_id)


def test_whoever_exports_it_exports_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "campaigns.jsonl").write_bytes(
        b"".join(msgspec.json.encode(made(seed)) + b"\n" for seed in range(20))
    )
    found = set()
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pipeline", "export", "--format", "stix"),
                *("--campaigns", "campaigns.jsonl", "--out", "bundle.json"),
            ],
            cwd=tmp_path, env={"PYTHONHASHSEED": hash_seed}, capture_output=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found.add((tmp_path / "bundle.json").read_bytes())
    (once,) = found
    assert once == stix.bundle(made(seed) for seed in reversed(range(20)))


@pytest.mark.parametrize("kind", INDICATOR_TYPES)
@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_every_indicator_has_a_pattern(kind: str, seed: int) -> None:
    Pattern(put(kind, value(Random(seed), kind)).pattern)


@settings(max_examples=40)
@given(st.text(min_size=1))
def test_a_pattern_holds_the_text_and_nothing_else(text: str) -> None:
    pattern = put("user_agent", text).pattern
    ((_, how, literal),) = Pattern(pattern).inspect().comparisons["network-traffic"]
    constant = re.sub(r"\\(.)", r"\1", literal[1:-1], flags=re.DOTALL)
    if how == "=":
        assert constant == text
    else:
        assert how == "MATCHES"
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", pattern)
        python = re.sub(r"\\x\{([0-9a-f]+)\}", lambda m: f"\\u{int(m[1], 16):04x}", constant)
        assert re.fullmatch(python[1:-1], text, re.DOTALL)


@given(st.integers(0, LAST_TIME_MS))
def test_moments_are_those_of_the_calendar(ms: int) -> None:
    seconds = datetime.fromtimestamp(ms // 1_000, UTC)
    assert moment(ms) == f"{seconds:%Y-%m-%dT%H:%M:%S}.{ms % 1_000:03}Z".rjust(24, "0")
    assert date(ms) == moment(ms)[:10]
    assert ms_of(moment(ms)) == ms


@given(st.text())
def test_a_uri_is_ascii_and_stays_as_it_is(text: str) -> None:
    found = uri(f"http://{text}")
    if found is not None:
        assert re.fullmatch(r"[!-~]+", found)
        assert not re.search(r"[<>\"{}|\\^`]", found)
        assert uri(found) == found


@given(st.integers(0, 300), st.data())
def test_what_grew_is_a_later_version_of_the_same(seed: int, data: st.DataObject) -> None:
    """Late sightings too, which no time of the campaign tells of."""
    before = made(seed)
    drawn = data.draw(st.sampled_from(before.sightings))
    grown = replace(
        before,
        sightings=(*before.sightings, replace(drawn, organisation="late-one", slices=1)),
        organisations=tuple(sorted({*before.organisations, "late-one"})),
    )
    old, new = (one_by_id(stix.objects(one)) for one in (before, grown))
    assert set(old) < set(new)
    assert revised_at(grown) > revised_at(before)
    for identity, one in old.items():
        if new[identity] != one and "modified" in one:
            assert new[identity]["modified"] > one["modified"]


def one_by_id(objects: list[Object]) -> dict[str, Object]:
    return {one["id"]: one for one in objects}


@settings(max_examples=40)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_versions_only_rise_whatever_is_told(first: int, second: int, third: int) -> None:
    """Of one campaign told in any three ways; what was revoked never changes again."""
    name = made(first).id
    stands: dict[str, Object] = {}
    for seed in (first, second, third, third):
        told = stix.objects(replace(made(seed), id=name))
        now = one_by_id(succession(stands.values(), told))
        assert now.keys() >= {one["id"] for one in told} | stands.keys()
        for identity, old in stands.items():
            new = now[identity]
            if old.get("revoked"):
                assert new == old
            elif new != old and "modified" in old:
                assert new["modified"] > old["modified"]
                assert new["created"] == old["created"]
        gone = stands.keys() - {one["id"] for one in told}
        assert all(now[one].get("revoked") for one in gone if "indicator--" in one)
        again = one_by_id(succession(now.values(), told))
        assert again == now
        stands = now


@pytest.mark.parametrize(
    "changed", [{"status": Status.MERGED, "merged_into": "x"}, {"withdrawn": True}]
)
def test_what_is_no_more_is_revoked(changed: dict[str, Any]) -> None:
    objects = stix.objects(campaign(**changed))
    common = {"marking-definition", "identity", "location", "ipv4-addr"}
    for one in objects:
        assert one.get("revoked", False) == (one["type"] not in common), one["type"]
    standing = one_by_id(stix.objects(campaign()))
    for one in objects:
        if one.get("revoked"):
            assert one["modified"] > standing[one["id"]]["modified"]


@pytest.mark.parametrize(
    ("verdict", "sure", "opinion", "kind"),
    [
        (Verdict.CONFIRMED, 90, "strongly-agree", "malicious-activity"),
        (Verdict.CONFIRMED, 60, "agree", "malicious-activity"),
        (Verdict.BENIGN, 60, "disagree", "benign"),
        (Verdict.FALSE_POSITIVE, 95, "strongly-disagree", "benign"),
    ],
)
def test_an_analysts_word_without_the_analyst(
    verdict: Verdict, sure: int, opinion: str, kind: str
) -> None:
    said = campaign(label=Word(verdict, "ann.analyst", "a colleague rang", sure, AT))
    objects = stix.objects(said)
    assert only("opinion", objects)["opinion"] == opinion
    assert only("indicator", objects)["indicator_types"] == [kind]
    assert verdict in only("campaign", objects)["labels"]
    assert not re.search("ann|colleague", json.dumps(objects))


@pytest.mark.parametrize(
    ("grade", "number"),
    [("A1", 90), ("B2", 70), ("C3", 50), ("F4", 30), ("E5", 10), ("A6", None), ("", None)],
)
def test_confidence_is_the_grades(grade: str, number: int | None) -> None:
    objects = stix.objects(campaign(admiralty=grade))
    assert only("campaign", objects).get("confidence") == number


def test_of_two_campaigns_the_stricter_marks_what_they_share() -> None:
    green = campaign(tlp=Tlp.GREEN)
    red = campaign(tlp=Tlp.RED, id="another")
    for pair in ([green, red], [red, green]):
        objects = json.loads(stix.bundle(pair))["objects"]
        (address,) = of("ipv4-addr", objects)
        assert address["object_marking_refs"] == [MARKINGS[Tlp.RED]]
        for country in of("location", objects):
            assert country["object_marking_refs"] == [MARKINGS[Tlp.RED]]
        assert len(of("campaign", objects)) == 2
    ours, theirs = (of("location", stix.objects(one))[0] for one in (green, red))
    assert ours["id"] == theirs["id"]
    assert ours["modified"] < theirs["modified"]


def test_whose_names_are_withheld() -> None:
    """They come as one: `pipeline.share.release` leaves them without a name, or without a place."""
    told = campaign(
        sightings=(seen("", "CZ"), seen("", "CZ", AT - 7, AT, 2), seen("", "", AT, AT, 4)),
        organisations=(), countries=("CZ",),
    )  # fmt: skip
    objects = stix.objects(told)
    placed, bare = sorted(of("sighting", objects), key=lambda one: "where_sighted_refs" not in one)
    (country,) = of("location", objects)
    assert placed["where_sighted_refs"] == [country["id"]]
    assert (placed["count"], placed["first_seen"]) == (3, moment(AT - 7))
    assert "where_sighted_refs" not in bare
    assert [one["name"] for one in of("identity", objects)] == ["Sightline"]


def test_a_clear_credential_becomes_its_digest() -> None:
    digest = "sha256:" + "ab" * 32
    told = outward(
        campaign(
            indicators=(Member("credential", "root\0toor"), Member("credential", digest)),
            sightings=(Seen("credential", "root\0toor", "a", "CZ", AT, AT, 1),),
        )
    )
    clear, kept = told.indicators
    assert re.fullmatch("sha256:[0-9a-f]{64}", clear.value)
    assert kept.value == digest
    assert told.sightings[0].value == clear.value


def test_a_vulnerability_is_one_and_for_misp_an_indicator_too() -> None:
    cve = Member("cve", "CVE-2021-44228")
    told = campaign(
        indicators=(cve,), sightings=(Seen("cve", cve.value, "cz-nren", "CZ", AT, AT, 1),)
    )
    full = stix.objects(told)
    assert not of("indicator", full)
    vulnerability = only("vulnerability", full)
    assert vulnerability["external_references"] == [
        {"source_name": "cve", "external_id": "CVE-2021-44228"}
    ]
    assert only("sighting", full)["sighting_of_ref"] == vulnerability["id"]
    for_misp = stix.objects(told, profile=Profile.MISP)
    assert only("sighting", for_misp)["sighting_of_ref"] == only("indicator", for_misp)["id"]


def test_a_package_is_software_and_its_purl_a_reference() -> None:
    told = put("purl", "pkg:npm/%40scope/left@1.0.0")
    assert told.pattern == "[software:name = '@scope/left' AND software:version = '1.0.0']"
    assert told.references == (
        {"source_name": "purl", "external_id": "pkg:npm/%40scope/left@1.0.0"},
    )


def test_who_produces_it_is_named() -> None:
    objects = stix.objects(campaign(), Producer("CERT-X"))
    names = {one["id"]: one["name"] for one in of("identity", objects)}
    assert names[only("campaign", objects)["created_by_ref"]] == "CERT-X"


def test_no_campaign_is_an_empty_bundle() -> None:
    assert json.loads(stix.bundle([])).keys() == {"type", "id"}
