"""The simulator with the campaign stage: what it tells in the end, whatever died on the way.

The other stages are those of `tests.simulator`. Beyond them one worker at a time is active: it
reads what was told and what led to it, takes sightings, alerts and labels from where was committed,
looks, tells, and commits. It is killed between any two of these, with what is on its way arrived in
part, or gives way to another in order. In the end the campaigns are those of one desk that read all
events of each source at once, and then the oracle's alerts, and nothing of their ids differs.

    python -m tests.campaign_simulator SEED            plays one seed again
    python -m tests.campaign_simulator FROM TO         plays many
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

import msgspec
from faust.types import TP

from pipeline.alert import alert
from pipeline.alert import encode as encode_alert
from pipeline.benign import NOTHING_LISTED
from pipeline.campaign import label
from pipeline.campaign.campaign import Campaign, Status, identity
from pipeline.campaign.desk import Desk
from pipeline.campaign.label import About, Label, Marked, Verdict
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.intake import Intake
from pipeline.registry import Party
from pipeline.rule import Level, Rule
from pipeline.share.terms import Conditions, Terms
from pipeline.share.tlp import Tlp
from pipeline.shell.case import READ, Case
from pipeline.sight import UNKNOWN_WATERMARK, every_length, partition_of
from pipeline.watermark import Watermarks
from tests import oracle
from tests.simulator import (
    BASE_MS,
    MOST_DEATHS,
    PARTIES,
    Alerts,
    FoundError,
    Record,
    Simulation,
    Source,
    Steps,
)

HOUR = 3_600_000  # ms
SPAN = 60
"""Hours in which everything is. No campaign ends in so few, and nothing is forgotten: that depends
on when it is looked, and is said elsewhere."""
HORIZON = 72 * HOUR
ALERT_PARTITIONS = 2
TOPICS = {name: name for name in READ}
TERMS = Terms({"north": Conditions(trust=0.9), "west": Conditions(tlp=Tlp.GREEN)})
SOURCES, FILES, TOOLS = 40, 3, 6
"""Addresses that are met now and then, files that everybody meets, addresses of campaigns."""


class CampaignHazard(StrEnum):
    """What the active worker must not do."""

    FORGET_WHAT_WAS_TOLD = "who takes over does not read what was told"
    GO_ON_FROM_COMMITTED = "who takes over does not read what led to it"
    TELL_UNREAD = "who takes over tells before it has read what its predecessor had"
    TELL_WITHOUT_LEADING_ON = "what is no more is not told of"


class AlertLogs(Alerts):
    """The alerts topic, by partition; all but the newest revision of an id may be compacted."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[list[Record | None]] = [[] for _ in range(ALERT_PARTITIONS)]

    def append(self, episode: Episode) -> None:
        super().append(episode)
        log = self.logs[partition_of(episode.id, ALERT_PARTITIONS)]
        log.append((episode.id.encode(), encode_alert(alert(episode, Geo()))))

    def compact(self) -> None:
        for log in self.logs:
            newest = {record[0]: n for n, record in enumerate(log) if record is not None}
            for n, record in enumerate(log):
                if record is not None and newest[record[0]] != n:
                    log[n] = None


