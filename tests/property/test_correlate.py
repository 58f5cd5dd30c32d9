"""The correlator says what the oracle says, whatever happens on the way.

Any order within the lateness, any duplication, any split into batches, any crash between any
two steps: the alerts are those of the contract's definition, each with one id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from hypothesis import event, given, settings
from hypothesis import strategies as st

from pipeline import shard as shard_module
from pipeline import surprise
from pipeline.aspects import HASH_BYTES, joined
from pipeline.episode import Change, Episode
from pipeline.rule import Level, Rule, Selection
from pipeline.shard import Shard
from pipeline.sight import PROGRESS_KEY, Group, Progress, Sightings, SourceState, encode
from pipeline.surprise import STRETCH, Background, Chance, base_slices
from tests import oracle

SOURCE = "events/0"
BACKGROUND = Background(5, 6)


class Given(NamedTuple):
    """A case: sightings in order of arrival, and the rules they meet."""

    sightings: list[oracle.Sighting]
    rules: list[Rule]

    @property
    def lateness(self) -> int:
        """The least that is not exceeded by this order of arrival."""
        latest = lateness = 0
        for sighting in self.sightings:
            latest = max(latest, sighting.time_ms)
            lateness = max(lateness, latest - sighting.time_ms)
        return lateness


def rule(kind: str, timespan: int, field: str, gte: int, organisations: int = 0) -> Rule:
    name = f"{kind}-{timespan}-{field}-{gte}-{organisations}"
    counted: Any = field
    return Rule(
        name, name, Level.MEDIUM, kind, timespan, counted, gte, organisations_gte=organisations
    )


# A slice is 1 ms at a timespan of 60; 90 and 100 make slices that are no whole number of ms.
windows = st.builds(
    lambda window, slices: 60 * window + slices,
    st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 40]),
    st.sampled_from([0, 0, 1, 2, 30, 58, 59]),
)
PARTIES = [("north", "CZ"), ("north", "SK"), ("south", "CZ"), ("west", "AT"), ("east", "DE")]
BASES = {name: Selection(name, name, (), lambda _: False) for name in ("scan", "brute", "drop")}
MEETS = [frozenset(names) for names in ((), ("scan",), ("brute",), ("drop",), ("scan", "drop"))]
sightings = st.builds(
    lambda party, kind, value, time, origin, event, meets: oracle.Sighting(
        kind, value, party[0], party[1], time, origin, f"{party}/{event}/{time}", meets
    ),
    st.sampled_from(PARTIES),
    st.sampled_from(["ip", "ip", "domain"]),
    st.sampled_from(["a", "a", "a", "b"]),
    windows,
    st.sampled_from(["", "x", "y", "z"]),
    st.sampled_from("12"),
    st.sampled_from(MEETS),
)
plain_rules = st.builds(
    rule,
    st.sampled_from(["ip", "ip", "domain"]),
    st.sampled_from([60, 60, 90, 100, 240]),
    st.sampled_from(["country", "organisation"]),
    st.integers(1, 4),
    st.sampled_from([0, 0, 0, 1, 2, 3]),
)


@st.composite
def asking_rules(draw: st.DrawFn, kinds: Sequence[str] = ("ip", "domain")) -> Rule:
    """Rules that ask more of events than who saw an indicator."""
    kind, timespan = draw(st.sampled_from(kinds)), draw(st.sampled_from([60, 90]))
    field: Any = draw(st.sampled_from(["country", "origin_country", "event", "rule", "rule"]))
    names = draw(st.permutations([*BASES, "any_event"]))[: draw(st.integers(1, 3))]
    if field == "rule":
        names = draw(st.permutations([*BASES, "any_event"]))[: draw(st.integers(2, 3))]
    elif "any_event" in names:
        names = ["any_event"]
    ordered = field == "rule" and draw(st.booleans())
    gte = len(names) if ordered else draw(st.integers(1, len(names) if field == "rule" else 4))
    beside = (draw(st.sampled_from([0, 0, 2])), draw(st.sampled_from([0, 0, 2])))
    if field == "country":
        beside = (beside[0], 0)
    name = f"{kind}-{timespan}-{field}-{gte}-{beside}-{names}-{ordered}"
    return Rule(
        name, name, Level.MEDIUM, kind, timespan, field, gte, "", (), *beside,
        tuple(BASES.get(of) for of in names), ordered,
    )  # fmt: skip


rules = st.lists(
    plain_rules | asking_rules(), min_size=1, max_size=3, unique_by=lambda rule: rule.id
)


asking = st.lists(asking_rules(["ip"]), min_size=1, max_size=2, unique_by=lambda rule: rule.id)
# Of two indicators and within two windows, so that most rules hold somewhere.
dense = st.builds(
    lambda value, party, time, origin, event, meets: oracle.Sighting(
        "ip", value, party[0], party[1], time, origin, f"{party}/{event}/{time}", meets
    ),
    st.sampled_from("aab"),
    st.sampled_from(PARTIES),
    st.integers(0, 130),
    st.sampled_from("xyz"),
    st.sampled_from("12"),
    st.frozensets(st.sampled_from(list(BASES))),
)


@st.composite
def cases(
    draw: st.DrawFn,
    rules: st.SearchStrategy[list[Rule]] = rules,
    sightings: st.SearchStrategy[oracle.Sighting] = sightings,
) -> Given:
    seen = draw(st.lists(sightings, min_size=1, max_size=40))
    disorder = draw(st.sampled_from([0, 1, 60, 130, 10_000]))
    jitter = [draw(st.integers(0, disorder)) for _ in seen]
    order = sorted(range(len(seen)), key=lambda i: seen[i].time_ms + jitter[i])
    again = draw(st.lists(st.integers(0, len(seen) - 1), max_size=10))
    arrived = [seen[i] for i in order]
    for i in again:
        arrived.insert(draw(st.integers(0, len(arrived))), seen[i])
    return Given(arrived, draw(rules))


def expected(case: Given) -> set[tuple[str, oracle.Episode]]:
    return {
        (rule.id, episode)
        for rule in case.rules
        for episode in oracle.episodes(
            case.sightings,
            oracle.rule_of(rule),
        )
    }


PROGRESS = (PROGRESS_KEY, encode(Progress([SourceState(SOURCE, -1, False)], [SOURCE])))
Log = list[tuple[bytes | None, bytes]]


def groups_of(one: oracle.Sighting, rules: list[Rule]) -> list[Group]:
    """What intake makes of a sighting; `tests.simulator` has the real one."""
    groups = {}
    for aspect in (aspect for rule in rules for aspect in rule.aspects):
        if aspect.indicator_type != one.type or (
            aspect.selection is not None and aspect.selection.name not in one.meets
        ):
            continue
        labels, events = [], []
        if aspect.counts == "event":
            event = blake2b(one.event.encode(), digest_size=HASH_BYTES).digest()
            events = [joined([event], aspect.room)]
        elif aspect.counts:
            labels = [one.origin]
            if not one.origin:
                continue
        groups[aspect.kind] = Group(
            aspect.kind, [one.value], [one.time_ms], [one.time_ms], [], labels, events
        )
    return list(groups.values())


def log_of(case: Given) -> Log:
    """The `sightings` partition: progress first, then sightings as they came."""
    log: Log = [PROGRESS]
    latest = 0
    for one in case.sightings:
        latest = max(latest, one.time_ms)
        packed = Sightings(
            SOURCE, one.organisation, one.country, latest, 0, groups_of(one, case.rules)
        )
        log.append((None, encode(packed)))
    return log


class Alerts:
    """The compacted topic: by id, the newest revision."""

    def __init__(self) -> None:
        self.newest: dict[str, Episode] = {}

    def send(self, episodes: list[Episode]) -> None:
        for episode in episodes:
            self.newest[episode.id] = episode

    def final(self) -> list[tuple[str, oracle.Episode]]:
        assert all(one.change in {Change.CLOSED, Change.MERGED} for one in self.newest.values()), (
            "an alert was left open"
        )
        return [
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
            )
            for one in self.newest.values()
            if one.change is Change.CLOSED
        ]


def base_windows(count: int) -> Any:
    """Fewer windows in which sightings are counted: what they were is forgotten within a case."""
    return patch.object(surprise, "BASE_WINDOWS", count)


def check(alerts: Alerts, case: Given) -> None:
    final = alerts.final()
    assert sorted(final) == sorted(expected(case))  # as lists: nothing twice under two ids
    # Each p-value is that of what was seen, however it came.
    likely = {
        (rule.id, episode): Chance(rule, BACKGROUND).p_value(*counted) if rule.spread else None
        for rule in case.rules
        for episode, counted in oracle.outbreaks(
            case.sightings, oracle.rule_of(rule), base_slices(rule.timespan_ms), STRETCH
        ).items()
    }
    closed = [one for one in alerts.newest.values() if one.change is Change.CLOSED]
    assert [one.p_value for one in closed] == [likely[one] for one in final]
    # And what is everywhere always is that at its end, whatever it was on the way.
    always: dict[tuple[str, oracle.Episode], bool] = {}
    for rule in case.rules:
        groups = BACKGROUND.countries if rule.spread == "country" else BACKGROUND.organisations
        base = base_slices(rule.timespan_ms)
        for episode, endemic in oracle.standing(
            case.sightings, oracle.rule_of(rule), base, groups
        ).items():
            always[rule.id, episode] = endemic and rule.spread is not None
    assert [one.endemic for one in closed] == [always[one] for one in final]
    if any(always.values()):
        event("endemic")


class CrashError(Exception):
    pass


class Worker:
    """What the shell does with a shard, one step at a time, with a crash before any of them."""

    def __init__(self, case: Given, random: Random, crash_rate: float) -> None:
        self.case = case
        self.random = random
        self.crash_rate = crash_rate
        self.alerts = Alerts()
        self.checkpoints: list[tuple[bytes, bytes | None]] = []
        self.committed = 0
        self.crashes = 0

    def step(self) -> None:
        if self.random.random() < self.crash_rate:
            self.crashes += 1
            raise CrashError

    def run(self, log: Log) -> None:
        while True:
            try:
                # So small that whole rounds of the state come and go within a case.
                with (
                    patch.object(shard_module, "ROUND_STEP", self.random.choice([1, 1, 4000])),
                    patch.object(shard_module, "SEGMENT_INDICATORS", self.random.choice([1, 4000])),
                ):
                    self.live(log)
            except CrashError:
                if self.crashes > 30:
                    self.crash_rate = 0.0
            else:
                return

    def live(self, log: Log) -> None:
        shard = Shard(self.case.rules, self.case.lateness, background=BACKGROUND)
        shard.restore(self.compacted())
        position = noted = self.committed
        # Alerts are sent without waiting: a crash loses the end of what was not delivered.
        pending: list[Episode] = []
        checkpoint: Iterator[tuple[bytes, bytes | None]] | None = None
        # Several segments are made at once and sent one by one: a write-ahead may go in between.
        made: list[tuple[bytes, bytes | None]] = []
        while position < len(log) or checkpoint is not None:
            if position < len(log):
                size = self.random.choice([1, 1, 2, 5, 40])
                taken = shard.take(log[position : position + size])
                # After a crash between seal and commit, what the state holds comes again.
                assert taken.late == 0 or self.crashes
                if taken.write_ahead:
                    self.deliver(pending)
                for segment in taken.write_ahead:
                    self.step()
                    self.checkpoints.append(segment)
                pending += taken.episodes
                position = min(position + size, len(log))
            if self.random.random() < 0.5:
                self.deliver(pending)
            if checkpoint is None and self.random.random() < 0.4:
                noted = position
                pending += shard.refresh()
                checkpoint = shard.checkpoint()
            if checkpoint is not None and self.random.random() < 0.7:
                if not made:
                    self.deliver(pending)
                    made = list(islice(checkpoint, self.random.choice([1, 2, 3])))
                self.step()
                if made:
                    self.checkpoints.append(made.pop(0))
                else:
                    self.committed = noted
                    checkpoint = None
        self.deliver(pending)
        self.step()
        self.nothing_withheld(shard)
        # The end of an offline run closes what is left.
        self.alerts.send(shard.correlator.finish())

    def nothing_withheld(self, shard: Shard) -> None:
        """Every alert that is open has been told, and told whole."""
        self.alerts.send(shard.take([PROGRESS]).episodes)
        self.alerts.send(shard.refresh())
        for track in shard.correlator.tracks:
            for lives in track.episodes.values():
                for live in lives:
                    told = self.alerts.newest[live.id]
                    assert told.change in {Change.OPENED, Change.UPDATED}
                    assert live.published == (
                        told.first_seen,
                        told.last_seen,
                        told.countries,
                        told.organisations,
                        told.p_value,
                        told.endemic,
                    )

    def deliver(self, pending: list[Episode]) -> None:
        while pending:
            self.step()
            self.alerts.send([pending.pop(0)])

    def compacted(self) -> list[tuple[bytes, bytes | None]]:
        newest = {key: n for n, (key, _) in enumerate(self.checkpoints)}
        return [self.checkpoints[n] for n in sorted(newest.values())]


seeds = st.integers(0, 2**32)


@settings(max_examples=400, deadline=None)
@given(cases(), seeds)
def test_incremental_is_the_oracle(case: Given, seed: int) -> None:
    worker = Worker(case, Random(seed), crash_rate=0.0)
    with base_windows(worker.random.choice([1, 2, 8])):
        worker.run(log_of(case))
        check(worker.alerts, case)


@settings(max_examples=700, deadline=None)
@given(cases(), seeds)
def test_any_crash_changes_nothing(case: Given, seed: int) -> None:
    worker = Worker(case, Random(seed), crash_rate=0.08)
    with base_windows(worker.random.choice([1, 2, 8])):
        worker.run(log_of(case))
        check(worker.alerts, case)


@settings(max_examples=400, deadline=None)
@given(cases(asking, dense), st.integers(1, 12))
def test_what_is_asked_outlives_a_restart(case: Given, cut: int) -> None:
    """A checkpoint in the midst, and all that went before known from it alone."""
    log, alerts = log_of(case), Alerts()
    first = Shard(case.rules, case.lateness, background=BACKGROUND)
    alerts.send(first.take(log[:cut]).episodes)
    with patch.object(shard_module, "SEGMENT_INDICATORS", 1):
        checkpoint = list(first.checkpoint())
    second = Shard(case.rules, case.lateness, background=BACKGROUND)
    second.restore(checkpoint)
    alerts.send(second.take([PROGRESS, *log[cut:]]).episodes)
    alerts.send(second.correlator.finish())
    check(alerts, case)
