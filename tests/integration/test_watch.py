"""`sightline watch` and `explain` on a real broker, which goes and comes again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline import alert as alerts
from pipeline.alert import Alert
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.rule import Level, Rule
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child, until
from tests.integration.conftest import MISSING

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason="the embedded broker forgets, and cannot come again"),
]

RULE = Rule("r-1", "Three countries", Level.HIGH, "ip", 3_600_000, "country", 3)
OTHER = Rule("r-2", "Two organisations", Level.LOW, "ip", 3_600_000, "organisation", 2)
MINUTE = 60_000


def raised(name: str, rule: Rule = RULE, country: str = "CZ") -> Alert:
    at = 1_700_000_000_000
    return alerts.alert(
        Episode(
            name, rule, "218.237.65.47", Change.OPENED, at, at + MINUTE, (country, "KE"), ("a", "b")
        ),
        Geo(),
    )


class Watcher:
    """A `sightline watch --json` of its own process, and what it has said so far."""

    def __init__(self, port: int, *options: str) -> None:
        self.process = self.opened(port, *options)
        self.lines: SimpleQueue[bytes] = SimpleQueue()
        self.notes: list[str] = []
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._start(self.process.stdout, self.lines.put)
        self._start(self.process.stderr, lambda line: self.notes.append(line.decode()))

    @staticmethod
    def opened(port: int, *options: str) -> subprocess.Popen[bytes]:
        environment = {"SIGHTLINE_BROKER": f"127.0.0.1:{port}", "SIGHTLINE_TOPIC_PREFIX": "w."}
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", "watch", "--json", *options],
            env=os.environ | environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _start(self, pipe: IO[bytes], take: object) -> None:
        def read() -> None:
            for line in pipe:
                take(line)  # type: ignore[operator]

        threading.Thread(target=read, daemon=True).start()

    def next(self, within: float = 60.0) -> str:
        """The id of the next alert."""
        line = self.lines.get(timeout=within)
        assert line.isascii()
        return str(json.loads(line)["finding_info"]["uid"])

    def said(self, text: str) -> bool:
        return any(text in note for note in self.notes)


class Teller:
    """Writes alerts as the workers do."""

    def __init__(self, port: int) -> None:
        self._producer = Producer({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})

    def tell(self, *told: Alert, age_ms: int = 0) -> None:
        stamp = time.time_ns() // 1_000_000 - age_ms
        for one in told:
            key = one.finding_info.uid.encode()
            self._producer.produce("w.alerts", alerts.encode(one), key, timestamp=stamp)
        assert self._producer.flush(60) == 0


def broker_of(folder: Path, port: int) -> Child:
    arguments = ("--dir", str(folder), "--port", str(port))
    return Child("-m", "pipeline.shell.broker", *arguments, ready_within=300)


def test_what_is_told_is_shown_once_over_a_broker_that_goes_and_comes(tmp_path: Path) -> None:
    port = free_port()
    with broker_of(tmp_path, port):
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
        for name in ("w.alerts", "w.campaigns"):
            admin.create_topics([NewTopic(name, 2, 1)])[name].result(30)
        teller = Teller(port)
        teller.tell(raised("before"))
        watcher = Watcher(port, "--country", "CZ", "--where", "rule ~ three* and severity >= high")
        everything = Watcher(port, "--since", "1h")
        assert everything.next() == "before"

        def heard() -> str:
            teller.tell(raised("probe"))
            try:
                return watcher.next(0.5)
            except Empty:
                return ""

        assert until(heard, "it follows", 60) == "probe"  # from now on: nothing of before
        teller.tell(raised("other-rule", OTHER), raised("elsewhere", country="AT"), raised("last"))
        while (name := watcher.next()) == "probe":
            pass
        assert name == "last"

        many = [raised(f"n-{number}") for number in range(3_000)]
        teller.tell(*many, age_ms=61_000)
        got = [watcher.next() for _ in many]
        assert sorted(got) == sorted(one.finding_info.uid for one in many)
        until(lambda: watcher.said("behind by "), "it says that it is behind")
        until(lambda: watcher.said("caught up"), "it says that it has caught up")
    until(lambda: watcher.said("lost the broker"), "it says that the broker is gone", 60)
    with broker_of(tmp_path, port):
        Teller(port).tell(raised("after"))
        assert watcher.next() == "after"
        until(lambda: watcher.said("the broker is back"), "it says that it is back", 60)

        # Whoever reads it has seen enough: a pipe ends so, and that is no failure.
        enough = Watcher.opened(port, "--since", "1h")
        assert enough.stdout is not None
        assert enough.stderr is not None
        assert msgspec.json.decode(enough.stdout.readline(), type=Alert)
        enough.stdout.close()
        assert enough.wait(60) == 0
        assert enough.stderr.read() == b""
    for one in (watcher, everything):
        one.process.terminate()
        one.process.wait(30)
