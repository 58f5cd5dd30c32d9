"""A stranger's path: the README's own listings, from nothing to an alert on one's own log file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.shell.ports import free_port
from pipeline.shell.processes import until
from tests.integration.conftest import MISSING

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason="the README starts a real Kafka"),
]
ROOT = Path(__file__).parents[2]
SECTION = "From your own log to an alert"
LISTING = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STAYS = ("broker", "worker", "watch")
"""These commands run on: each has a terminal of its own."""
THEIR_LOG = "/var/log/auth.log"
MOST_COMMANDS = 14
ATTACKER = "218.237.65.47"


def listings() -> list[str]:
    """Those of the section, in order."""
    text = (ROOT / "README.md").read_text("utf-8")
    _, _, section = text.partition(f"\n## {SECTION}\n")
    return LISTING.findall(re.split(r"^## ", section, flags=re.MULTILINE)[0])


def commands(listing: str) -> list[str]:
    """What is typed: without comments, the text of here-documents and what is within a loop."""
    typed = re.sub(r"<<'(\w+)'\n.*?^\1$", "", listing, flags=re.MULTILINE | re.DOTALL)
    typed = re.sub(r"^for .*?^done$", "for", typed, flags=re.MULTILINE | re.DOTALL)
    return [line for line in typed.splitlines() if line.strip() and not line.startswith("#")]


def test_the_path_is_short() -> None:
    assert len(listings()) >= 5
    assert sum(len(commands(one)) for one in listings()) <= MOST_COMMANDS


def clean(folder: Path) -> None:
    """The repository as it was fetched, and the virtual environment that `make setup` has made."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
        os.utime(folder / name, (0, 0))  # there is nothing for `make setup` to do any more
    for name in ("pipeline", "deploy", "docs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    assert (folder / ".venv/.setup").exists(), "make setup"


def their_log(path: Path) -> None:
    """A log as sshd writes it, of the last hour; one line is broken off."""
    began = datetime.now(UTC) - timedelta(minutes=50)
    lines = [
        f"{began + timedelta(minutes=n):%b %e %H:%M:%S} shell sshd[{700 + n}]: {text}"
        for n, text in enumerate(
            [
                "Server listening on 0.0.0.0 port 22.",
                f"Invalid user admin from {ATTACKER} port 40112",
                f"Failed password for invalid user admin from {ATTACKER} port 40112 ssh2",
                "Accepted publickey for me from 10.1.2.3 port 50221 ssh2",
            ]
        )
    ]
    path.write_text("\n".join([*lines, "Failed pass"]) + "\n")


class Terminals:
    """Shells in one directory. What stays runs to the end, and what it says is kept."""

    def __init__(self, folder: Path, environment: dict[str, str], stack: ExitStack) -> None:
        self.said: dict[str, Path] = {}
        self._folder = folder
        self._environment = environment
        self._stack = stack
        self._first = ""

    def run(self, listing: str) -> None:
        """In the terminal that it is meant for. The first listing is for every one of them."""
        self._first = self._first or listing
        stays = [
            name for name in STAYS if re.search(rf"^sightline {name}\b", listing, re.MULTILINE)
        ]
        script = f"set -e\n{self._first}{listing}"
        if not stays:
            done = subprocess.run(
                ["bash", "-c", script], cwd=self._folder, env=self._environment,
                capture_output=True, text=True, timeout=180, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{listing}\n{done.stdout}{done.stderr}"
            self.said["last"] = self._folder / "last"
            self.said["last"].write_text(done.stdout + done.stderr)
            return
        (name,) = stays
        self.said[name] = self._folder / f"{name}.said"
        self._stack.enter_context(self._beside(script, self.said[name]))

    @contextmanager
    def _beside(self, script: str, said: Path) -> Iterator[None]:
        with said.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", script], cwd=self._folder, env=self._environment,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                yield
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)  # SIGINT may be ignored here
                try:
                    process.wait(30)
                finally:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def test_from_the_readme_alone_to_an_alert_on_ones_own_log(
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "sightline"
    folder.mkdir()
    clean(folder)
    log = tmp_path / "my.log"
    their_log(log)
    kept = {name: of for name, of in os.environ.items() if not name.startswith("SIGHTLINE_")}
    # Other tests may have the ports of the README: that, and whose log it is, is all that differs.
    port = free_port()
    environment = kept | {
        "SIGHTLINE_BROKER": f"127.0.0.1:{port}",
        "SIGHTLINE_METRICS_PORT": str(free_port()),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONUNBUFFERED": "1",
    }
    began = time.monotonic()
    typed = 0
    with ExitStack() as stack:
        terminals = Terminals(folder, environment, stack)
        for listing in listings():
            typed += len(commands(listing))
            on_our_port = re.sub(r"(?m)^(sightline broker .*)$", rf"\1 --port {port}", listing)
            terminals.run(on_our_port.replace(THEIR_LOG, str(log)))
            for name, ready in (("broker", "ready 127."), ("worker", "ready intake")):
                if f"\nsightline {name}" in f"\n{listing}":
                    said = terminals.said[name]
                    until(lambda said=said, ready=ready: ready in said.read_text(), ready, 300)  # type: ignore[misc]
        shipped = terminals.said["last"].read_text()
        assert shipped.count("5 records: 4 events, 1 rejected") == 3, shipped
        watched = terminals.said["watch"]
        shown = ATTACKER.replace(".", "[.]")
        until(lambda: shown in watched.read_text(), "an alert on an address of that log", 120)
        took = time.monotonic() - began
        (line, *_) = [line for line in watched.read_text().splitlines() if shown in line]
        assert all(country in line for country in ("BR", "CZ", "KE"))
    record_property("commands", typed)
    record_property("seconds", round(took, 1))
    with capsys.disabled():
        print(f"\nfrom README.md to an alert on one's own log: {typed} commands, {took:.0f} s")
