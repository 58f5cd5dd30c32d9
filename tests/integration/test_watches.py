"""Partners' indicators on a real broker: seen by a sensor, before or after they were shared."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.alert import Alert
from pipeline.shell import observe
from pipeline.shell.processes import until
from pipeline.watch import WATCHED
from tests.integration.conftest import MISSING, Broker
from tests.integration.faults import stage
from tests.integration.harness import Pipeline
from tests.integration.test_taxii import indicator

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason="the embedded broker forgets, and restarts nothing"),
]
RULES = Path(__file__).parents[2] / "deploy" / "rules"
SENSORS = """
[[organisation]]
id = "cz-nren"
country = "CZ"
name = "Czech research network"
[[organisation.sensor]]
id = "cz-1"
[[organisation]]
id = "ke-bank"
country = "KE"
name = "A bank in Kenya"
[[organisation.sensor]]
id = "ke-1"
"""
BEFORE, AFTER, NOBODY = "218.237.65.47", "199.7.83.42", "192.33.4.12"


class Watchers:
    """What an operator does, and sees."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.count = 0

    def intel(self, *arguments: str) -> str:
        return self.run("intel", *arguments)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            env=os.environ | self.pipeline.settings.environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def event(self, sensor: str, address: str) -> None:
        self.count += 1
        event = {
            "time": time.time_ns() // 1_000_000,
            "metadata": {"uid": f"{sensor}-{self.count}"},
            "device": {"uid": sensor},
            "src_endpoint": {"ip": address},
        }
        self.pipeline.produce([(self.pipeline.topic_of[sensor], json.dumps(event).encode())])

    def alerts(self) -> list[Alert]:
        told = asyncio.run(observe.alerts(self.pipeline.settings))
        return [one for one in told if one.finding_info.analytic.uid == WATCHED.uid]

    def alert(self, address: str, what: str, **wanted: Any) -> Alert:
        """Wait until the newest revision on a watched address says so."""

        def found() -> Alert | None:
            newest = {one.observables[0].value: one for one in self.alerts()}.get(address)
            if newest is None:
                return None
            said = {"activity_id": newest.activity_id, "countries": newest.unmapped.countries}
            return newest if said.items() >= wanted.items() else None

        one = until(found, what, 60)
        assert one is not None
        return one


def test_a_sensor_sees_what_a_partner_shared(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sensors = tmp_path / "sensors.toml"
    sensors.write_text(SENSORS)
    pipeline = Pipeline(
        broker.bootstrap, "watches.", RULES, sensors, source_idle_after="10m",
        audit_log=str(tmp_path / "audit.jsonl"),
    )  # fmt: skip
    pipeline.create_topics()
    watchers = Watchers(pipeline)
    with pipeline.worker(log=tmp_path / "worker") as worker:
        watchers.event("cz-1", BEFORE)
        watchers.intel("add", "ip", AFTER, "--source", "CERT-X", "--tlp", "GREEN", "--pap", "RED")
        watchers.event("cz-1", AFTER)
        seen = watchers.alert(AFTER, "a watched address is seen", countries=("CZ",))
        said = seen.unmapped.watch
        assert said
        assert (said.source, said.tlp, said.pap) == ("CERT-X", "GREEN", "RED")
        assert (seen.unmapped.tlp, seen.unmapped.may_block) == ("AMBER+STRICT", False)
        assert seen.unmapped.organisations == ("cz-nren",)
        assert seen.message == "the ip that CERT-X shared seen by 1 organisation in CZ"

        bundle = tmp_path / "bundle.json"
        shared = [indicator(n) | {"pattern": f"[ipv4-addr:value = '{value}']"} for n, value in
                  enumerate((BEFORE, NOBODY, "10.0.0.1"))]  # fmt: skip
        bundle.write_text(json.dumps({"type": "bundle", "objects": shared}))
        told = watchers.intel("import", str(bundle), "--source", "CERT-Y")
        assert told == "2 new, 0 changed, 0 withdrawn, 0 as before\n"
        reverse = watchers.alert(BEFORE, "what was seen before is told", countries=("CZ",))
        assert reverse.message == "the ip that CERT-Y shared seen by 1 organisation in CZ"

        os.kill(stage(worker, "campaign"), signal.SIGKILL)
        watchers.event("ke-1", AFTER)
        grown = watchers.alert(AFTER, "another country sees it", countries=("CZ", "KE"))
        assert grown.finding_info.uid == seen.finding_info.uid
        assert grown.finding_info.first_seen_time == seen.finding_info.first_seen_time

        shared[0] |= {"revoked": True, "modified": "2026-03-02T12:00:00Z"}
        bundle.write_text(json.dumps({"type": "bundle", "objects": shared}))
        told = watchers.intel("import", str(bundle), "--source", "CERT-Y")
        assert told == "0 new, 0 changed, 1 withdrawn, 1 as before\n"
        watchers.alert(BEFORE, "its alert is closed", activity_id=3)
        created = Counter(one.finding_info.uid for one in watchers.alerts() if one.activity_id == 1)
        assert set(created.values()) == {1}
    assert [line.split()[2] for line in watchers.intel("list").splitlines()] == [AFTER, NOBODY]

    uid = grown.finding_info.uid
    told = watchers.run("explain", uid)
    assert "by no rule: CERT-X shared it (TLP:GREEN" in told
    assert "  CZ  " in told
    assert "  KE  " in told
    assert told.count("events.") == 2
    packed = str(tmp_path / "pack")
    watchers.run("evidence", "pack", uid, "--out", packed)
    assert f"{uid}: the same: sha256 " in watchers.run("evidence", "rerun", packed)
