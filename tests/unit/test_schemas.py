"""The schemas say what the types say, and what we write is valid OCSF."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from pipeline import alert, dead_letter, watch
from pipeline.benign import NOTHING_LISTED
from pipeline.decode import Reason, Rejection, decode
from pipeline.episode import Change, Episode
from pipeline.event import Event
from pipeline.geo import Geo
from pipeline.indicator import indicators
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.registry import read_registry
from pipeline.rule import Level, Rule
from pipeline.rule_file import read_rules
from pipeline.share.alliance import Alliance, Extender, Member
from pipeline.share.tlp import Pap, Tlp
from pipeline.shell import schemas, topics
from pipeline.shell.alliances import folder
from pipeline.shell.files import carried, read_text
from pipeline.shell.settings import Settings
from pipeline.sight import Group, Sightings, encode
from pipeline.watch import Seen, Watch, may_block, watch_alert

OCSF = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0"))
DETECTION_FINDING = jsonschema.Draft202012Validator(OCSF.get_class_schema("detection_finding"))
EXAMPLES = sorted((schemas.FOLDER / "examples").glob("*.json"))
CLASSES = {
    1001: "file_activity",
    1007: "process_activity",
    2002: "vulnerability_finding",
    2004: "detection_finding",
    3002: "authentication",
    4001: "network_activity",
    4002: "http_activity",
    4003: "dns_activity",
    4007: "ssh_activity",
}
YIELDS = {
    "network": {("ip", "198.41.0.4")},
    "dns": {("ip", "198.41.0.4"), ("domain", "xn--bcher-kva.example")},
    "http": {
        ("ip", "198.41.0.4"),
        ("domain", "login.example.com"),
        ("url", "http://login.example.com/a?b=c"),
        ("user_agent", "curl/8.5.0"),
    },
    "tls": {
        ("ip", "198.41.0.4"),
        ("domain", "c2.example.net"),
        ("ja3", "e7d705a3286e19ea42f587b344ee6865"),
        ("ja4", "t13d1516h2_8daaf6152771_02713d6af862"),
    },
    "ssh": {("ip", "198.41.0.4"), ("hassh", "06046964c022c6407d15a27b12a6a4fb")},
    "authentication": {
        ("ip", "198.41.0.4"),
        (
            "credential",
            "sha256:0f5b1d0c6d3a8b2b4f1f0f9a1b7f3c0f5c1c9f5a2f7a9b6c7d8e9f0a1b2c3d4e",
        ),
    },
    "file": {
        ("url", "http://files.example.org/x.sh"),
        ("sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("md5", "d41d8cd98f00b204e9800998ecf8427e"),
    },
    "process": {("ip", "198.41.0.4")},  # the command is none
    "vulnerability": {
        ("cve", "CVE-2021-44228"),
        ("purl", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"),
    },
    "observables": {
        ("ip", "198.41.0.4"),
        ("domain", "c2.example.net"),
        ("sha1", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("cve", "CVE-2024-3094"),
    },
}


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((schemas.FOLDER / name).read_text("utf-8"))
    return document


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """Of a schema that is itself a valid one: to find that out takes longer than all that it is for."""
    of = schema(name)
    jsonschema.Draft202012Validator.check_schema(of)
    return jsonschema.Draft202012Validator(of)


def valid(value: Any, name: str) -> bool:
    return validator(name).is_valid(value)


def test_the_files_are_what_the_types_say() -> None:
    assert schemas.main(["--check"]) == 0


def test_a_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)
    assert schemas.main(["--check"]) == 1
    assert schemas.main([]) == 0
    assert schemas.main(["--check"]) == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_valid_and_yields_its_indicators(path: Path) -> None:
    raw = path.read_bytes()
    document = json.loads(raw)
    profiles = document["metadata"]["profiles"]
    # Without `jsonschema.validate`: that OCSF's schema is itself one takes a second to find.
    of_class = OCSF.get_class_schema(CLASSES[document["class_uid"]], profiles=profiles)
    jsonschema.Draft202012Validator(of_class).validate(document)
    assert valid(document, "event.json")
    (event,) = decode(raw)
    assert isinstance(event, Event)
    found, uncanonical = indicators(event)
    assert set(found) == YIELDS[path.stem]
    assert uncanonical == 0


def test_there_is_an_example_of_each() -> None:
    assert {path.stem for path in EXAMPLES} == set(YIELDS)
    assert {kind for found in YIELDS.values() for kind, _ in found} == set(INDICATOR_TYPES)


class Somewhere:
    def get(self, ip_address: str, /) -> Any:
        return {"country_code": "AU", "autonomous_system_number": 64496}


@pytest.mark.parametrize("kind", INDICATOR_TYPES)
@pytest.mark.parametrize("change", Change)
@pytest.mark.parametrize(
    "geo", [Geo(), Geo(Somewhere(), Somewhere())], ids=["nowhere", "somewhere"]
)
def test_every_alert_is_a_detection_finding(kind: str, change: Change, geo: Geo) -> None:
    rule = Rule(
        "5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10", "A rule", Level.HIGH, kind, 60_000, "country", 3
    )
    into = "3f0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10" if change is Change.MERGED else None
    episode = Episode("u", rule, "8.8.8.8", change, 1, 2, ("AT", "CZ", "DE"), ("a", "b"), into)
    encoded = alert.encode(alert.alert(episode, geo))
    document = json.loads(encoded)
    DETECTION_FINDING.validate(document)
    validator("alert.json").validate(document)
    assert document["unmapped"].get("merged_into") == into
    known = kind == "ip" and geo.origin("8.8.8.8") is not None
    assert (document["unmapped"]["origin"] is not None) == known


def test_a_dead_letter_is_valid() -> None:
    letter = dead_letter.dead_letter(Rejection(Reason.SCHEMA, "why", b"\xff{"), "t", 1, 2, 0, 3)
    encoded = dead_letter.encode(letter)
    validator("dead-letter.json").validate(json.loads(encoded))
    assert dead_letter.decode(encoded) == letter


def test_a_record_of_sightings_is_valid() -> None:
    record = Sightings("t/0", "o", "CZ", 5, 6, [Group("ip", ["8.8.8.8"], [1], [2])])
    document = msgspec.msgpack.decode(encode(record))
    validator("sightings.json").validate(document)


REGISTRY = {"organisation": [{"id": "a", "country": "CZ", "name": "A", "sensor": [{"id": "s"}]}]}


def toml(value: Any) -> str:
    """A registry as TOML, with in-line tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(of)}" for key, of in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("path", "value", "good"),
    [
        ((), None, True),
        (("organisation", 0, "id"), "B_", False),
        (("organisation", 0, "id"), "", False),
        (("organisation", 0, "country"), "XX", False),
        (("organisation", 0, "country"), "cz", False),
        (("organisation", 0, "sector"), "research", True),
        (("organisation", 0, "sectr"), "research", False),
        (("organisation", 0, "sensor", 0, "country"), "SK", True),
        (("organisation", 0, "sensor", 0, "id"), 5, False),
        (("organisation",), [], False),
    ],
)
def test_registry_schema_and_parser_agree(path: tuple[Any, ...], value: Any, good: bool) -> None:
    document = json.loads(json.dumps(REGISTRY))
    if path:
        at = document
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
    text = "\n".join(f"{key} = {toml(of)}" for key, of in document.items())
    assert (not read_registry(text)[1]) == good == valid(document, "registry.json")


