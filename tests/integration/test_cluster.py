"""The cluster that the compose file starts, node for node, but for its containers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from pipeline.shell.access import cluster
from pipeline.shell.kafka_install import deployed, fetch_jars, find_java, missing_for_kafka
from pipeline.shell.ports import free_ports
from pipeline.shell.processes import until
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import load

pytestmark = pytest.mark.kafka
REGISTRY = """
[[organisation]]
id = "cz-nren"
country = "CZ"
name = "Czech"
"""


def node(folder: Path) -> subprocess.Popen[bytes]:
    """A node as compose.yaml runs it: formatted with what is in its folder, then started."""
    java = find_java()
    assert java is not None
    log4j = f"-Dlog4j2.configurationFile={deployed('log4j2.xml')}"
    command = [java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", log4j]
    command += ["-cp", f"{fetch_jars()}/*"]
    form = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "@format"]
    subprocess.run(
        [*command, *form, "-c", "server.properties"], cwd=folder, check=True, capture_output=True
    )
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [*command, "kafka.Kafka", "server.properties"], cwd=folder, stdout=log, stderr=log
        )


@contextmanager
def running(folders: list[Path]) -> Iterator[list[subprocess.Popen[bytes]]]:
    with ExitStack() as stack:
        nodes = []
        for folder in folders:
            nodes.append(node(folder))
            stack.callback(nodes[-1].wait, 30)
            stack.callback(nodes[-1].kill)
        yield nodes


def brokers(admin: AdminClient) -> int:
    """How many there are; none while none answers."""
    try:
        return len(admin.list_topics(timeout=10).brokers)
    except KafkaException:
        return 0


class TestCluster:
    __test__ = not missing_for_kafka()

    def test_three_nodes_with_tls_and_logins_bear_the_loss_of_one(self, tmp_path: Path) -> None:
        nodes = [f"localhost:{free_ports(3)}" for _ in range(3)]
        arguments = [str(tmp_path), *(part for one in nodes for part in ("--node", one))]
        assert cluster.main(arguments) == 0
        assert cluster.main(arguments) == 0  # again: it stays as it is
        registry = tmp_path / "sensors.toml"
        registry.write_text(REGISTRY)
        config = tmp_path / "admin" / "sightline.toml"
        environment = {
            "PATH": "/usr/bin",
            "SIGHTLINE_SENSORS": str(registry),
            "SIGHTLINE_REPLICATION_FACTOR": "3",
            "SIGHTLINE_CONFIG": str(config),
        }

        def sightline(*options: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "pipeline", *options],
                env=environment, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip

        with running([tmp_path / f"kafka-{n}" for n in (1, 2, 3)]) as processes:
            settings = load(config, {})
            admin = AdminClient(for_librdkafka(settings) | {"log_level": 0})

            def all_there() -> bool:
                for number, process in enumerate(processes, 1):
                    assert process.poll() is None, (
                        tmp_path / f"kafka-{number}" / "kafka.log"
                    ).read_text()
                return brokers(admin) == 3

            until(all_there, "three brokers", 300)
            made = sightline("topics")
            assert made.returncode == 0, made.stderr
            alerts = admin.list_topics("alerts", timeout=30).topics["alerts"]
            assert {len(partition.replicas) for partition in alerts.partitions.values()} == {3}
            processes[2].kill()
            until(lambda: brokers(admin) == 2, "one is missed", 120)
            producer = Producer(for_librdkafka(settings) | {"acks": "all", "log_level": 0})
            for partition in alerts.partitions:
                producer.produce("alerts", b"", key=b"k", partition=partition)
            assert producer.flush(60) == 0
            plain = AdminClient({"bootstrap.servers": settings.broker, "log_level": 0})
            with pytest.raises(KafkaException):
                plain.list_topics(timeout=3)
