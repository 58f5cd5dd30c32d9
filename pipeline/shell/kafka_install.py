"""What a real Kafka needs of this machine: a Java, and the jars of deploy/kafka/pom.xml.

Maven fetches the jars (44 MB, 4 s) into the user's cache, once a version.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

INSTALL_HINT = (
    "Debian, Ubuntu: sudo apt-get install openjdk-17-jre-headless maven\n"
    "macOS: brew install openjdk@17 maven"
)

_HERE = Path(__file__).resolve()
_DEPLOYED = (_HERE.parents[2] / "deploy" / "kafka", _HERE.parents[1] / "data" / "kafka")
"""pom.xml, server.properties, log4j2.xml: in the repository, or in an installed wheel."""

_OLDEST_JAVA = 17
# Homebrew's Java is not on the PATH, and its Maven brings one of its own.
_BREW_JAVAS = tuple(
    f"{prefix}/opt/{formula}/bin/java"
    for prefix in ("/opt/homebrew", "/usr/local")
    for formula in ("openjdk@17", "openjdk@21", "openjdk")
)


class BrokerFailed(Exception):  # noqa: N818 — it is what happened
    """Kafka cannot run, or stopped running. One readable line."""


def missing_for_kafka() -> list[str]:
    """What this machine lacks to run a real Kafka, as words for a message; empty if nothing."""
    refused: list[str] = []
    missing = [] if find_java(refused) else [f"java >= {_OLDEST_JAVA}{''.join(refused)}"]
    if not shutil.which("mvn") and not _jar_directory().is_dir():
        missing.append("maven")
    return missing


def find_java(refused: list[str] | None = None) -> str | None:
    """The first of JAVA_HOME, the PATH and Homebrew that is new enough for Kafka.

    `refused` is told of those that are there and are not.
    """
    home = os.environ.get("JAVA_HOME")
    for candidate in ([f"{home}/bin/java"] if home else []) + ["java", *_BREW_JAVAS]:
        path = shutil.which(candidate)
        if path is None:
            continue
        version, said = _java_version(path)
        if version >= _OLDEST_JAVA:
            return path
        if refused is not None:
            refused.append(f" ({path}: {said})")
    return None


@cache
def _java_version(java: str) -> tuple[int, str]:
    """17 of `openjdk version "17.0.15"`, 8 of `"1.8.0_402"`, 22 of `"22-ea"`; 0: it has none.

    And what it said, in one line.
    """
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 0, str(error)
    # Searched for, since JAVA_TOOL_OPTIONS puts a line before it. macOS's stub only fails.
    said = " ".join((done.stderr + done.stdout).split())[:200] or f"status {done.returncode}"
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return (int(found[1]) if found and done.returncode == 0 else 0), said


def deployed(name: str) -> Path:
    """A file of deploy/kafka, wherever this is installed."""
    for directory in _DEPLOYED:
        if (directory / name).is_file():
            return directory / name
    raise BrokerFailed(f"{_DEPLOYED[0] / name} is missing: Sightline is not installed completely")


def _jar_directory() -> Path:
    pom = deployed("pom.xml")
    found = re.search(r"<kafka\.version>([\w.-]+)</kafka\.version>", pom.read_text("utf-8"))
    if not found:
        raise BrokerFailed(f"{pom} names no kafka.version")
    # The XDG specification: a path that is not absolute is ignored.
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = cache if cache.is_absolute() else Path.home() / ".cache"
    return cache / "sightline" / f"kafka-{found[1]}"


def fetch_jars() -> Path:
    """The directory of Kafka's jars, fetched now if this user never ran this version before."""
    jars = _jar_directory()
    if jars.is_dir():
        return jars
    print(f"fetching {jars.name} from Maven Central (44 MB, once)", file=sys.stderr, flush=True)
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{jars.name}-", dir=jars.parent) as temporary:
        fetched = Path(temporary) / "jars"
        command = ["mvn", "-q", "-B", "-f", str(deployed("pom.xml"))]
        call([*command, "dependency:copy-dependencies", f"-DoutputDirectory={fetched}"])
        try:
            fetched.rename(jars)
        except OSError:
            # Another process was faster; its directory is as good. Else this is a real error.
            if not jars.is_dir():
                raise
    return jars


def call(command: list[str], directory: Path | None = None) -> None:
    """Run to the end; of a failure, the first line that calls itself an error, or the last."""
    done = subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stdout.strip().splitlines() or [f"status {done.returncode}"]
        errors = [line for line in said if "ERROR" in line] or said[-1:]
        raise BrokerFailed(f"{Path(command[0]).name}: {errors[0]}")