class CampaignSimulation(Simulation):
    """One run of one seed."""

    program: ClassVar[str] = "tests.campaign_simulator"
    company: ClassVar[bool] = True
    fewest: ClassVar[int] = 4

    def __init__(
        self, seed: int, wrong: CampaignHazard | None = None, *, loud: bool = False
    ) -> None:
        super().__init__(seed, loud=loud)
        self._rules = [*self._rules, *(self._rule_on(kind) for kind in ("ip", "sha256"))]
        self._wrong = wrong
        self._least = self.random.choice([2, 3, 3])
        self.alerts: AlertLogs = AlertLogs()
        self.campaigns: dict[str, Campaign] = {}
        """The campaigns topic, compacted."""
        self._labels: list[Record | None] = []
        self._committed_to: dict[TP, int] = dict.fromkeys(self._topics(), 0)
        self._on_their_way: list[Campaign] = []
        self._active = self._campaign()
        self.handed_over = 0
        self._told = False

    # ── the world ───────────────────────────────────────────────────────────────────────────

    def _rule(self) -> Rule:
        return self._rule_on(self.random.choice(["ip", "sha256"]))

    def _rule_on(self, kind: str) -> Rule:
        pick = self.random.choice
        timespan, gte = pick([HOUR, 6 * HOUR, 24 * HOUR]), pick([2, 3])
        name = f"{kind}-{timespan}-{gte}-{self.random.random()}"
        return Rule(name, name, Level.LOW, kind, timespan, pick(["country", "organisation"]), gte)

    def _source(self, n: int) -> Source:
        random = self.random
        if n == 0:
            self._strikes = [self._strike() for _ in range(random.choice([1, 1, 2, 3]))]
        party = Party(*PARTIES[n % len(PARTIES)])
        happened = [
            (random.randrange(SPAN * HOUR), f"source-{random.randrange(SOURCES)}", file)
            for file in random.choices(range(FILES), k=random.randint(4, 14))
        ]
        for tools, file, hours in self._strikes:
            if random.random() < 0.8:
                happened += [
                    (hour * HOUR + random.randrange(HOUR), random.choice(tools), file)
                    for hour in hours
                    if random.random() < 0.9
                ]
        disorder = random.choice([0, 0, HOUR, 20 * HOUR])
        happened.sort(key=lambda each: (each[0] + random.uniform(0, disorder), each))
        events: list[bytes] = []
        latest = 0
        for time, name, file in happened:
            latest = max(latest, time)
            self._lateness = max(self._lateness, latest - time)
            ip, digest = _address(name), f"{file:064x}"
            event = {
                "time": BASE_MS + time,
                "metadata": {"uid": f"{time}"},
                "device": {"uid": f"sensor-{n}"},
                "src_endpoint": {"ip": ip},
                "file": {"hashes": [{"algorithm_id": 3, "value": digest}]},
            }
            events += [json.dumps(event).encode()] * random.choice([1, 1, 1, 2])
            for kind, value in (("ip", ip), ("sha256", digest)):
                self.sightings.append(
                    oracle.Sighting(kind, value, *party, BASE_MS + time, event=f"{n}/{time}")
                )
        return self._sent(n, party, events)

    def _strike(self) -> tuple[list[str], int, list[int]]:
        """Tools that bring a file, and the hours at which they do. Tools may be of several."""
        random = self.random
        tools = [f"tool-{n}" for n in random.sample(range(TOOLS), random.choice([1, 1, 2]))]
        hours = random.sample(range(SPAN), random.choice([3, 4, 5]))
        return tools, FILES + random.randrange(3), hours

    # ── the campaign stage ──────────────────────────────────────────────────────────────────

    def _topics(self) -> list[TP]:
        return [
            *(TP("sightings", n) for n in range(self._partitions)),
            *(TP("alerts", n) for n in range(ALERT_PARTITIONS)),
            TP("labels", 0),
        ]

    def _log_of(self, tp: TP) -> list[Record] | list[Record | None]:
        if tp.topic == "sightings":
            return self._log[tp.partition]
        return self.alerts.logs[tp.partition] if tp.topic == "alerts" else self._labels

    def _desk(self) -> Desk:
        return Desk(
            every_length(self._rules),
            NOTHING_LISTED,
            TERMS,
            HORIZON,
            least_countries=self._least,
        )

    def _campaign(self) -> Steps:
        """The active worker, from its taking over on."""
        random, wrong = self.random, self._wrong
        marks = [Watermarks(self._lateness) for _ in range(self._partitions)]
        case = Case(self._desk(), marks, TOPICS)
        yield
        if wrong is not CampaignHazard.FORGET_WHAT_WAS_TOLD:
            for told in self.campaigns.values():
                case.desk.remember(told)
        position = dict(self._committed_to)
        for tp, upto in position.items():
            yield
            if wrong is not CampaignHazard.GO_ON_FROM_COMMITTED:
                for record in self._log_of(tp)[:upto]:
                    if record is not None:
                        case.take(tp, record)
        if wrong is not CampaignHazard.TELL_UNREAD:
            written = {tp: len(self._log_of(tp)) for tp in position}
            case.follow({tp: end for tp, end in written.items() if position[tp] < end})
        busy = [False]
        hands = [self._take(case, position, busy), self._tell(case, position, busy)]
        while True:
            yield
            if self._on_their_way and random.random() < 0.2:
                self._arrive(self._on_their_way.pop(0))
            else:
                next(random.choice(hands))

    def _take(self, case: Case, position: dict[TP, int], busy: list[bool]) -> Steps:
        """Batch after batch; nobody else looks meanwhile (`busy`: the gate)."""
        while True:
            yield
            tp = self.random.choice(list(position))
            log, begin = self._log_of(tp), position[tp]
            batch = log[begin : begin + self.random.choice([1, 3, 20])]
            if busy[0] or not batch:
                continue
            busy[0] = True
            for record in batch:
                if record is not None and case.take(tp, record):
                    yield from self._look(case)
            position[tp] = begin + len(batch)
            case.has_read(tp, position[tp])
            busy[0] = False

    def _tell(self, case: Case, position: dict[TP, int], busy: list[bool]) -> Steps:
        """Now and then what has changed, and then the commit."""
        while True:
            yield
            if self.random.random() > 0.1 or case.unread:
                continue
            noted = dict(position)
            if case.desk.changed:
                while busy[0]:
                    yield
                busy[0] = True
                yield from self._look(case)
                busy[0] = False
            while self._on_their_way:
                yield
            yield
            self._committed_to.update(noted)
            rests = not (case.desk.changed or self._on_their_way or busy[0])
            self._told = rests and self._is_read(noted)

    def _look(self, case: Case) -> Steps:
        for one in case.look():
            if self._wrong is CampaignHazard.TELL_WITHOUT_LEADING_ON and (
                one.merged_into is not msgspec.UNSET or one.withdrawn is not msgspec.UNSET
            ):
                continue
            yield
            self._on_their_way.append(one)

    def _arrive(self, one: Campaign) -> None:
        ended = one.status is Status.CLOSED and one.withdrawn is msgspec.UNSET
        if ended and one.label is msgspec.UNSET:
            raise FoundError(
                f"seed {self.seed}: {one.id} is closed, and nothing ends so soon: "
                f"python -m {self.program} {self.seed}"
            )
        self.campaigns[one.id] = one

    def _is_read(self, position: dict[TP, int]) -> bool:
        return all(self._ended) and all(
            upto == len(self._log_of(tp)) for tp, upto in position.items()
        )

    # ── the scheduler ───────────────────────────────────────────────────────────────────────

    def _over(self) -> bool:
        return super()._over() and self._told

    def _beyond(self) -> bool:
        random, chance = self.random, self.random.random()
        if chance > 0.3 and not super()._over():
            return False
        if chance < 0.015 and self.handed_over < MOST_DEATHS:
            self.handed_over += 1
            self._say("campaign: the active worker dies")
            arrived = random.randint(0, len(self._on_their_way))
            for one in self._on_their_way[:arrived]:
                self._arrive(one)
            self._begin_anew()
        elif chance < 0.03 and self.handed_over < MOST_DEATHS:
            self.handed_over += 1
            self._say("campaign: the active worker gives way to another")
            for one in self._on_their_way:
                self._arrive(one)
            self._begin_anew()
        elif chance < 0.035:
            self.alerts.compact()
        elif chance < 0.038 and not super()._over():
            self._say_a_word()
        else:
            next(self._active)
        return True

    def _begin_anew(self) -> None:
        self._on_their_way = []
        self._told = False
        self._active = self._campaign()

    def _say_a_word(self) -> None:
        """An analyst's, of an alert or a campaign as it stands."""
        random = self.random
        verdict, at = random.choice(list(Verdict)), len(self._labels)
        told: Label | None = None
        if random.random() < 0.5 and self.campaigns:
            of = random.choice(list(self.campaigns.values()))
            told = Label(of.id, About.CAMPAIGN, verdict, "ann", at, organisations=of.organisations)
        elif self.alerts.newest:
            one = random.choice(list(self.alerts.newest.values()))
            marked = (Marked(one.rule.indicator_type, one.value),)
            told = Label(one.id, About.ALERT, verdict, "ann", at, "", 90, marked, one.organisations)
        if told is not None:
            self._labels.append((label.key(told).encode(), label.encode(told)))

    # ── what it must come to ────────────────────────────────────────────────────────────────

    def _check(self) -> None:
        super()._check()
        wanted = {one.id: one for one in self._wanted()}
        found = {one.id: one for one in self.standing()}
        for name in found.keys() - wanted.keys():
            # Nothing ends in so few hours, unless an analyst says so: that stands as it was said.
            if found[name].status is Status.CLOSED and found[name].label is not msgspec.UNSET:
                del found[name]
        if found != wanted:
            missing = wanted.keys() - found.keys()
            extra = found.keys() - wanted.keys()
            other = [
                (name, field, getattr(found[name], field), getattr(one, field))
                for name, one in wanted.items()
                if name in found
                for field in one.__struct_fields__
                if getattr(found[name], field) != getattr(one, field)
            ]
            raise FoundError(
                f"seed {self.seed}: campaigns: {missing=} {extra=}: "
                f"python -m {self.program} {self.seed}\n{other=}"
            )

    def _wanted(self) -> Iterator[Campaign]:
        """What one desk says that read it all at once, without anything happening."""
        desk = self._desk()
        lengths = every_length(self._rules)
        for source in self._sources:
            whole = Intake(
                source.name,
                {source.sensor: source.party},
                self._known,
                lengths,
                self._lateness,
                company=True,
            )
            for message in source.messages:
                whole.read(message, BASE_MS + 10**9)
            for packed in whole.pack(1, 0).values():
                for sightings in packed:
                    desk.observe(sightings)
        for episode in self.alerts.newest.values():
            if episode.change is not Change.MERGED:
                desk.raise_(alert(episode, Geo()))
        for record in self._labels:
            assert record is not None
            assert record[1] is not None
            desk.label(label.decode(record[1]))
        assert all(one.id in map(identity, _members(one)) for one in desk.look(UNKNOWN_WATERMARK))
        for one in desk.told.values():
            yield msgspec.structs.replace(one, split_from=msgspec.UNSET)

    def standing(self) -> Iterator[Campaign]:
        """Those told that are; every other leads to one, or was withdrawn."""
        for one in self.campaigns.values():
            ahead, seen = one, {one.id}
            while ahead.status is Status.MERGED:
                following = self.campaigns.get(str(ahead.merged_into))
                if following is None or following.id in seen:
                    raise FoundError(
                        f"seed {self.seed}: {one.id} leads nowhere: "
                        f"python -m {self.program} {self.seed}"
                    )
                ahead = following
                seen.add(ahead.id)
            if one.status is not Status.MERGED and one.withdrawn is msgspec.UNSET:
                yield msgspec.structs.replace(one, split_from=msgspec.UNSET)


def _members(one: Campaign) -> Iterator[tuple[str, str]]:
    return ((each.type, each.value) for each in one.indicators)


def _address(name: str) -> str:
    kind, _, number = name.partition("-")
    return f"{'8' if kind == 'tool' else '9'}.{number}.{number}.1"


def main() -> None:
    first = int(sys.argv[1])
    last = int(sys.argv[2]) if len(sys.argv) > 2 else first + 1
    told = 0
    for seed in range(first, last):
        simulation = CampaignSimulation(seed, loud=last == first + 1)
        simulation.run()
        told += len(list(simulation.standing()))
    print(f"seeds {first} … {last - 1}: the campaigns are those without faults, {told} of them")


if __name__ == "__main__":
    main()
