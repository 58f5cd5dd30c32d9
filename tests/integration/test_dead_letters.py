"""Dead letters are read, mended and sent in again, by the command line, on a real broker."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pipeline.shell import observe
from pipeline.shell.ports import free_port
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline
from tests.integration.rules import THREE_COUNTRIES
from tests.unit import inside

pytestmark = pytest.mark.kafka

NOON = 1_767_268_800_000
SENSORS = """
[[organisation]]
id = "a"
country = "CZ"
name = "A"
[[organisation.sensor]]
id = "a-1"
[[organisation]]
id = "b"
country = "AT"
name = "B"
[[organisation.sensor]]
id = "b-1"
[[organisation]]
id = "c"
country = "KE"
name = "C"
[[organisation.sensor]]
id = "c-1"
"""
NEW_SENSOR = '[[organisation.sensor]]\nid = "c-2"\n'


def event(sensor: str, ip: str = "198.41.0.4") -> bytes:
    return json.dumps(
        {
            "time": NOON,
            "metadata": {"uid": "u"},
            "device": {"uid": sensor},
            "src_endpoint": {"ip": ip},
        }
    ).encode()


class Setting:
    def __init__(self, broker: Broker, folder: Path) -> None:
        self.sensors, rules = folder / "sensors.toml", folder / "rules.yml"
        self.sensors.write_text(SENSORS)
        rules.write_text(THREE_COUNTRIES)
        self.pipeline = Pipeline(broker.bootstrap, f"{folder.name}.", rules, self.sensors)
        self.pipeline.create_topics()

    def topic(self, party: str) -> str:
        return self.pipeline.settings.topic(f"events.{party}")

    def dead_letters(self, *arguments: str) -> str:
        done = inside.sightline(
            "dead-letters", *arguments,
            cwd=self.sensors.parent, environment=self.pipeline.settings.environment(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def listed(self, *arguments: str) -> list[dict[str, object]]:
        return [
            json.loads(line)
            for line in self.dead_letters("list", "--json", *arguments).splitlines()
        ]


def adds_up(seen: dict[str, float]) -> bool:
    return seen["sightline_events_received_total"] == (
        seen["sightline_events_correlated_total"]
        + seen["sightline_events_without_indicators_total"]
        + seen.get("sightline_events_rejected_total", 0)
        + seen["sightline_events_late_total"]
    )


def test_a_letter_comes_back_as_an_alert_once_its_cause_is_mended(
    broker: Broker, tmp_path: Path
) -> None:
    setting = Setting(broker, tmp_path)
    pipeline = setting.pipeline
    port = free_port()
    with pipeline.worker(metrics_port=port):
        pipeline.produce(
            [
                (setting.topic("cz.a"), event("a-1")),
                (setting.topic("at.b"), b"[" + event("b-1") + b",{}]"),
                (
                    setting.topic("ke.c"),
                    b"[" + event("c-1", "198.41.0.9") + b"," + event("c-2") + b"]",
                ),
            ]
        )
        pipeline.caught_up()
        before = observe.metrics(port)
    assert adds_up(before)
    assert before["sightline_events_rejected_total"] == 2
    assert pipeline.alerts() == []

    (letter,) = setting.listed("--organisation", "c")
    assert (letter["reason"], letter["event"]) == ("unknown-sensor", json.loads(event("c-2")))
    place = str(letter["letter"])
    assert "unknown-sensor" in setting.dead_letters("summary")
    assert "c-2" in setting.dead_letters("show", place)
    # Nothing is mended yet: it would be rejected again.
    assert "0 sent" in (said := setting.dead_letters("resend", place, "--yes"))
    assert "still unknown-sensor" in said

    setting.sensors.write_text(SENSORS + NEW_SENSOR)
    assert "1 would be sent" in setting.dead_letters("resend", "--reason", "unknown-sensor")
    assert "1 sent" in setting.dead_letters("resend", "--reason", "unknown-sensor", "--yes")
    assert "0 sent" in setting.dead_letters("resend", "--reason", "unknown-sensor", "--yes")
    assert setting.listed("--reason", "unknown-sensor") == []
    (settled,) = setting.listed("--reason", "unknown-sensor", "--all")
    assert settled == letter | {"settled": True}

    port = free_port()
    with pipeline.worker(metrics_port=port):
        pipeline.caught_up()
        after = observe.metrics(port)
    ((_, _, value, _, _, countries, _),) = pipeline.alerts()
    assert (value, countries) == ("198.41.0.4", ("AT", "CZ", "KE"))
    assert adds_up(after)
    assert after["sightline_events_received_total"] == 1
    assert after["sightline_events_resent_total"] == 1
    assert after["sightline_events_correlated_total"] == 1


def test_what_is_rejected_again_is_seen_and_does_not_go_round(
    broker: Broker, tmp_path: Path
) -> None:
    setting = Setting(broker, tmp_path)
    pipeline = setting.pipeline
    with pipeline.worker():
        pipeline.produce([(setting.topic("ke.c"), b"\x1b[31m\xff\n{")])
        pipeline.caught_up()
        (first,) = setting.listed()
        assert "bytes" in first
        assert "0 sent" in setting.dead_letters("resend", "--reason", "not-json", "--yes")
        assert "1 sent" in setting.dead_letters(
            "resend", "--reason", "not-json", "--yes", "--insist"
        )
        pipeline.caught_up()
    (again,) = setting.listed()
    assert (again["resent"], again["bytes"]) == (1, first["bytes"])
    assert again["letter"] != first["letter"]
    said = setting.dead_letters("resend", "--reason", "not-json", "--yes")
    assert "0 sent" in said
    assert "1 held back: rejected again" in said
    shown = setting.dead_letters("list", "--all")
    assert "rejected after 1×" in shown
    assert "\x1b" not in shown + setting.dead_letters("show", str(again["letter"]))


def test_events_are_mended_in_an_export_and_sent(broker: Broker, tmp_path: Path) -> None:
    setting = Setting(broker, tmp_path)
    pipeline = setting.pipeline
    out = tmp_path / "letters.jsonl"
    with pipeline.worker():
        pipeline.produce(
            [
                (setting.topic("cz.a"), event("a-1")),
                (setting.topic("at.b"), event("b-1")),
                (setting.topic("ke.c"), event("c-1").replace(b'"time"', b'"tyme"')),
            ]
        )
        pipeline.caught_up()
        setting.dead_letters("export", "--out", str(out), "--reason", "schema")
        assert out.stat().st_mode & 0o777 == 0o600
        out.write_text(out.read_text().replace("tyme", "time"))
        assert "1 would be sent" in setting.dead_letters("resend", "--from", str(out))
        assert "1 sent" in setting.dead_letters("resend", "--from", str(out), "--yes")
        pipeline.caught_up()
    assert len(pipeline.alerts()) == 1
    assert setting.listed() == []
    assert "0 sent" in setting.dead_letters("resend", "--from", str(out), "--yes")
    # Nobody is made to write to another topic than those of the registry.
    forged = json.loads(out.read_text()) | {"topic": pipeline.settings.topic("alerts"), "key": "x"}
    out.write_text(json.dumps(forged))
    said = setting.dead_letters("resend", "--from", str(out), "--yes", "--insist")
    assert "1 held back: from a topic that is not in the registry" in said
    assert len(asyncio.run(observe.alerts(pipeline.settings))) == 1
