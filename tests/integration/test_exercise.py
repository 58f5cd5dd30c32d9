"""Two lanes on one Kafka with access control: nothing of one is ever in the other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from pipeline import dead_letter
from pipeline.decode import Reason
from pipeline.lane import BANNER, labelled
from pipeline.registry import topic_name
from pipeline.shell import files
from pipeline.shell.cli import cli
from pipeline.shell.kafka_install import missing_for_kafka
from pipeline.shell.observe import decode_alert
from pipeline.shell.processes import Child, until
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import Settings, load
from tests.integration.secured import OK, Secured, Writer, read, refused, secured

pytestmark = pytest.mark.kafka

DENIED = "TOPIC_AUTHORIZATION_FAILED"
LIVE, LANE = "t.", "exercise.drill."
ORGANISATIONS = {"cz-nren": "CZ", "ke-bank": "KE", "br-uni": "BR"}
CANARY, DRILL = "218.237.65.47", "118.217.182.36"
"""The indicator of each lane's canary,"""
FORGED, STRAYED = "61.131.218.218", "61.131.218.219"
"""and of events that claim to be an exercise's where there is none, and the other way round."""


def event(sensor: str, address: str, exercise: str = "") -> bytes:
    now = time.time_ns() // 1_000_000
    raw = json.dumps(
        {"time": now, "metadata": {"uid": f"{sensor}-{address}"}, "device": {"uid": sensor},
         "src_endpoint": {"ip": address}}
    ).encode()  # fmt: skip
    return labelled(raw, exercise) if exercise else raw


class Drill:
    """A secured Kafka with a live lane, and an exercise that its lead has started."""

    def __init__(self, kafka: Secured) -> None:
        self.kafka = kafka
        self.folder = kafka.folder / "drill"
        self.sensors = self.folder / "sensors.toml"
        self.directory = kafka.folder / "directory.toml"

    def run(self, prefix: str, *arguments: str, status: int = 0) -> str:
        """A command of the broker's admin on a lane, in this process: what it said."""
        lane = "exercise" if prefix == LANE else "live"
        sensors = self.sensors if prefix == LANE else self.kafka.sensors
        environment = {
            "SIGHTLINE_CONFIG": str(self.kafka.directory / "admin" / "sightline.toml"),
            "SIGHTLINE_SENSORS": str(sensors),
            "SIGHTLINE_TOPIC_PREFIX": prefix,
            "SIGHTLINE_LANE": lane,
            "SIGHTLINE_DIRECTORY": str(self.directory) if self.directory.exists() else "",
        }
        done = CliRunner().invoke(cli, list(arguments), env=environment)
        said = done.output + (str(done.exception) if done.exception else "")
        assert (done.exit_code == 0) == (status == 0), said
        return said

    def let_csirts_know(self) -> None:
        """Each country has a CSIRT, and all let all know."""
        terms = '[[organisation]]\ntlp = "GREEN"\nreleasable_to = ["community"]\n'
        text = self.sensors.read_text()
        self.sensors.write_text(text.replace("[[organisation]]\n", terms))
        countries = {party.country for party in files.registry_of(self.sensors, LANE).parties}
        today = time.strftime("%Y-%m-%d", time.gmtime())
        self.directory.write_text(
            "".join(
                f'[[csirt]]\nid = "{country.lower()}-cert"\nname = "CERT"\ncountry = "{country}"\n'
                f'role = "national"\nverified_at = {today}\n'
                f'constituency = {{ countries = ["{country}"] }}\n'
                for country in sorted(countries)
            )
        )
        self.run(LANE, "topics")

    def exercise(self, *arguments: str, status: int = 0) -> str:
        return self.run(LIVE, "exercise", *arguments, status=status)

    def config(self, user: str) -> Path:
        """The settings that were handed over when the exercise started."""
        return self.folder / "handover" / f"{LANE}{user}" / "sightline.toml"

    def login(self, user: str) -> Settings:
        return load(self.config(user), {})

    def worker(self, settings: Settings, sensors: Path, log: Path, stage: str = "all") -> Child:
        environment = settings.environment() | {
            "SIGHTLINE_SENSORS": str(sensors),
            "SIGHTLINE_METRICS_PORT": "0",
            "SIGHTLINE_LATENESS": "30d",
        }
        if settings.topic_prefix == LANE:
            environment["SIGHTLINE_DIRECTORY"] = str(self.directory)
        arguments = ("-m", "pipeline", "worker", "--stage", stage)
        return Child(*arguments, environment=environment, log=log)

    def records(self, prefix: str, only: str = "") -> dict[str, list[bytes]]:
        """By topic, key and value of every record that a lane has, or one topic of it."""
        admin = self.kafka.admin()
        topics = AdminClient(for_librdkafka(admin)).list_topics(timeout=30).topics
        found: dict[str, list[bytes]] = {}
        options = {"group.id": "scan", "enable.partition.eof": True, "enable.auto.commit": False}
        consumer = Consumer(for_librdkafka(admin) | options)
        places = [
            TopicPartition(name, partition, 0)
            for name, topic in topics.items()
            if name.startswith(prefix) and only in {"", name.removeprefix(prefix)}
            for partition in topic.partitions
        ]
        consumer.assign(places)
        ended = 0
        while ended < len(places):
            message = consumer.poll(10)
            assert message is not None
            error = message.error()
            if error is None:
                said = (message.key() or b"") + b"\0" + (message.value() or b"")
                found.setdefault(message.topic().removeprefix(prefix), []).append(said)
            else:
                assert error.code() == KafkaError._PARTITION_EOF
                ended += 1
        consumer.close()
        return found

    def said(self, topic: str, prefix: str, address: str) -> bytes | None:
        """The first record of a topic that names an address."""
        said = [one.partition(b"\0")[2] for one in self.records(prefix, topic).get(topic, [])]
        return next((one for one in said if address.encode() in one), None)


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    with secured(tmp_path_factory.mktemp("lanes")) as kafka:
        made = Drill(kafka)
        out = str(kafka.folder / "handover")
        for name, country in ORGANISATIONS.items():
            made.run(LIVE, "sensor", "add", name, "--country", country, "--out", out)
        made.run(LIVE, "principal", "add", "worker", "one", "--out", out)
        said = made.exercise(
            *("start", "drill", "--seed", "3", "--countries", "3", "--organisations", "3"),
            *("--days", "1", "--events", "100", "--campaigns", "2", "--dir", str(made.folder)),
        )
        assert BANNER in said
        made.let_csirts_know()
        yield made


