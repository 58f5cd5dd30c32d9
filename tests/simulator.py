"""The whole pipeline in one process, from a seed: no thread, no clock, no broker.

Sources hold messages; intake workers own sources and send sightings; correlate workers own
partitions of `sightings`, send alerts and write checkpoints. Each worker is a generator that
yields before everything that can be seen from outside; a scheduler advances one of them, or kills
it, or gives its partitions to another. What was sent and not awaited is lost with its sender, in
part. In the end the alerts are those of the oracle, each under one id.

    python -m tests.simulator SEED            plays one seed again and prints what happened
    python -m tests.simulator FROM TO         plays many

A `Hazard` is a known way to get it wrong. The tests hold that each is found.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from random import Random
from typing import Any, ClassVar
from unittest.mock import patch

from pipeline import shard as shard_module
from pipeline import surprise
from pipeline.aspects import Asked
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.intake import Intake
from pipeline.registry import Party
from pipeline.rule import Level, Rule, Selection
from pipeline.shard import SEAL_KEY, Shard, Taken, at_once
from pipeline.sight import PROGRESS_KEY, Progress, SourceState, encode, fold_lengths, records
from pipeline.surprise import STRETCH, Background, Chance, base_slices
from pipeline.tally import Tally
from tests import oracle

MOST_DEATHS = 25
BASE_MS = 1_700_000_000_000
PARTIES = (("north", "CZ"), ("north", "SK"), ("south", "CZ"), ("west", "AT"), ("east", "DE"))
BACKGROUND = Background(4, 4)
IPS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
ORIGINS = {"1.1.1.1": "AU", "8.8.8.8": "US"}


def _base(name: str) -> Selection:
    """Selects the events that say so."""
    return Selection(name, name, ("meets",), lambda event: name in event["meets"])


BASES = [_base(name) for name in ("scan", "brute", "drop")]
_OF_RULES = {"rule", "ordered"}


class _Places:
    """A GeoIP database."""

    def get(self, ip: str, /) -> dict[str, str] | None:
        return {"country_code": ORIGINS[ip]} if ip in ORIGINS else None


Record = tuple[bytes | None, bytes | None]
Steps = Iterator[None]


class Hazard(StrEnum):
    """What a worker must not do."""

    BUG_IS_DONE = "a batch whose handling raised counts as done"
    COMMIT_FETCHED = "what was fetched is committed, not what is done"
    COMMIT_UNDELIVERED = "committed before what was sent has arrived"
    COMMIT_BEFORE_CHECKPOINT = "committed before the checkpoint is written"
    CHECKPOINT_BEFORE_ALERTS = "a checkpoint says that alerts are out that are not"
    NO_WRITE_AHEAD = "an alert goes out before its id is kept"
    AHEAD_OF_ALL = "an id is kept while what was told of its indicator before is not out"
    RESTORE_BY_PLACE = "segments are restored as they lie in the log, not as they were made"
    EVICT_BEFORE_SEAL = "what a checkpoint replaces is deleted before its seal"


@dataclass
class Source:
    """A partition of an events topic."""

    name: str
    sensor: str
    party: Party
    messages: list[bytes]
    committed: int = 0


@dataclass
class Alerts:
    """The alerts topic: every revision, and the newest by id."""

    newest: dict[str, Episode] = field(default_factory=dict)

    def append(self, episode: Episode) -> None:
        self.newest[episode.id] = episode


class FoundError(AssertionError):
    """The alerts are not what they must be; says the seed."""


class Simulation:
    """One run of one seed."""

    program: ClassVar[str] = "tests.simulator"
    """Plays a seed again."""
    company: ClassVar[bool] = False
    """Is it asked what came together?"""
    fewest: ClassVar[int] = 1
    """Sources, of five."""

    def __init__(self, seed: int, hazard: Hazard | None = None, *, loud: bool = False) -> None:
        self.seed = seed
        self.random = Random(seed)
        self._hazard = hazard
        self._loud = loud
        self._deaths = 0
        self._partitions = self.random.choice([1, 2, 3])
        self._rules = [self._rule() for _ in range(self.random.choice([1, 1, 2]))]
        self.sightings: list[oracle.Sighting] = []
        self._lateness = 0
        self._sources = [self._source(n) for n in range(self.random.randint(self.fewest, 5))]
        self._known = {source.sensor: source.party for source in self._sources}
        self._log: list[list[Record]] = [[] for _ in range(self._partitions)]
        self._checkpoints: list[list[tuple[bytes, bytes | None]]] = [
            [] for _ in range(self._partitions)
        ]
        self._committed = [0] * self._partitions
        self.alerts = Alerts()
        self._ended = [False] * self._partitions

    def _say(self, *what: object) -> None:
        if self._loud:
            print(*what)

    def _rule(self) -> Rule:
        pick = self.random.choice
        kind, timespan, gte = "ip", pick([60, 60, 90, 240]), pick([1, 2, 2, 3])
        name = f"{timespan}-{gte}-{self.random.random()}"
        field: Any = pick(["country", "organisation"])
        asks = pick(["", "", "country", "event", "rule", "ordered", "origin_country"])
        if not asks:
            return Rule(name, name, Level.LOW, kind, timespan, field, gte)
        chosen = self.random.sample([*BASES, None], pick([2, 3]) if asks in _OF_RULES else 1)
        if asks in _OF_RULES:
            field, gte = "rule", len(chosen)
        else:
            field = asks
        beside = (0, 0) if field == "country" else (pick([0, 2]), pick([0, 0, 2]))
        return Rule(
            name, name, Level.LOW, kind, timespan, field, gte, "", (), *beside, tuple(chosen),
            asks == "ordered",
        )  # fmt: skip

    def _source(self, n: int) -> Source:
        random = self.random
        party = Party(*random.choice(PARTIES))
        sensor = f"sensor-{n}"
        span = random.choice([60, 400, 3_000])
        times = sorted(random.randrange(span) for _ in range(random.randint(0, 25)))
        disorder = random.choice([0, 0, 5, 70])
        arrived = sorted(times, key=lambda time: time + random.uniform(0, disorder))
        events: list[bytes] = []
        latest = 0
        for time in arrived:
            latest = max(latest, time)
            self._lateness = max(self._lateness, latest - time)
            ip = random.choice(IPS)
            meets = [base.name for base in BASES if random.random() < 0.5]
            uid = random.choice("uv")
            event = {
                "time": BASE_MS + time,
                "metadata": {"uid": uid},
                "device": {"uid": sensor},
                "src_endpoint": {"ip": ip},
                "meets": meets,
            }
            events += [json.dumps(event).encode()] * random.choice([1, 1, 1, 2])
            self.sightings.append(
                oracle.Sighting(
                    "ip", ip, *party, BASE_MS + time, ORIGINS.get(ip, ""),
                    f"{sensor}/{uid}/{time}", frozenset(meets),
                )
            )  # fmt: skip
            if random.random() < 0.05:
                events.append(b"{")
        return self._sent(n, party, events)

    def _sent(self, n: int, party: Party, events: list[bytes]) -> Source:
        """A source of these events, several in a message now and then."""
        messages: list[bytes] = []
        while events:
            size = self.random.choice([1, 1, 3])
            messages.append(b"\n".join(events[:size]))
            del events[:size]
        return Source(f"events/{n}", f"sensor-{n}", party, messages)

    # ── intake ──────────────────────────────────────────────────────────────────────────────

    def _intake(self, sources: list[Source], life: list[bool]) -> Steps:
        """One intake worker; `life[0]` says whether the group still knows it."""
        random = self.random
        expected = [source.name for source in self._sources]
        lengths, asked = fold_lengths(self._rules), Asked(self._rules, Geo(_Places()))
        intakes = {
            source.name: Intake(
                source.name,
                {source.sensor: source.party},
                self._known,
                lengths,
                self._lateness,
                company=self.company,
                asked=asked,
            )
            for source in sources
        }
        done = {source.name: source.committed for source in sources}
        pending: list[tuple[int, Record]] = []

        def deliver(count: int) -> Steps:
            for partition, record in pending[:count]:
                yield
                self._log[partition].append(record)
                pending.pop(0)

        while True:
            yield
            chance = random.random()
            source = random.choice(sources)
            name = source.name
            if chance < 0.45 and done[name] < len(source.messages):
                batch = source.messages[done[name] : done[name] + random.choice([1, 2, 8])]
                after = done[name] + len(batch)
                intake = intakes[name]
                if self._hazard is Hazard.COMMIT_FETCHED and random.random() < 0.1 and life[0]:
                    source.committed = after  # the timer that commits does not wait for the agent
                    yield
                for message in batch:
                    intake.read(message, BASE_MS + 10**9)
                    if random.random() < 0.01 and self._deaths < MOST_DEATHS:
                        if self._hazard is not Hazard.BUG_IS_DONE:
                            return  # a bug ends the process
                        intake.pack(self._partitions, 0)
                        break
                assert intake.tally.adds_up
                intake.tally = Tally()
                for partition, packed in intake.pack(self._partitions, 0).items():
                    for sightings in packed:
                        pending += ((partition, (None, record)) for record in records(sightings))
                        yield
                done[name] = after
            elif chance < 0.6:
                yield from deliver(random.randint(0, len(pending)))
            elif chance < 0.75:
                states = [
                    SourceState(
                        one.name,
                        intakes[one.name].watermark,
                        idle=done[one.name] == len(one.messages) and random.random() < 0.5,
                    )
                    for one in sources
                ]
                told = encode(Progress(states, expected))
                pending += ((n, (PROGRESS_KEY, told)) for n in range(self._partitions))
            elif chance < 0.9:
                noted = dict(done)
                if self._hazard is not Hazard.COMMIT_UNDELIVERED:
                    yield from deliver(len(pending))
                yield
                for one in sources if life[0] else ():
                    one.committed = noted[one.name]

    # ── correlate ───────────────────────────────────────────────────────────────────────────

    def _correlate(self, partition: int) -> Steps:
        """One partition of `sightings`, from its checkpoints to the end."""
        random, log = self.random, self._log[partition]
        shard = Shard(self._rules, self._lateness, background=BACKGROUND)
        shard.restore(self._compacted(partition))
        position = noted = self._committed[partition]
        waiting: list[Taken] = []
        pending: list[Episode] = []
        checkpoint: Iterator[tuple[bytes, bytes | None]] | None = None
        # Several segments are made at once and sent one by one: a write-ahead may go in between.
        made: list[tuple[bytes, bytes | None]] = []

        def deliver() -> Steps:
            while pending:
                yield
                self.alerts.append(pending.pop(0))

        def send(least: int = 0) -> Steps:
            while len(waiting) > least:
                careless = self._hazard is Hazard.AHEAD_OF_ALL
                group = waiting[: len(waiting) if careless else at_once(waiting)]
                del waiting[: len(group)]
                ahead = [segment for taken in group for segment in taken.write_ahead]
                if ahead and self._hazard is not Hazard.NO_WRITE_AHEAD:
                    yield from deliver()
                    for segment in ahead:
                        yield
                        self._checkpoints[partition].append(segment)
                for taken in group:
                    pending.extend(taken.episodes)

        while True:
            yield
            if checkpoint is None and random.random() < 0.3:
                yield from send()
                noted = position
                pending += shard.refresh()
                checkpoint = self._ordered(shard.checkpoint())
                if self._hazard is Hazard.COMMIT_BEFORE_CHECKPOINT:
                    self._committed[partition] = noted
            elif checkpoint is not None and random.random() < 0.6:
                if not made:
                    if self._hazard is not Hazard.CHECKPOINT_BEFORE_ALERTS:
                        yield from send()
                        yield from deliver()
                    made = list(islice(checkpoint, random.choice([1, 2, 4])))
                yield
                if made:
                    self._checkpoints[partition].append(made.pop(0))
                else:
                    self._committed[partition] = noted
                    checkpoint = None
            elif position < len(log):
                size = random.choice([1, 2, 8])
                batch = log[position : position + size]
                waiting.append(shard.take(batch))
                position += len(batch)
                yield from send(random.choice([0, 0, 2, 4]))
            elif random.random() < 0.3:
                yield from send()
                yield from deliver()
            elif self._all_sent() and checkpoint is None:
                yield from send()
                yield from deliver()
                for episode in (*shard.take([]).episodes, *shard.correlator.finish()):
                    self.alerts.append(episode)
                self._ended[partition] = True
                return

    def _ordered(
        self, segments: Iterator[tuple[bytes, bytes | None]]
    ) -> Iterator[tuple[bytes, bytes | None]]:
        if self._hazard is not Hazard.EVICT_BEFORE_SEAL:
            return segments
        made = list(segments)
        return iter(sorted(made, key=lambda record: (record[0] == SEAL_KEY, record[1] is not None)))

    def _compacted(self, partition: int) -> list[tuple[bytes, bytes | None]]:
        written = self._checkpoints[partition]
        newest = {key: n for n, (key, _) in enumerate(written)}
        compacted = [written[n] for n in sorted(newest.values())]
        if self._hazard is Hazard.RESTORE_BY_PLACE:
            numbers = iter(sorted(key for key, _ in compacted if key != SEAL_KEY))
            return [(key if key == SEAL_KEY else next(numbers), kept) for key, kept in compacted]
        return compacted

    def _all_sent(self) -> bool:
        return all(source.committed == len(source.messages) for source in self._sources)

    # ── the scheduler ───────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Play it to its end; a `FoundError` if the alerts are not the oracle's."""
        # So small that whole rounds of the state come and go within a run.
        with (
            patch.object(shard_module, "ROUND_STEP", self.random.choice([1, 1, 4000])),
            patch.object(shard_module, "SEGMENT_INDICATORS", self.random.choice([1, 4000])),
            # So few that what is counted before an episode is forgotten within a run.
            patch.object(surprise, "BASE_WINDOWS", self.seed % 8 + 1),
        ):
            try:
                self._play()
            except AssertionError as error:
                raise FoundError(
                    f"seed {self.seed}: {error!r} in the core: python -m {self.program} {self.seed}"
                ) from error
            self._check()

    def _play(self) -> None:
        random = self.random
        intakes = self._assign()
        zombies: list[Steps] = []
        correlates = [self._correlate(n) for n in range(self._partitions)]
        while not self._over():
            if self._beyond():
                continue
            chance = random.random()
            deadly = self._deaths < MOST_DEATHS
            if chance < 0.01 and deadly:
                self._deaths += 1
                self._say("intake: a rebalance; the old workers do not know yet")
                for steps, life in intakes:
                    life[0] = False
                    zombies.append(steps)
                intakes = self._assign()
            elif chance < 0.02 and deadly:
                partition = random.randrange(self._partitions)
                if self._ended[partition]:
                    continue
                self._deaths += 1
                self._say(f"correlate: partition {partition} dies or moves")
                correlates[partition] = self._correlate(partition)
            elif chance < 0.05 and zombies:
                if random.random() < 0.3:
                    zombies.pop(random.randrange(len(zombies)))
                else:
                    next(random.choice(zombies), None)
            elif chance < 0.5:
                n = random.randrange(len(intakes))
                if next(intakes[n][0], self) is self:
                    self._deaths += 1
                    self._say("intake: a bug, and a restart")
                    intakes = self._assign()
            else:
                partition = random.randrange(self._partitions)
                next(correlates[partition], None)

    def _over(self) -> bool:
        return all(self._ended)

    def _beyond(self) -> bool:
        """Is it the turn of a stage that lies beyond? Then it takes it."""
        return False

    def _assign(self) -> list[tuple[Steps, list[bool]]]:
        """The sources, dealt to one worker or two, who begin where was committed."""
        dealt: dict[int, list[Source]] = defaultdict(list)
        workers = self.random.choice([1, 2])
        for source in self._sources:
            dealt[self.random.randrange(workers)].append(source)
        lives = [[True] for _ in dealt]
        return [
            (self._intake(sources, life), life)
            for sources, life in zip(dealt.values(), lives, strict=True)
        ]

    def _check(self) -> None:
        told = sorted(
            (
                one.rule.id,
                oracle.Episode(
                    one.rule.indicator_type,
                    one.value,
                    one.first_seen,
                    one.last_seen,
                    one.countries,
                    one.organisations,
                ),
                one.p_value,
            )
            for one in self.alerts.newest.values()
            if one.change is not Change.MERGED
        )
        true = sorted(
            (
                rule.id,
                episode,
                Chance(rule, BACKGROUND).p_value(*counted) if rule.spread else None,
            )
            for rule in self._rules
            for episode, counted in oracle.outbreaks(
                self.sightings,
                oracle.rule_of(rule),
                base_slices(rule.timespan_ms),
                STRETCH,
            ).items()
        )
        still = [one for one in self.alerts.newest.values() if one.change not in _LAST]
        if told != true or still:
            missing = [one for one in true if one not in told]
            extra = [one for one in told if one not in true]
            raise FoundError(
                f"seed {self.seed}: {len(missing)} missing, {len(extra)} extra, "
                f"{len(told) - len(set(told))} twice, {len(still)} left open: "
                f"python -m {self.program} {self.seed}\n{missing=}\n{extra=}"
            )


_LAST = (Change.CLOSED, Change.MERGED)


def main() -> None:
    first = int(sys.argv[1])
    last = int(sys.argv[2]) if len(sys.argv) > 2 else first + 1
    for seed in range(first, last):
        Simulation(seed, loud=last == first + 1).run()
    print(f"seeds {first} … {last - 1}: the alerts are the oracle's")


if __name__ == "__main__":
    main()
