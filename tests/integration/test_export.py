"""What is told on the topic is in the feed, and on the server, while it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from pipeline.campaign.campaign import Campaign
from pipeline.share.outward import named
from pipeline.share.tlp import Tlp
from pipeline.shell.processes import Child, until
from tests.integration.conftest import Broker
from tests.misp_server import KEY, Misp, serving
from tests.unit.test_stix import AT, campaign, seen

pytestmark = pytest.mark.kafka


def test_a_feed_of_an_alliance_follows_its_topic(broker: Broker, tmp_path: Path) -> None:
    broker.create("allied.alliance.v4", 1)
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce("allied.alliance.v4", msgspec.json.encode(campaign()), campaign().id.encode())
    assert producer.flush(20) == 0
    environment = {
        "SIGHTLINE_BROKER": broker.bootstrap,
        "SIGHTLINE_TOPIC_PREFIX": "allied.",
        "SIGHTLINE_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
    }
    out = tmp_path / "feed"
    follow = ("--out", str(out), "--to", "alliance:v4", "--follow")
    with Child("-m", "pipeline", "export", "--format", "misp", *follow, environment=environment):
        event = named("event", campaign().id)
        until((out / f"{event}.json").exists, "it is in the feed")
        until((out / "manifest.json").exists, "and listed")
        until(lambda: "alliance:v4" in (tmp_path / "audit.jsonl").read_text(), "and written down")


def test_a_feed_and_a_server_follow_the_topic(broker: Broker, tmp_path: Path) -> None:
    broker.create("export.campaigns", 1)
    producer = Producer({"bootstrap.servers": broker.bootstrap})

    def tell(key: str, value: bytes | None) -> None:
        producer.produce("export.campaigns", value, key.encode())
        assert producer.flush(20) == 0

    def revise(one: Campaign) -> None:
        tell(one.id, msgspec.json.encode(one))

    def listed() -> dict[str, Any]:
        manifest = tmp_path / "feed" / "manifest.json"
        return json.loads(manifest.read_bytes()) if manifest.exists() else {}

    a, b, red = campaign(), campaign(id="b"), campaign(id="red", tlp=Tlp.RED)
    event_a, event_b = named("event", a.id), named("event", b.id)
    revise(a)
    revise(red)
    tell("x", b"no campaign")
    (tmp_path / "key").write_text(KEY)
    environment = {"SIGHTLINE_BROKER": broker.bootstrap, "SIGHTLINE_TOPIC_PREFIX": "export."}
    environment["SIGHTLINE_AUDIT_LOG"] = str(tmp_path / "audit" / "audit.jsonl")
    feeding = (
        "-m",
        "pipeline",
        "export",
        "--format",
        "misp",
        "--out",
        str(tmp_path / "feed"),
        "--to",
        "*",
    )
    server = Misp()
    with serving(server) as url:
        pushing = (
            "-m",
            "pipeline",
            "push",
            "--server",
            url,
            "--key-file",
            str(tmp_path / "key"),
            "--to",
            "*",
        )
        with (
            Child(*pushing, "--follow", environment=environment) as push,
            Child(*feeding, "--follow", environment=environment) as feed,
        ):
            until(lambda: event_a in listed() and event_a in server.events, "the first is there")
            before = listed()[event_a]["timestamp"]
            revise(b)
            grown = (*a.sightings, seen("br-uni", "BR", AT, AT + 99_000))
            revise(campaign(sightings=grown, countries=("BR", "CZ", "KE"), last_seen=AT + 99_000))
            until(lambda: listed().get(event_a, {}).get("timestamp", 0) > before, "it has grown")
            until(lambda: event_b in listed() and event_b in server.events, "the second is there")
            tell(b.id, None)
            until(lambda: event_b not in listed(), "the second is erased")
            until(lambda: event_b not in server.events, "and on the server")
            until(lambda: "BR" in server.events[event_a]["info"], "it has grown on the server")
            assert "no campaign" in feed.tail()
            assert KEY not in feed.tail() + push.tail()
            assert feed.stop() == 0
            assert push.stop() == 0
        files = {path: path.read_bytes() for path in (tmp_path / "feed").glob("[!.]*")}
        assert {path.name for path in files} == {
            *("manifest.json", "hashes.csv", f"{event_a}.json")
        }
        with Child(*feeding, "--follow", environment=environment) as feed:
            until(lambda: "0 events written" in feed.tail(), "it has read all of it again")
        assert files == {path: path.read_bytes() for path in (tmp_path / "feed").glob("[!.]*")}
    assert set(server.events) == {event_a}
    log = [json.loads(line) for line in (tmp_path / "audit" / "audit.jsonl").open()]
    assert {(one["action"], one["facts"]["way"]) for one in log} == {
        ("published", "misp-feed"),
        ("pushed", "misp"),
    }
