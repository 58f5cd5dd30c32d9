"""`sightline ship --follow` on a real Kafka: whatever happens, what was written arrives."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.shell import observe, topics
from pipeline.shell.files import registry_of
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child, until
from pipeline.shell.settings import Settings
from tests.integration.conftest import MISSING, Broker

pytestmark = pytest.mark.kafka

SENSORS = """[[organisation]]
id = "cz-nren"
country = "CZ"
name = "CZ"
[[organisation.sensor]]
id = "cz-1"
"""
TOPIC = "events.cz.cz-nren"


class Log:
    """A log that is written, rotated and cut, and all that was ever written to it."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.path = folder / "eve.json"
        self.written: list[bytes] = []
        self._dice = dice
        self._number = 0

    def write(self, count: int) -> None:
        lines = []
        for _ in range(count):
            n = self._number = self._number + 1
            lines.append(
                json.dumps(
                    {
                        "timestamp": f"2025-01-31T10:{n // 60 % 60:02}:{n % 60:02}.{n:06}+0000",
                        "event_type": "flow",
                        "src_ip": f"198.{n >> 16}.{n >> 8 & 255}.{n & 255}",
                        "src_port": 1024 + n % 60_000,
                        "dest_ip": "9.9.9.9",
                        "dest_port": 22,
                        "proto": "TCP",
                        "app_proto": "x" * self._dice.randrange(200),
                    }
                ).encode()
            )
        self.written += lines
        whole = b"".join(line + b"\n" for line in lines)
        cut = self._dice.randrange(len(whole) + 1)  # as writers do: a line in two pieces
        with self.path.open("ab", buffering=0) as file:
            file.write(whole[:cut])
            file.write(whole[cut:])

    def _older(self) -> None:
        for n in range(20, 0, -1):
            if (old := self.path.with_name(f"eve.json.{n}")).exists():
                old.rename(self.path.with_name(f"eve.json.{n + 1}"))

    def rename(self) -> None:
        self._older()
        self.path.rename(self.path.with_name("eve.json.1"))
        self.path.touch()

    def copy_and_cut(self) -> None:
        self._older()
        shutil.copyfile(self.path, self.path.with_name("eve.json.1"))
        with self.path.open("r+b") as file:
            file.truncate()

    @property
    def sources(self) -> list[str]:
        return sorted(json.loads(line)["src_ip"] for line in self.written)


class Sending:
    """A topic, and a `ship` that sends to it."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str, *more: str) -> None:
        (folder / "sensors.toml").write_text(SENSORS)
        self.settings = Settings(
            broker=bootstrap, topic_prefix=prefix, sensors=str(folder / "sensors.toml")
        )
        registry = registry_of(folder / "sensors.toml", prefix)
        asyncio.run(topics.ensure(registry, self.settings))
        self.state = folder / "state.json"
        self._arguments = ("--sensor", "cz-1", "--state", str(self.state), *more)

    def follow(self, log: Log) -> Child:
        arguments = ("-m", "pipeline", "ship", "--follow", *self._arguments, str(log.path))
        return Child(*arguments, environment=self.settings.environment())

    def events(self) -> list[dict[str, dict[str, str]]]:
        async def read() -> list[bytes]:
            topic = self.settings.topic(TOPIC)
            return [value async for value in observe.read_topic(self.settings, topic)]

        return [json.loads(line) for value in asyncio.run(read()) for line in value.splitlines()]

    def offset(self) -> int:
        """How far the broker has the newest file."""
        files = json.loads(self.state.read_text())["files"] if self.state.exists() else {}
        return max((place["offset"] for one in files.values() for place in one.values()), default=0)

    def has_all_of(self, log: Log) -> bool:
        """Whether the state says that the newest file has arrived to its end."""
        if not self.state.exists():
            return False
        (places,) = json.loads(self.state.read_text())["files"].values()
        there = log.path.stat()
        return any(
            p["inode"] == there.st_ino and p["offset"] == there.st_size for p in places.values()
        )


def must_be_the_same(sending: Sending, log: Log) -> None:
    events = sending.events()
    by_id = {event["metadata"]["uid"]: event["src_endpoint"]["ip"] for event in events}
    assert sorted({event["src_endpoint"]["ip"] for event in events}) == log.sources
    assert sorted(by_id.values()) == log.sources, "an event that came twice has one name"


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_written_arrives_over_rotation_and_kills(
    broker: Broker, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    log, sending = Log(tmp_path, dice), Sending(tmp_path, broker.bootstrap, f"ship{seed}.")
    log.write(50)
    ship = sending.follow(log)
    ship.start()
    kills = 0
    for _ in range(14):
        what = dice.choice(("write", "rename", "cut", "kill", "write"))
        if what == "write":
            log.write(dice.randrange(1, 3_000))
        elif what == "rename":
            log.rename()
            log.write(dice.randrange(1, 400))
        elif what == "cut":
            log.copy_and_cut()
            log.write(dice.randrange(1, 400))
        elif kills < 3:
            kills += 1
            ship.kill()
            log.write(dice.randrange(1, 400))
            if dice.random() < 0.7:
                log.rename()
                log.write(dice.randrange(1, 400))
            if dice.random() < 0.5:
                log.rename()
                log.write(dice.randrange(1, 400))
            ship = sending.follow(log)
            ship.start()
    assert kills
    until(lambda: sending.has_all_of(log), "all has arrived")
    # The files before are read before it, and acknowledged in their order.
    assert ship.stop() == 0
    must_be_the_same(sending, log)


class TestAway:
    __test__ = not MISSING

    def test_what_is_written_while_the_broker_is_away_arrives(self, tmp_path: Path) -> None:
        port = free_port()
        arguments = ("-m", "pipeline.shell.broker", "--dir", str(tmp_path / "kafka"))
        kafka = Child(*arguments, "--port", str(port), ready_within=120)
        kafka.start()
        try:
            log = Log(tmp_path, random.Random(7))
            # More is written than the buffer holds.
            sending = Sending(tmp_path, f"127.0.0.1:{port}", "", "--buffer", "3MiB")
            log.write(2_000)
            ship = sending.follow(log)
            ship.start()
            until(lambda: sending.has_all_of(log), "the first have arrived")
            kafka.kill()
            for _ in range(4):
                log.write(6_000)
                log.rename()
            spool = sending.state.with_suffix(".spool")
            until(lambda: any(spool.glob("*.packs")), "it buffers")
            ship.kill()
            log.write(100)
            ship = sending.follow(log)
            ship.start()  # and waits, with what it had buffered
            kafka = Child(*arguments, "--port", str(port), ready_within=120)
            kafka.start()
            until(lambda: sending.has_all_of(log), "all has arrived", 60)
            assert ship.stop() == 0
            assert not any(spool.glob("*.packs"))
            must_be_the_same(sending, log)
        finally:
            kafka.stop()


def test_from_standard_input(broker: Broker, tmp_path: Path) -> None:
    log, sending = Log(tmp_path, random.Random(3)), Sending(tmp_path, broker.bootstrap, "shipin.")
    log.write(700)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "ship", *sending._arguments],
        input=log.path.read_bytes() + b"{broken", env=sending.settings.environment(),
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"701 records: 700 events, 1 rejected" in done.stderr
    must_be_the_same(sending, log)
