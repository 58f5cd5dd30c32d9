"""A Kafka with access control, its command line, and clients that say what they were refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.shell.processes import Child, until
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import Settings, load
from tests.unit import inside

OK = "ok"
RECORD = "record"
PREFIX = "t."
WITHIN = 30.0  # s: bounds a failure, is never waited for


@dataclass
class Secured:
    """A broker made with `--secure`, and a folder with a registry and hand-overs."""

    folder: Path
    child: Child
    prefix: str = PREFIX
    said: list[str] = field(default_factory=list)
    """All that the command line wrote."""

    @property
    def directory(self) -> Path:
        return self.folder / "broker"

    @property
    def sensors(self) -> Path:
        return self.folder / f"{self.prefix}sensors.toml"

    def at(self, prefix: str) -> Secured:
        """The same broker, with topics, principals and a registry of another prefix."""
        return replace(self, prefix=prefix)

    def sightline(self, *arguments: str, status: int = 0) -> str:
        """Run a command as the broker's admin; what it wrote on stdout, or stderr if it failed."""
        environment = {
            "SIGHTLINE_CONFIG": str(self.directory / "admin" / "sightline.toml"),
            "SIGHTLINE_SENSORS": str(self.sensors),
            "SIGHTLINE_TOPIC_PREFIX": self.prefix,
        }
        done = inside.sightline(*arguments, cwd=self.folder, environment=environment)
        self.said += [done.stdout, done.stderr]
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    def admin(self) -> Settings:
        config = self.directory / "admin" / "sightline.toml"
        return load(config, {}, topic_prefix=self.prefix, sensors=str(self.sensors))

    def settings(self, role: str, name: str) -> Settings:
        """Those of a hand-over."""
        config = self.folder / "handover" / f"{self.prefix}{role}-{name}" / "sightline.toml"
        return load(config, {}, sensors=str(self.sensors))

    def sensor(self, name: str) -> Settings:
        return self.settings("sensor", name)

    def ports(self) -> dict[str, int]:
        """The broker's ports by listener."""
        text = (self.directory / "server.properties").read_text()
        (listeners,) = [line for line in text.splitlines() if line.startswith("listeners=")]
        pairs = (each.split("://") for each in listeners.removeprefix("listeners=").split(","))
        return {name: int(address.rpartition(":")[2]) for name, address in pairs}


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    arguments = ("--secure", "--dir", str(folder / "broker"), "--port", "0")
    with Child("-m", "pipeline.shell.broker", *arguments, ready_within=300) as child:
        yield Secured(folder, child)


class Writer:
    """A producer that stays connected and says of each record how it went."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer(for_librdkafka(settings) | {"linger.ms": 0})

    def write(self, topic: str, value: bytes = b"x") -> str:
        """`ok`, or the name of the error that the broker answered with."""
        answers: list[KafkaError | None] = []
        try:
            self._producer.produce(
                topic, value, key=b"k", on_delivery=lambda error, _: answers.append(error)
            )
        except KafkaException as refusal:  # librdkafka has heard of it before
            return str(refusal.args[0].name())
        assert self._producer.flush(WITHIN) == 0
        (error,) = answers
        return OK if error is None else error.name()


class Reader:
    """A consumer of partition 0, without a group, that says what it was refused.

    One for each topic: librdkafka tells of a refused topic once.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        options = {
            "group.id": settings.sasl_username,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
        self._consumer = Consumer(for_librdkafka(settings) | options)
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def to_end(self) -> str:
        """`ok` at the end, or the name of the error."""
        while (answer := self.next()) == RECORD:
            pass
        return answer

    def next(self) -> str:
        """`record`, `ok` at the end, or the name of the error: whatever comes next."""
        return until(self._answer, "something comes", WITHIN)

    def _answer(self) -> str:
        message = self._consumer.poll(0.1)
        if message is None:
            return ""
        error = message.error()
        if error is None:
            return RECORD
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return ""  # it asks for its group, though it needs none
        return OK if error.code() == KafkaError._PARTITION_EOF else str(error.name())

    def close(self) -> None:
        self._consumer.close()


def read(settings: Settings, topic: str) -> str:
    """`ok`, or the name of the error that the broker answered with."""
    described = AdminClient(for_librdkafka(settings)).list_topics(topic, timeout=WITHIN)
    if error := described.topics[topic].error:
        return str(error.name())  # of a topic that it may not see, a consumer says nothing
    reader = Reader(settings, topic)
    try:
        return reader.to_end()
    finally:
        reader.close()


def joined(settings: Settings, group: str, topic: str) -> str:
    """`ok` if it may read a topic as a member of a group, else the name of the error."""
    options = {"group.id": group, "auto.offset.reset": "earliest", "enable.partition.eof": True}
    consumer = Consumer(for_librdkafka(settings) | options)
    try:
        consumer.subscribe([topic])
        message = until(lambda: consumer.poll(0.1), "the group answers", WITHIN)
        error = message.error()
        return OK if error is None or error.code() == KafkaError._PARTITION_EOF else error.name()
    finally:
        consumer.close()


def refused(settings: Settings) -> set[str]:
    """The names of the errors that somebody meets who connects; empty if nothing was refused."""
    heard: list[KafkaError] = []
    admin = AdminClient(for_librdkafka(settings) | {"error_cb": heard.append})

    def known() -> bool:
        try:
            admin.list_topics(timeout=0.5)
        except KafkaException:
            admin.poll(0)
            return bool(heard)
        return True

    until(known, "it is let in, or hears why not", WITHIN)
    return {error.name() for error in heard}


def seen(settings: Settings) -> set[str]:
    """The topics that somebody is shown."""
    listed = AdminClient(for_librdkafka(settings)).list_topics(timeout=WITHIN)
    return {name for name, topic in listed.topics.items() if topic.error is None}
