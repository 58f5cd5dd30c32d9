from __future__ import annotations

import fcntl
import os
import signal
import socket
import uuid
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.shell.broker import missing_for_kafka
from pipeline.shell.processes import ORPHANED, Child, ChildFailed, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Broker

pytestmark = pytest.mark.kafka


async def test_what_is_produced_is_consumed_and_a_commit_is_kept(broker: Broker) -> None:
    topic = f"round-trip-{uuid.uuid4()}"
    broker.create(topic)
    values = [b"%d" % number for number in range(100)]

    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    try:
        for value in values:
            await producer.send(topic, value, key=value)
        await producer.flush()
    finally:
        await producer.stop()

    async def consume(group: str, count: int) -> list[bytes]:
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=broker.bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
        )
        await consumer.start()
        try:
            seen = [await consumer.getone() for _ in range(count)]
            await consumer.commit()
        finally:
            await consumer.stop()
        return [record.value for record in seen]

    group = f"group-{uuid.uuid4()}"
    first = await consume(group, 60)
    rest = await consume(group, 40)
    assert sorted(first + rest) == sorted(values)
    assert set(first).isdisjoint(rest)


async def test_a_record_of_three_megabytes_comes_through(broker: Broker) -> None:
    topic = f"large-{uuid.uuid4()}"
    broker.create(topic)
    value = os.urandom(3_000_000)
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=4_000_000)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        assert (await consumer.getone()).value == value
    finally:
        await consumer.stop()


def test_the_embedded_broker_ends_with_its_stdin_and_with_its_parent() -> None:
    # Its stdin is /dev/null here: at its end from the start.
    with Child("-m", "pipeline.shell.embedded", "--watch-stdin") as child:
        assert child.wait(30) == 0
    with Child("-m", "pipeline.shell.embedded") as child:
        child.let_go()
        assert child.wait(30) == ORPHANED


class TestRealKafka:
    """Not collected, rather than skipped, where there is none; the summary then says so."""

    __test__ = not missing_for_kafka()

    def test_a_restart_keeps_records_and_offsets(self, tmp_path: Path) -> None:
        with kafka(tmp_path, 0) as first:
            bootstrap = first.ready
            admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
            admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
            produce(bootstrap, b"a", b"b")
            assert consume(bootstrap, 1) == [b"a"]
            assert first.stop() == 0
        with kafka(tmp_path, port_of(bootstrap)) as second:
            assert second.ready == bootstrap
            produce(bootstrap, b"c")
            assert consume(bootstrap, 2) == [b"b", b"c"]

    def test_the_jvm_ends_when_its_parent_is_killed_and_what_was_acknowledged_is_kept(
        self, tmp_path: Path
    ) -> None:
        with kafka(tmp_path, 0) as killed:
            bootstrap = killed.ready
            admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
            admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
            produce(bootstrap, b"a")
            assert killed.kill() == -signal.SIGKILL
        until(lambda: not locked(tmp_path / "lock"), "the JVM has let go of its directory")
        with kafka(tmp_path, port_of(bootstrap)):
            assert consume(bootstrap, 1) == [b"a"]

    def test_without_a_directory_nothing_is_left(self, tmp_path: Path) -> None:
        with Child(
            "-m",
            "pipeline.shell.broker",
            "--port",
            "0",
            environment={"TMPDIR": str(tmp_path)},
            ready_within=120,
        ) as child:
            assert list(tmp_path.glob("sightline-kafka-*/data/meta.properties"))
            child.kill()
        until(lambda: not list(tmp_path.glob("sightline-kafka-*")), "the directory is removed")

    def test_a_port_in_use_is_one_readable_line(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            (line,) = failure(tmp_path, port)
        assert line.startswith(f"sightline: port {port} of 127.0.0.1 cannot be had: Address alre")

    def test_a_directory_in_use_is_one_readable_line(self, tmp_path: Path) -> None:
        with (tmp_path / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert failure(tmp_path, 0) == [f"sightline: {tmp_path} is in use by another broker"]

    def test_a_jvm_that_dies_is_one_readable_line(self, tmp_path: Path) -> None:
        log = tmp_path / "stderr"
        with kafka(tmp_path / "broker", 0, log=log) as child:
            os.kill(int((tmp_path / "broker" / "jvm.pid").read_text()), signal.SIGKILL)
            assert child.wait(60) == 1
        (line,) = log.read_text().splitlines()
        assert line.startswith("sightline: Kafka ended with SIGKILL: ")


def kafka(directory: Path, port: int, log: Path | None = None) -> Child:
    arguments = ("--dir", str(directory), "--port", str(port))
    return Child("-m", "pipeline.shell.broker", *arguments, ready_within=120, log=log)


def failure(directory: Path, port: int) -> list[str]:
    """What a broker that cannot start says on stderr."""
    log = directory / "stderr"
    child = kafka(directory, port, log=log)
    with pytest.raises(ChildFailed, match="ended with status 1"):
        child.start()
    return log.read_text().splitlines()


def locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def port_of(bootstrap: str) -> int:
    return int(bootstrap.rpartition(":")[2])


def produce(bootstrap: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for value in values:
        producer.produce("kept", value)
    assert producer.flush(30) == 0


def consume(bootstrap: str, count: int) -> list[bytes | None]:
    """The next records of a group, which commits them."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "kept",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
            "log_level": 0,
        }
    )
    try:
        consumer.subscribe(["kept"])
        values = []
        for _ in range(count):
            message = until(lambda: consumer.poll(0.1), "a record is there")
            assert message.error() is None
            values.append(message.value())
            consumer.commit(message, asynchronous=False)
        return values
    finally:
        consumer.close()
