"""Others' validators and importers read what we write, whatever attackers wrote.

INTERCHANGE=1000 tries as many campaigns (`make interchange`); by default fewer, as OASIS's
validator takes an eighth of a second for each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import stix2
from misp_stix_converter import ExternalSTIX2toMISPParser
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from pymisp import MISPAttribute, MISPEvent
from pymisp.tools import feed_meta_generator
from stix2validator import ValidationOptions, validate_instance

from pipeline.campaign.campaign import Campaign
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.share import misp, ocsf, stix
from pipeline.share.outward import Producer
from pipeline.share.stix import Profile
from pipeline.share.tlp import Tlp
from pipeline.shell.export.misp_feed import Feed
from tests.campaigns import made

MANY = int(os.environ.get("INTERCHANGE", "32"))
SHARDS = 4
OCSF = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0"))
FINDING = jsonschema.Draft202012Validator(OCSF.get_class_schema("detection_finding", ["osint"]))


def shard(number: int) -> list[Campaign]:
    return [made(seed) for seed in range(number, MANY, SHARDS)]


def test_the_campaigns_have_everything_in_them() -> None:
    """Else the other tests would hold of less than they say."""
    campaigns = [made(seed) for seed in range(48)]
    members = [one for campaign in campaigns for one in campaign.indicators]
    assert {one.type for one in members} == set(INDICATOR_TYPES)
    for hostile in ("'", "\\", "\0", "\n", "\u2028", "😀"):
        assert any(hostile in one.value for one in members), repr(hostile)
    assert {campaign.tlp for campaign in campaigns} == set(Tlp)


@pytest.mark.parametrize("number", range(SHARDS))
def test_stix_is_valid(number: int) -> None:
    options = ValidationOptions(version="2.1")
    for campaign in shard(number):
        for profile in Profile if number == 0 else [Profile.FULL]:
            bundle = stix.bundle([campaign], profile=profile)
            errors = validate_instance(json.loads(bundle), options).errors
            assert not errors, (campaign.id, [str(error) for error in errors])
            parsed = stix2.parse(bundle.decode(), allow_custom=False)
            assert [one["id"] for one in parsed.objects] == ids(bundle)


def ids(bundle: bytes) -> list[str]:
    return [one["id"] for one in json.loads(bundle)["objects"]]


@pytest.mark.parametrize("number", range(SHARDS))
def test_misp_stix_keeps_the_label_and_a_sighting_of_each_country(number: int) -> None:
    for campaign in shard(number):
        event = imported(campaign)
        assert f"tlp:{campaign.tlp.lower()}" in {tag.name for tag in event.tags}
        attributes = [*event.attributes, *(a for one in event.objects for a in one.attributes)]
        assert countries(attributes) == set(campaign.countries)


def countries(attributes: Iterable[MISPAttribute]) -> set[str]:
    """Where their sightings are from."""
    sources = {one.to_dict()["source"] for each in attributes for one in each.sightings}
    return {source.rpartition(" in ")[2] for source in sources}


def imported(campaign: Campaign) -> MISPEvent:
    importer = ExternalSTIX2toMISPParser()
    bundle = stix.bundle([campaign], profile=Profile.MISP)
    importer.load_stix_bundle(stix2.parse(bundle.decode(), allow_custom=False))
    importer.parse_stix_bundle()
    assert not importer.errors
    assert isinstance(importer.misp_event, MISPEvent)
    return importer.misp_event


def test_the_feed_is_what_pymisp_makes_of_its_events(tmp_path: Path) -> None:
    campaigns = [made(seed) for seed in range(MANY)]
    shown = [one for one in campaigns if one.tlp != Tlp.RED]
    with Feed(tmp_path, Producer("CERT-X")) as feed:
        assert len(feed.update(campaigns)) == len(shown)
    listed = read(tmp_path / "manifest.json")
    hashes = sorted((tmp_path / "hashes.csv").read_text().splitlines())
    events = {path.stem: path for path in tmp_path.glob("*-*.json")}
    assert set(events) == set(listed)
    for uuid, path in events.items():
        event = MISPEvent()
        event.load_file(str(path))
        assert event.uuid == uuid
        assert (event.Orgc.name, event.published) == ("CERT-X", True)
        written = read(path)["Event"]
        assert plain(event.to_feed()["Event"]) == plain(written)
    feed_meta_generator(tmp_path)
    assert read(tmp_path / "manifest.json") == listed
    assert sorted((tmp_path / "hashes.csv").read_text().splitlines()) == hashes
    assert len(hashes) == sum(len(one["Attribute"]) for one in map(event_of, events.values()))


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """As a feed has it, without empty lists."""
    return {key: value for key, value in event.items() if value != []}


def event_of(path: Path) -> dict[str, Any]:
    event: dict[str, Any] = read(path)["Event"]
    return event


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def test_pymisp_reads_what_is_pushed() -> None:
    for campaign in shard(1):
        event = MISPEvent()
        event.load(misp.pushed(campaign))
        assert countries(event.attributes) == set(campaign.countries)


def test_ocsf_is_valid() -> None:
    for campaign in shard(0):
        finding = json.loads(ocsf.encode(ocsf.finding(campaign)))
        errors = [error.message for error in FINDING.iter_errors(finding)]
        assert not errors, (campaign.id, errors)
        assert finding["osint"][0]["tlp"] == campaign.tlp.replace("+", " ")


def test_no_credential_leaves_in_clear() -> None:
    leaky = [one for one in map(made, range(200)) if "hunter2" in str(one)]
    assert len(leaky) > 20
    for campaign in leaky:
        for profile in Profile:
            assert b"hunter2" not in stix.bundle([campaign], profile=profile)
        assert b"hunter2" not in misp.feed_event(campaign).content
        assert b"hunter2" not in ocsf.encode(ocsf.finding(campaign))
        # An analyst's name and ground stay at home, too.
        assert b"ann.analyst" not in stix.bundle([campaign])
        assert b"Bob" not in stix.bundle([campaign]) + misp.feed_event(campaign).content