CORRELATION = {
    "type": "value_count",
    "rules": ["any_event"],
    "group-by": ["ip"],
    "timespan": "1h",
    "condition": {"field": "country", "gte": 3},
}
RULE = {
    "title": "t",
    "id": "5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10",
    "level": "medium",
    "correlation": CORRELATION,
}


@pytest.mark.parametrize(
    ("path", "value", "good"),
    [
        ((), None, True),
        (("level",), "urgent", False),
        (("id",), "x", False),
        (("correlation", "type"), "event_count", False),
        (("correlation",), dict(CORRELATION, type="event_count", condition={"gte": 1000}), True),
        (("correlation",), dict(CORRELATION, type="event_count", condition={"gte": 1001}), False),
        (("correlation",), dict(CORRELATION, type="temporal"), False),
        (("correlation", "condition"), {"field": "origin_as", "gte": 3, "countries_gte": 2}, True),
        (("correlation", "condition"), {"field": "country", "gte": 3, "countries_gte": 2}, False),
        (("correlation", "rules"), "any_event", True),
        (("correlation", "group-by"), ["ip", "url"], False),
        (("correlation", "group-by"), ["port"], False),
        (("correlation", "timespan"), "1w", False),
        (("correlation", "condition"), {"field": "country", "gt": 2}, True),
        (("correlation", "condition"), {"field": "country", "gt": 2, "gte": 3}, False),
        (("correlation", "condition"), {"field": "city", "gte": 3}, False),
        (("correlation", "condition"), {"field": "organisation", "gte": 0}, False),
    ],
)
def test_rule_schema_and_parser_agree(path: tuple[str, ...], value: Any, good: bool) -> None:
    document = json.loads(json.dumps(RULE))
    if path:
        at = document
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
    assert (not read_rules(yaml.safe_dump(document), "r.yml")[1]) == good
    assert valid(document, "rule.json") == good