class TestLanes:
    __test__ = not missing_for_kafka()

    def test_no_login_of_one_lane_reads_or_writes_the_other(self, drill: Drill) -> None:
        live = drill.kafka.settings("worker", "one")
        lane = drill.login("worker-lane")
        for topic in ("sightings", "alerts", "campaigns", "checkpoints", "dead-letters"):
            assert read(live, LANE + topic) == read(lane, LIVE + topic) == DENIED
            assert Writer(live).write(LANE + topic) == Writer(lane).write(LIVE + topic) == DENIED
        assert read(lane, f"{LANE}control") == OK
        assert Writer(lane).write(f"{LANE}control") == DENIED  # nobody but its lead stops it

    def test_a_canary_in_each_lane_is_never_in_the_other_and_what_is_forged_goes_nowhere(
        self, drill: Drill, tmp_path: Path
    ) -> None:
        kafka = drill.kafka
        registry = files.registry_of(drill.sensors, LANE)
        (first, *_) = {party.organisation for party in registry.parties}
        out = str(kafka.folder / "handover")
        drill.run(LANE, "sensor", "add", first, "--sensor-id", "strayed", "--out", out)
        handover = kafka.folder / "handover" / f"{LANE}sensor-strayed" / "sightline.toml"
        strayed = load(handover, {})
        own = topic_name(files.registry_of(drill.sensors, LANE).sensors["strayed"], LANE)
        live_topic = f"{LIVE}events.cz.cz-nren"
        assert Writer(strayed).write(live_topic, event("cz-nren-1", DRILL, "drill")) == DENIED
        assert Writer(kafka.sensor("cz-nren-1")).write(own, event("strayed", CANARY)) == DENIED

        one = kafka.settings("worker", "one")
        worker = drill.worker(one, kafka.sensors, tmp_path / "live", "intake")
        lane = drill.worker(drill.login("worker-lane"), drill.sensors, tmp_path / "lane")
        with worker, lane:
            for name, country in ORGANISATIONS.items():
                sensor = f"{name}-1"
                topic = f"{LIVE}events.{country.lower()}.{name}"
                writer = Writer(kafka.sensor(sensor))
                assert writer.write(topic, event(sensor, CANARY)) == OK
                assert writer.write(topic, event(sensor, FORGED, "drill")) == OK
            lead = Writer(kafka.admin())
            for party in registry.parties:
                (sensor, *_) = [s for s, of in registry.sensors.items() if of == party]
                told = event(sensor, DRILL, "drill")
                assert lead.write(topic_name(party, LANE), told) == OK
            assert Writer(strayed).write(own, event("strayed", STRAYED)) == OK

            until(lambda: drill.said("sightings", LIVE, CANARY), "the live canary", 90)
            alert = until(lambda: drill.said("alerts", LANE, DRILL), "the drill's canary", 90)

            def refusals(prefix: str) -> list[tuple[Reason, bytes]]:
                letters = [
                    dead_letter.decode(one.partition(b"\0")[2])
                    for one in drill.records(prefix, "dead-letters").get("dead-letters", [])
                ]
                return [(letter.reason, letter.raw) for letter in letters]

            assert until(lambda: len(refusals(LIVE)) == 3, "three forged ones are rejected", 60)
            assert until(lambda: len(refusals(LANE)) == 1, "one that strayed is rejected", 60)
            for prefix, address in ((LIVE, FORGED), (LANE, STRAYED)):
                for reason, raw in refusals(prefix):
                    assert reason is Reason.EXERCISE_MISMATCH
                    assert address.encode() in raw
            assert alert is not None
            assert decode_alert(alert).unmapped.exercise == "drill"

            drill.exercise("inject", "drill", "--dir", str(drill.folder))
            until(lambda: drill.records(LANE, "campaigns"), "a campaign of the world", 90)
            until(lambda: drill.records(LANE, "deliveries"), "a CSIRT is told", 60)
            live, other = drill.records(LIVE), drill.records(LANE)
            for topics, foreign in ((live, (DRILL, STRAYED)), (other, (CANARY, FORGED))):
                for said in (one for records in topics.values() for one in records):
                    assert not [address for address in foreign if address.encode() in said]
            for topics, forged in ((live, FORGED), (other, STRAYED)):
                for topic in ("sightings", "checkpoints", "alerts", "campaigns"):
                    assert not [s for s in topics.get(topic, []) if forged.encode() in s]

            for said in other["alerts"] + other["campaigns"]:
                told = json.loads(said.partition(b"\0")[2])
                assert told.get("unmapped", told)["exercise"] == "drill"
                assert told.get("message", BANNER).startswith(BANNER)

            # A team's operator asks why: what it may not read is said, and is no failure.
            team = next(party.country.lower() for party in registry.parties)
            asked = CliRunner().invoke(
                cli,
                ["explain", "--why-not", DRILL, "--config", str(drill.config(f"operator-{team}"))],
                env={"SIGHTLINE_SENSORS": str(drill.sensors)},
            )
            assert asked.exit_code == 0, asked.exception
            assert "there is an alert on it" in asked.output
            assert f"{LANE}sightings: not there, or this login may not read it" in asked.output

            # The lead stops it: workers end, logins are cut off, and nothing starts again.
            assert "revoked" in drill.exercise("stop", "drill")
            assert lane.wait(60) == 0
            assert worker.running
        assert "_AUTHENTICATION" in refused(strayed)
        again = drill.exercise("inject", "drill", "--dir", str(drill.folder), status=1)
        assert "has been stopped, which is for good" in again

        # The score is of the truth that was sealed, or there is none.
        score = json.loads(
            drill.exercise("score", "drill", "--json", "--dir", str(drill.folder)).encode()
        )
        teams = [team["team"] for team in score["teams"]]
        assert teams == sorted({party.country for party in registry.parties})
        conduct = [team["conduct"] for team in score["teams"]]
        assert sum(one["routed"] for one in conduct) > 0
        for one in conduct:
            assert one["routed"] <= one["due"]
            assert (one["astray"], one["unruled"], one["breaches"]) == (0, 0, 0)
            assert one["never"] == one["letters"]  # nobody wrote back
        truth = drill.folder / "truth.jsonl"
        truth.write_bytes(truth.read_bytes().replace(b'"c001"', b'"c009"'))
        mended = drill.exercise("score", "drill", "--dir", str(drill.folder), status=1)
        assert "is not the truth that was sealed" in mended
