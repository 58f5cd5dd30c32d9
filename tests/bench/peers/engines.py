"""The engines: an environment for each, its processes, and how to see that it is done."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child
from pipeline.shell.settings import FailedError
from tests.bench.peers import job

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ENVIRONMENTS = ROOT / ".peers"


def python_of(name: str) -> Path:
    """The interpreter of an engine's environment, which is made if its pins are not installed."""
    pins = HERE / f"{name}.txt"
    folder = ENVIRONMENTS / name
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if installed.exists() and installed.read_bytes() == pins.read_bytes():
        return python
    print(f"installing {name} into {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        command += ["--disable-pip-version-check", "--requirement", str(pins)]
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        raise FailedError(
            f"{name} could not be installed for Python {version} on this machine "
            f"(status {error.returncode}): leave it out with --only"
        ) from None
    installed.write_bytes(pins.read_bytes())
    return python


@contextmanager
def running(name: str, broker: str, lateness_ms: int, folder: Path) -> Iterator[list[Child]]:
    """The processes of an engine, started; stopped at the end."""
    python = str(python_of(name))
    environment = {
        "PYTHONPATH": str(ROOT),
        "PEERS_BROKER": broker,
        "PEERS_LATENESS_MS": str(lateness_ms),
    }
    if name == "bytewax":
        addresses = ";".join(f"127.0.0.1:{free_port()}" for _ in range(job.PROCESSES))
        commands = [
            ["-m", "bytewax.run", "-i", str(n), "-a", addresses, "tests.bench.peers.bytewax_flow"]
            for n in range(job.PROCESSES)
        ]
    else:
        commands = [
            ["-m", "tests.bench.peers.quix_streams_app", str(folder / f"state-{n}")]
            for n in range(job.PROCESSES)
        ]
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                Child(
                    *command,
                    python=python,
                    environment=environment,
                    ready_within=None,
                    name=f"{name} {n}",
                )
            )
            for n, command in enumerate(commands, 1)
        ]


def done(name: str, broker: str, children: list[Child]) -> bool:
    """Whether an engine has read all that there is, and its alerts are out."""
    ended = [child for child in children if not child.running]
    if name == "bytewax":  # it ends with its input
        for child in ended:
            if child.wait():
                raise FailedError(f"{child.name} failed: {child.tail()}")
        return len(ended) == len(children)
    for child in ended:
        raise FailedError(f"{child.name} ended in mid-run: {child.tail()}")
    return _committed_all(broker, "quix")


def _committed_all(broker: str, group: str) -> bool:
    """Whether a group has committed the ends of the events and of what it made of them."""
    found = AdminClient({"bootstrap.servers": broker}).list_topics(timeout=10).topics
    names = [name for name in found if name == job.INPUT or name.startswith("repartition")]
    if len(names) < 2:
        return False
    consumer = Consumer({"bootstrap.servers": broker, "group.id": group})
    try:
        places = [TopicPartition(name, n) for name in names for n in found[name].partitions]
        for place in consumer.committed(places, timeout=10):
            end = consumer.get_watermark_offsets(
                TopicPartition(place.topic, place.partition), timeout=10
            )[1]
            if end and place.offset < end:
                return False
    except KafkaException:
        return False  # there is no such group yet, or its coordinator is not up
    finally:
        consumer.close()
    return True
