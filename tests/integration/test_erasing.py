"""After erasure no copy is found: not by readers, not in the broker's files, not in stores; what is
left goes on as before. Evidence comes from the same topics.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords

from pipeline.shell.held import holding
from pipeline.shell.processes import until
from pipeline.shell.ship.pack import Pack
from pipeline.shell.ship.spool import Spool
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline
from tests.integration.rules import THREE_COUNTRIES
from tests.integration.test_dead_letters import SENSORS
from tests.unit import inside

pytestmark = pytest.mark.kafka

NOON = 1_767_268_800_000
GONE, KEPT, DOMAIN = "198.41.0.4", "199.7.91.13", "c2.example.net"


def event(sensor: str, ip: str, after: int = 0, **more: object) -> bytes:
    return json.dumps(
        {
            "time": NOON + after,
            "metadata": {"uid": f"{sensor}-{ip}-{after}"},
            "device": {"uid": sensor},
            "src_endpoint": {"ip": ip},
        }
        | more
    ).encode()


class Setting:
    def __init__(self, broker: Broker, folder: Path) -> None:
        assert broker.directory is not None
        self.folder = folder
        self.files = broker.directory / "data"
        (folder / "sensors.toml").write_text(SENSORS)
        (folder / "rules.yml").write_text(THREE_COUNTRIES)
        self.pipeline = Pipeline(
            broker.bootstrap, f"{folder.name}.", folder / "rules.yml", folder / "sensors.toml",
            audit_log=str(folder / "audit.jsonl"), serve_store=str(folder / "serve.sqlite"),
        )  # fmt: skip
        self.pipeline.create_topics()

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = self.pipeline.settings.environment()
        environment["XDG_STATE_HOME"] = str(self.folder / "state")
        return inside.sightline(*arguments, cwd=self.folder, environment=environment)

    def topic(self, party: str) -> str:
        return self.pipeline.settings.topic(f"events.{party}")

    def work(self, messages: list[tuple[str, bytes]]) -> None:
        """Let workers do all that there is, and stop."""
        with self.pipeline.worker():
            self.pipeline.produce(messages)
            self.pipeline.caught_up(grouped=True)

    def on_disk(self) -> set[str]:
        """Topics of which a file of the broker holds it: in its bytes, or in what they unpack to."""
        prefix = self.pipeline.settings.topic_prefix
        found = set()
        for folder in self.files.glob(f"{prefix}*"):
            for path in folder.iterdir():
                try:
                    content = path.read_bytes()
                except FileNotFoundError:
                    continue
                parts = [content, *(_unpacked(content) if ".log" in path.name else ())]
                if any(_holds(part) for part in parts):
                    found.add(folder.name.removeprefix(prefix).rpartition("-")[0])
        return found


def _unpacked(content: bytes) -> Iterator[bytes]:
    records = MemoryRecords(content)
    while records.has_next():
        for record in records.next_batch():
            yield (record.key or b"") + b"\n" + (record.value or b"")


def _holds(content: bytes) -> bool:
    """In clear, or in base64 at whatever place in it: without what its neighbours have a part in."""
    text = GONE.encode()
    forms = (base64.b64encode(b"x" * n + text)[4 if n else 0 : -4] for n in range(3))
    return text in content or any(form in content for form in forms)


@pytest.fixture
def setting(broker: Broker, tmp_path: Path) -> Setting:
    if broker.kind != "kafka":
        pytest.fail("files are looked into: this needs a real Kafka")
    return Setting(broker, tmp_path)


def test_what_is_erased_is_nowhere_and_the_rest_goes_on(setting: Setting, broker: Broker) -> None:
    parties = {"a-1": "cz.a", "b-1": "at.b", "c-1": "ke.c"}
    seen = [
        (setting.topic(party), event(sensor, ip, n, query={"hostname": DOMAIN}))
        for sensor, party in parties.items()
        for n, ip in enumerate((GONE, KEPT))
    ]
    # As an IPv4-mapped address, in a field that is no indicator, and where it is rejected.
    seen += [
        (setting.topic("cz.a"), event("a-1", f"::ffff:{GONE}", 2)),
        (setting.topic("at.b"), event("b-1", KEPT, 3, message=f"from {GONE}:4711")),
        (setting.topic("ke.c"), event("nobody", GONE)),
        (setting.topic("ke.c"), event("somebody", KEPT)),
    ]
    setting.work(seen)
    before = setting.pipeline.alerts()
    alert = next(one for one in _alerts(setting) if one["observables"][0]["value"] == GONE)[
        "finding_info"
    ]["uid"]
    kept = [one for one in before if one[2] != GONE]
    assert {one[2] for one in before} == {GONE, KEPT, DOMAIN} & {one[2] for one in before}
    assert len(kept) < len(before)
    assert setting.on_disk() >= {
        "events.cz.a",
        "events.at.b",
        "events.ke.c",
        "sightings",
        "checkpoints",
        "alerts",
        "dead-letters",
    }

    # What waits to be sent, and evidence, which comes from the topics and verifies.
    made = setting("evidence", "pack", alert, "--out", "packs/one")
    assert made.returncode == 0, made.stderr
    assert setting("evidence", "rerun", "packs/one").returncode == 0
    (setting.folder / "state/sightline").mkdir(parents=True, exist_ok=True)
    spool = setting.folder / "state/sightline/ship-a-1.spool"
    spool.mkdir()
    Spool(spool, 1 << 20).put(Pack(event("a-1", GONE) + b"\n" + event("a-1", KEPT), 2, None))
    (setting.folder / "serve.sqlite").write_bytes(b"SQLite format 3\0" + GONE.encode())
    (setting.folder / "serve.sqlite.parts").mkdir()
    (setting.folder / "serve.sqlite.parts/one.sqlite").write_bytes(GONE.encode())

    asked = setting("erase", GONE, "--evidence", "packs")
    assert asked.returncode == 0, asked.stderr
    assert "nothing was changed" in asked.stdout
    assert "packs/one: the whole of it" in asked.stdout
    with setting.pipeline.worker():
        refused = setting("erase", GONE, "--evidence", "packs", "--yes")
        assert refused.returncode == 1
        assert "stop first, for they remember it: the workers of " in refused.stderr
        assert refused.stderr.count("\n") == 1
    with holding(setting.folder / "serve.sqlite", "sightline serve"):
        asked = setting("erase", GONE, "--evidence", "packs")
        assert "stop first, for they remember it: sightline serve\n" in asked.stdout
        assert setting("erase", GONE, "--evidence", "packs", "--yes").returncode == 1
    assert "erasure-begun" not in setting("audit", "show").stdout

    done = setting("erase", GONE, "--evidence", "packs", "--yes", "--basis", "Art. 17 GDPR")
    assert done.returncode == 0, done.stderr
    until(lambda: not setting.on_disk(), "the broker's files are clean", within=60)
    for path in setting.folder.rglob("*"):
        if path.is_file() and "rules" not in path.name:
            assert not _holds(path.read_bytes()), path
    assert not (setting.folder / "packs/one").exists()
    assert [pack.events for pack in Spool(spool, 1 << 20).all()] == [1]
    assert "erased digest:" in setting("audit", "show").stdout
    assert setting("audit", "verify").returncode == 0

    # The others' alerts and dead letters stand, and grow; nothing is raised again.
    assert setting.pipeline.alerts() == kept
    letters = setting("dead-letters", "list", "--json").stdout.splitlines()
    assert len(letters) == 1
    later = [(setting.topic("cz.a"), event("a-1", KEPT, 5_000))]
    setting.work(later)
    told = setting.pipeline.alerts()
    assert GONE not in {one[2] for one in told}
    assert next(one for one in told if one[2] == KEPT)[4] == NOON + 5_000
    assert len(told) == len(kept)
    assert not setting.on_disk()
    shutil.rmtree(setting.folder / "state")


def _alerts(setting: Setting) -> list[Any]:
    import asyncio

    import msgspec

    from pipeline.shell import observe

    return [
        msgspec.to_builtins(one) for one in asyncio.run(observe.alerts(setting.pipeline.settings))
    ]
