"""One broker for the integration tests of a process: a real Kafka, or else the embedded one, and
said so.

REQUIRE_KAFKA=1 (continuous integration) makes a missing Java or Maven a failure, REQUIRE_BROWSER=1
a missing Chromium.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.shell.broker import INSTALL_HINT, missing_for_kafka
from pipeline.shell.kafka_install import fetch_jars
from pipeline.shell.processes import Child, until
from tests.integration.browser import CHROMIUM
from tests.integration.browser import INSTALL_HINT as BROWSER_HINT

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = missing_for_kafka()


@dataclass(frozen=True, slots=True)
class Broker:
    bootstrap: str
    kind: Literal["kafka", "embedded"]
    directory: Path | None = None
    """Where a real one keeps its data."""

    def create(self, topic: str, partitions: int = 4) -> None:
        """A topic; on the embedded broker it has 4 partitions, whatever was asked for."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        if self.kind == "kafka":
            admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
        # Asking for it makes it on the embedded broker; Kafka shows it as soon as it can be used.
        until(lambda: admin.list_topics(topic, timeout=10).topics[topic].partitions, topic)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if MISSING:
        with Child("-m", "pipeline.shell.embedded") as child:
            yield Broker(child.ready, "embedded")
    else:
        at = tmp_path_factory.mktemp("kafka")
        code = ("-m", "pipeline.shell.broker", "--port", "0", "--dir", str(at))
        with Child(*code, ready_within=300) as child:
            yield Broker(child.ready, "kafka", at)
        shutil.rmtree(at, ignore_errors=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return  # of several processes: the one that starts the others has seen to it
    if MISSING and os.environ.get("REQUIRE_KAFKA") == "1":
        raise pytest.UsageError(
            f"REQUIRE_KAFKA=1, but {' and '.join(MISSING)} is missing.\n{INSTALL_HINT}"
        )
    if not CHROMIUM and os.environ.get("REQUIRE_BROWSER") == "1":
        raise pytest.UsageError(f"REQUIRE_BROWSER=1, but Chromium is missing.\n{BROWSER_HINT}")
    if not MISSING:
        fetch_jars()  # once, before processes that would do it side by side


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # Tests, not their set-up: what the embedded broker stood in for, and what it could not.
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    count = sum(r.when == "call" and "kafka" in r.keywords for r in reports)
    if count and MISSING:
        terminalreporter.write_line(
            f"Not tried on a real Kafka, for want of {' and '.join(MISSING)}: these {count} broker "
            "tests ran on the embedded broker, and those of restart and crash did not run at all."
        )
        terminalreporter.write_line(INSTALL_HINT)
    untried = sum("browser" in r.keywords for r in terminalreporter.getreports("skipped"))
    if untried and not CHROMIUM:
        terminalreporter.write_line(
            f"Not tried in a browser, for want of Chromium: {untried} tests of the dashboard. "
            f"{BROWSER_HINT}"
        )
