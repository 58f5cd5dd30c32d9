"""What is done to a running pipeline, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.alert import Alert
from pipeline.shell import observe
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child, until
from tests.integration import traffic
from tests.integration.harness import Pipeline

Event = tuple[str, bytes]
"""Country and event."""

CLOSED = 3  # an activity_id of OCSF
FATES = ("correlated", "without_indicators", "rejected", "late")


@dataclass(frozen=True)
class Verdict:
    """How the alerts of a run differ from the offline run's; nothing in it: they are the same."""

    alerts: int
    closed: int
    missing: list[observe.AlertKey]
    extra: list[observe.AlertKey]
    double: list[observe.AlertKey]
    """The same episode under several ids."""

    @property
    def exact(self) -> bool:
        return not (self.missing or self.extra or self.double)


def compare(revisions: Sequence[Alert], wanted: Sequence[observe.AlertKey]) -> Verdict:
    """Every id that was ever told counts, unless it was closed as merged into one that stands."""
    newest = {alert.finding_info.uid: alert for alert in revisions}
    for alert in newest.values():
        if isinstance(alert.unmapped.merged_into, str):
            assert alert.unmapped.merged_into in newest, "merged into what was never told"
    told, should = Counter(observe.final(revisions)), Counter(wanted)
    return Verdict(
        len(newest),
        sum(alert.activity_id == CLOSED for alert in newest.values()),
        sorted((should - told).elements()),
        sorted(key for key in told if key not in should),
        sorted(key for key, count in told.items() if key in should and count > should[key]),
    )


class Fed(Pipeline):
    """A pipeline that is fed `traffic`, and remembers what it was fed."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, **settings: str | int) -> None:
        sensors, rules = folder / "sensors.toml", folder / "rules.yml"
        sensors.write_text(traffic.SENSORS)
        rules.write_text(traffic.RULES)
        super().__init__(
            bootstrap,
            prefix,
            rules,
            sensors,
            lateness=traffic.LATENESS,
            # Hours of event time pass in seconds: a source is not silent because its reader died.
            source_idle_after="10m",
            events_partitions=2,
            **settings,
        )
        self.fed: list[bytes] = []
        topics = self.registry.topics(prefix)
        self.country = {party.country: topic for topic, party in topics.items()}
        self.create_topics()

    def feed(self, events: Iterable[Event]) -> None:
        events = list(events)
        self.fed += [event for _, event in events]
        self.produce((self.country[country], event) for country, event in events)

    def verdict(self) -> Verdict:
        """Say how the whole alerts topic differs from the offline run over what was fed."""
        return compare(asyncio.run(observe.alerts(self.settings)), self.offline(self.fed))

    def done(self, stage: str) -> tuple[int, int]:
        """Records that a stage has committed, and that there are for it."""
        return asyncio.run(self._done(stage))

    async def _done(self, stage: str) -> tuple[int, int]:
        topics = list(self.country.values())
        if stage == "correlate":
            topics = [self.settings.topic("sightings")]
        broker = self.settings.broker
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            async with AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False) as one:
                ends = await observe.ends_of(one, topics)
            group = self.settings.topic(f"sightline-{stage}")
            found = await admin.list_consumer_group_offsets(group, partitions=list(ends))
        finally:
            await admin.close()
        return sum(max(at.offset, 0) for at in found.values()), sum(ends.values())

    def partly_done(self, stage: str, share: float, within: float = 90.0) -> None:
        """Wait until a stage has committed a share of what is still to be done now."""
        done, end = self.done(stage)
        until(
            lambda: self.done(stage)[0] >= done + share * (end - done),
            f"{stage} has done {share:.0%} of {end - done} records",
            within,
        )


def stages(worker: Child) -> dict[str, int]:
    """The process ids of a worker's stages that are running, by stage."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found: dict[str, int] = {}
    for line in listed.splitlines():
        pid, parent, state, *command = line.split()
        if (
            int(parent) == worker.pid
            and "pipeline.shell.worker" in command
            and not state.startswith("Z")
        ):
            found[command[-1]] = int(pid)
    return found


def stage(worker: Child, name: str, within: float = 60.0) -> int:
    """The process id of one stage of a worker; waits for it to run."""
    return until(lambda: stages(worker).get(name, 0), f"there is a process of {name}", within)


def kill_one(workers: Sequence[Child], random: Random) -> tuple[Child, str, int]:
    """SIGKILL a stage's process, whichever; of which worker and stage it was."""
    running = until(
        lambda: [(w, name, pid) for w in workers for name, pid in sorted(stages(w).items())],
        "a stage is running",
    )
    victim = random.choice(running)
    os.kill(victim[2], signal.SIGKILL)
    return victim


def adds_up(port: int, within: float = 30.0) -> dict[str, float]:
    """A worker's metrics, in which every event has one fate: received = the sum of them.

    Counters are read one after the other, while they are counted: it has to be so at some moment.
    Events that were read again after a kill have two fates, and were received twice.
    """

    def balanced() -> dict[str, float] | None:
        seen = observe.metrics(port)
        fates = sum(seen.get(f"sightline_events_{fate}_total", 0) for fate in FATES)
        return seen if seen.get("sightline_events_received_total", 0) == fates else None

    found = until(balanced, "every event received has one fate", within)
    assert found is not None
    return found


@contextmanager
def own_kafka(folder: Path) -> Iterator[OwnKafka]:
    """A Kafka on a folder of its own, which can be killed and started again."""
    broker = OwnKafka(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.child.stop()


class OwnKafka:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()

    @property
    def bootstrap(self) -> str:
        return self.child.ready

    def start(self) -> None:
        arguments = ("--dir", str(self._folder), "--port", str(self._port))
        self.child = Child("-m", "pipeline.shell.broker", *arguments, ready_within=300)
        self.child.start()

    def kill(self) -> None:
        """SIGKILL to the JVM: no farewell, nothing flushed."""
        os.kill(int((self._folder / "jvm.pid").read_text()), signal.SIGKILL)
        self.child.wait(60)