def test_what_is_carried_is_valid() -> None:
    of_rules = schema("rule.json")
    jsonschema.Draft202012Validator.check_schema(of_rules)
    rules = jsonschema.Draft202012Validator(of_rules)
    for path in sorted(carried("rules").glob("*.yml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            rules.validate(document)


_OF_MANY = (
    (r"events\.[^.]+\..+", "events.{country}.{organisation}"),
    (r"notify\..+", "notify.{csirt}"),
    (r"feed\..+", "feed.{subscriber}"),
    (r"replies\..+", "replies.{csirt}"),
    (r"alliance\.[^.]+", "alliance.{alliance}"),
    (r"alliance\.[^.]+\.counts", "alliance.{alliance}.counts"),
)


def test_asyncapi_names_every_topic_and_resolves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an installation, and of an exercise, that have all that a topic can be made for."""
    (tmp_path / "directory.toml").write_text(
        '[[csirt]]\nid = "cz"\nname = "CZ"\ncountry = "CZ"\nrole = "national"\n'
    )
    (tmp_path / "delivery.toml").write_text(
        '[[subscriber]]\nid = "soc"\nsees = "*"\ntopic = true\n'
    )
    v4 = Alliance("v4", 1, 0, (Member("CZ"),), (Extender("x", "k"),))
    monkeypatch.setattr(folder, "read", lambda _: folder.Read({"v4": [v4]}, {}))
    here = Settings(
        directory=str(tmp_path / "directory.toml"), delivery=str(tmp_path / "delivery.toml")
    )
    drill = msgspec.structs.replace(here, lane="exercise", topic_prefix="exercise.drill-1.")
    document = yaml.safe_load((schemas.FOLDER / "asyncapi.yaml").read_text("utf-8"))
    registry, _ = read_registry(read_text(carried("marx", "sensors.toml")))
    assert registry is not None
    channels = {channel["address"]: channel for channel in document["channels"].values()}
    names = set()
    for wanted in (*topics.wanted(registry, here), *topics.wanted(registry, drill)):
        name = wanted.name.removeprefix(drill.topic_prefix)
        name = next((of for pattern, of in _OF_MANY if re.fullmatch(pattern, name)), name)
        names.add(name)
        kafka = channels[name].get("bindings", {}).get("kafka", {})
        policy = kafka.get("topicConfiguration", {}).get("cleanup.policy", ["delete"])
        assert policy == [wanted.config.get("cleanup.policy", "delete")]
    assert names == set(channels)
    for channel in document["channels"].values():
        for message in channel["messages"].values():
            if "payload" in message:
                assert (schemas.FOLDER / message["payload"]["$ref"]).is_file()
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]


@pytest.mark.parametrize("kind", INDICATOR_TYPES)
def test_a_watch_alert_is_a_detection_finding(kind: str) -> None:
    shared = Watch("w", kind, "v", "CERT-X", pap=Pap.GREEN, confidence=40)  # type: ignore[arg-type]
    seen = Seen()
    seen.note(1_000, "CZ", "cz-nren", (Tlp.GREEN, Pap.CLEAR))
    seen.last = 2_000
    told = watch_alert(shared, seen, Change.OPENED, NOTHING_LISTED, Geo())
    document = json.loads(alert.encode(told))
    DETECTION_FINDING.validate(document)
    schema = json.loads((schemas.FOLDER / "alert.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["severity_id"] == 2
    assert document["unmapped"]["may_block"] is True
    assert document["unmapped"]["tlp"] == "AMBER+STRICT"  # the partner said nothing
    watch_schema = json.loads((schemas.FOLDER / "watch.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(watch_schema).validate(json.loads(watch.encode(shared)))


@pytest.mark.parametrize("pap", Pap)
def test_what_may_not_be_acted_on_drives_no_block(pap: Pap) -> None:
    assert may_block(pap) == (pap in {Pap.CLEAR, Pap.GREEN})
