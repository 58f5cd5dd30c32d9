"""A sensor joins: one command, one file, one command there; and is told what came of it.

On a Kafka with TLS, logins and access control; not collected where there is none.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.alert import alert
from pipeline.geo import Geo
from pipeline.shell import files, observe
from pipeline.shell.kafka_install import missing_for_kafka
from pipeline.shell.offline import OfflineRun
from pipeline.shell.processes import Child, until
from tests.integration.rules import THREE_COUNTRIES
from tests.integration.secured import PREFIX, Secured, secured

pytestmark = pytest.mark.kafka

LINES = 300
COMMON = 20
"""Addresses that every sensor sees."""
ORGANISATIONS = {"cz-nren": "CZ", "ke-bank": "KE", "br-uni": "BR"}
DAMAGED = b'{"timestamp": "2025-01-31T10:00:00Z", "event_type": "flow", "src_ip": "no address"}\n'


def log_of(organisation: str) -> bytes:
    """EVE: some addresses that all see, and some that this one sees alone."""
    own = sorted(ORGANISATIONS).index(organisation) + 1
    lines = []
    for n in range(LINES):
        source = f"198.0.0.{n + 1}" if n < COMMON else f"198.{own}.{n >> 8}.{n & 255}"
        lines.append(
            {
                "timestamp": f"2025-01-31T10:{n % 50:02}:{n // 50:02}+0000",
                "event_type": "flow",
                "src_ip": source,
                "src_port": 1024 + n,
                "dest_ip": "9.9.9.9",
                "dest_port": 22,
                "proto": "TCP",
            }
        )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


class TestJoining:
    __test__ = not missing_for_kafka()

    def test_a_sensor_joins_sends_and_sees_what_came_of_it(self, tmp_path: Path) -> None:
        with secured(tmp_path) as kafka:
            for name in ("cz-nren", "ke-bank"):
                kafka.sightline("sensor", "add", name, "--country", ORGANISATIONS[name])
            for role in ("worker", "reader"):
                kafka.sightline("principal", "add", role, "one")
            rules = tmp_path / "rules.yml"
            rules.write_text(THREE_COUNTRIES)
            worker = replace(
                kafka.settings("worker", "one"), metrics_port=0, rules=str(rules),
                checkpoint_interval="500ms",
            )  # fmt: skip
            log = tmp_path / "worker.log"
            with Child("-m", "pipeline", "worker", environment=worker.environment(), log=log):
                self.ship(kafka, "cz-nren")
                self.ship(kafka, "ke-bank")
                # Joins while the worker runs, which nobody restarts.
                kafka.sightline("sensor", "add", "br-uni", "--country", "BR")
                self.ship(kafka, "br-uni", DAMAGED + log_of("br-uni"))
                self.ship(kafka, "br-uni", DAMAGED + log_of("br-uni"))  # harmless, and counted
                self.alerts_are_those_of_an_offline_run(kafka, rules)
                self.everyone_is_told(kafka)
            assert "ended with status" not in log.read_text()
            bundles = list((tmp_path / "handover").rglob("join.toml"))
            assert len(bundles) == len(ORGANISATIONS)
            for bundle in bundles:
                assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
                (password,) = [
                    line.split('"')[1]
                    for line in bundle.read_text().splitlines()
                    if line.startswith("password")
                ]
                assert not any(password in said for said in kafka.said)

    def ship(self, kafka: Secured, organisation: str, content: bytes = b"") -> None:
        """With the bundle and a log in an otherwise empty folder, as on the sensor."""
        there = kafka.folder / "there" / organisation
        there.mkdir(parents=True, exist_ok=True)
        bundle = kafka.folder / "handover" / f"{PREFIX}sensor-{organisation}-1" / "join.toml"
        shutil.copy2(bundle, there / "join.toml")
        (there / "eve.json").write_bytes(content or log_of(organisation))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE_")}
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "ship", "--join", "join.toml", "--state", "state",
             "eve.json"],
            cwd=there, env=environment | {"HOME": str(there)}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"{LINES} events acknowledged" in done.stderr
        kafka.said += [done.stdout, done.stderr]

    def alerts_are_those_of_an_offline_run(self, kafka: Secured, rules: Path) -> None:
        reader = kafka.settings("reader", "one")

        def found() -> list[observe.AlertKey]:
            seen = observe.final(asyncio.run(observe.alerts(reader)))
            return seen if len(seen) == COMMON else []

        alerts = until(found, "the alerts are raised", 60)
        registry = files.registry_of(kafka.sensors, PREFIX)

        async def events() -> list[bytes]:
            return [
                line
                for topic in registry.topics(PREFIX)
                async for value in observe.read_topic(kafka.admin(), topic)
                for line in value.splitlines()
            ]

        run = OfflineRun(registry, files.rules_of(rules), reader.lateness_ms)
        episodes = run.episodes(asyncio.run(events()), lambda *_: None)
        assert alerts == sorted(observe.key(alert(episode, Geo())) for episode in episodes)

    def everyone_is_told(self, kafka: Secured) -> None:
        config = kafka.folder / "handover" / f"{PREFIX}reader-one" / "sightline.toml"
        sent = {"cz-nren-1": LINES, "ke-bank-1": LINES, "br-uni-1": 2 * LINES}

        def told() -> list[dict[str, object]]:
            lines = kafka.sightline("sensor", "status", "--json", "--config", str(config))
            found = [json.loads(line) for line in lines.splitlines()]
            return found if {one["sensor"]: one["read"] for one in found} == sent else []

        for one in until(told, "all that was read is told", 30):
            assert (one["taken"], one["rejected"], one["late"]) == (one["read"], {}, 0)
            twice = 0.5 if one["sensor"] == "br-uni-1" else 0
            assert (one["alerts"], one["duplicate_share"]) == (COMMON, twice)
            assert one["last_event"] == 1738320545000  # 10:49:05
        said = kafka.sightline("sensor", "status", "br-uni-1", "--config", str(config))
        assert f"your data helped find {COMMON} alerts and 0 campaigns" in said
