"""Worlds of any seed: the truth is true, the events are good, the bytes are the same everywhere."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.indicator import indicators
from pipeline.registry import Registry, read_registry
from pipeline.shell.offline import OfflineRun
from pipeline.world.dice import Dice, Weights
from pipeline.world.truth import Truth
from pipeline.world.world import BEGIN, KINDS, Options, World, encode_truth, world

DAY = 86_400_000
CLASSES = {
    1001: "file_activity",
    1007: "process_activity",
    2002: "vulnerability_finding",
    3002: "authentication",
    4001: "network_activity",
    4002: "http_activity",
    4003: "dns_activity",
    4007: "ssh_activity",
}
OPTIONS = st.builds(
    Options,
    seed=st.integers(0, 2**64),
    countries=st.integers(3, 12),
    organisations=st.integers(12, 20),
    days=st.integers(1, 4),
    events=st.integers(0, 400),
    campaigns=st.integers(0, 8),
    liars=st.sampled_from([0, 10, 100]),
)
few = settings(max_examples=25, deadline=None)
made = lru_cache(maxsize=4)(world)


def registry_of(a_world: World) -> Registry:
    registry, problems = read_registry(a_world.registry)
    assert registry is not None, problems
    return registry


def distinct(a_world: World) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Every event once, by its uid, which is unique in the whole world."""
    events = {}
    for line in dict.fromkeys(a_world.lines):
        event = json.loads(line)
        assert event["metadata"]["uid"] not in events
        events[event["metadata"]["uid"]] = (event, line)
    return events


def said(line: bytes) -> set[tuple[str, str]]:
    (event,) = decode(line)
    assert isinstance(event, Event)
    return set(indicators(event)[0])


def marks(a_truth: Truth) -> set[tuple[str, str]]:
    return {(mark.type, mark.value) for mark in a_truth.indicators}


@few
@given(OPTIONS)
def test_the_truth_is_true(options: Options) -> None:
    """All of it, recomputed from the lines that a reader of the files has."""
    a_world = made(options)
    country = {sensor: party.country for sensor, party in registry_of(a_world).sensors.items()}
    events = distinct(a_world)
    assert len(events) == a_world.distinct
    assert len(a_world.truths) == options.campaigns
    whose: Counter[str] = Counter()
    for truth in a_world.truths:
        whose.update(truth.events)
        of_it = [events[uid] for uid in truth.events]
        assert of_it
        times = sorted((event["time"], country[event["device"]["uid"]]) for event, _ in of_it)
        assert [event["time"] for event, _ in of_it] == [time for time, _ in times]
        assert truth.first_event == times[0][0]
        met: list[str] = []
        for _, place in times:
            met += [place] if place not in met else []
        assert list(truth.countries) == sorted(met)
        kth = next(time for time, _ in times if len({c for t, c in times if t <= time}) >= 3)
        assert truth.kth_country_event == kth
        seen_in = defaultdict(set)
        for event, line in of_it:
            for indicator in said(line):
                seen_in[indicator].add(country[event["device"]["uid"]])
        assert marks(truth)
        assert all(len(seen_in[indicator]) >= 3 for indicator in marks(truth))
        assert {(mark.type, mark.value) for mark in truth.fringe} <= seen_in.keys() - marks(truth)
    assert set(whose.values()) <= {1}
    assert whose.keys() <= events.keys()


@few
@given(OPTIONS)
def test_nobody_but_liars_names_what_is_a_campaigns_own(options: Options) -> None:
    a_world = made(replace(options, liars=0))
    own = [marks(truth) | {(m.type, m.value) for m in truth.fringe} for truth in a_world.truths]
    assert sum(map(len, own)) == len(set().union(*own))
    for truth, its in zip(a_world.truths, own, strict=True):
        mine = set(truth.events)
        for uid, (_, line) in distinct(a_world).items():
            assert uid in mine or not said(line) & its


@few
@given(OPTIONS)
def test_every_event_counts_and_none_is_late(options: Options) -> None:
    a_world = made(options)
    run = OfflineRun(registry_of(a_world), [], DAY)
    refused: list[object] = []
    list(run.episodes(a_world.lines, lambda line, rejection: refused.append(rejection)))
    assert refused == []
    assert (run.tally.received, run.tally.late) == (len(a_world.lines), 0)


@few
@given(OPTIONS)
def test_there_are_as_many_places_as_were_asked_for(options: Options) -> None:
    registry = registry_of(made(options))
    assert len(registry.organisations) == options.organisations
    assert len({organisation.country for organisation in registry.organisations}) == (
        options.countries
    )
    assert len({party.country for party in registry.parties}) == options.countries


def test_events_are_valid_ocsf() -> None:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0"))
    validators = {
        number: jsonschema.Draft202012Validator(schema.get_class_schema(name, profiles=["host"]))
        for number, name in CLASSES.items()
    }
    a_world = made(Options(1, events=3_000))
    of_class: Counter[int] = Counter()
    own = {uid for truth in a_world.truths for uid in truth.events}
    for uid, (event, _) in distinct(a_world).items():
        kind = event["class_uid"] + (10_000 if uid in own else 0)
        of_class[kind] += 1
        if of_class[kind] <= 40:
            validators[event["class_uid"]].validate(event)
    assert {kind % 10_000 for kind in of_class} == set(CLASSES)


def test_it_has_what_makes_the_real_world_hard() -> None:
    a_world = made(Options(2, events=5_000, days=7))
    times = [json.loads(line)["time"] for line in a_world.lines]
    out_of_order = sum(a > b for a, b in itertools.pairwise(times))
    assert out_of_order > len(times) // 20
    assert len(times) > len(set(a_world.lines)) * 1.02
    assert max(times) < BEGIN + 8 * DAY
    assert {truth.kind for truth in a_world.truths} == set(KINDS)
    hours = Counter(time // 3_600_000 % 24 for time in times)
    assert len(hours) == 24
    credentials = Counter(
        value for line in set(a_world.lines) for kind, value in said(line) if kind == "credential"
    )
    endemic = sha256(b"root\x00123456").hexdigest()
    assert credentials.most_common(1)[0][0] == f"sha256:{endemic}"


def test_campaigns_take_nothing_from_the_background() -> None:
    def bodies(campaigns: int) -> Counter[bytes]:
        lines = made(Options(3, events=500, campaigns=campaigns, liars=0)).lines
        return Counter(line.partition(b'"type_id":1},')[2] for line in dict.fromkeys(lines))

    assert bodies(0) <= bodies(6)


def test_lies_are_no_campaigns_events() -> None:
    honest = made(Options(4, events=2_000, liars=0))
    lying = made(Options(4, events=2_000, liars=50))
    assert lying.distinct > honest.distinct
    assert [marks(truth) for truth in lying.truths] == [marks(truth) for truth in honest.truths]
    mine = {uid for truth in lying.truths for uid in truth.events}
    own = set().union(*(marks(truth) for truth in lying.truths))
    echoes = [uid for uid, (_, line) in distinct(lying).items() if said(line) & own]
    assert set(echoes) - mine


# The same on every machine and under every version of Python: a change of these is a change of all
# worlds, and belongs in the changelog.
DIGESTS = {
    Options(1, events=1_000): "af47c33bbb49d9f42daa94b463de8d93bf5a52e84850d9ba6809631553ff834e",
    Options(
        7, countries=4, organisations=9, days=1, events=300, campaigns=3, liars=30
    ): "44ebf36681af84886c40998c4277b674adc728d6306cdff570b237443fdc1d03",
}


@pytest.mark.parametrize("options", DIGESTS, ids=lambda options: str(options.seed))
def test_the_bytes_are_those_of_all_machines(options: Options) -> None:
    digest = sha256()
    for line in files(made(options)):
        digest.update(line + b"\n")
    assert digest.hexdigest() == DIGESTS[options]


def files(a_world: World) -> Iterator[bytes]:
    yield a_world.registry.encode()
    yield from a_world.lines
    yield from map(encode_truth, a_world.truths)


def test_neither_hash_order_nor_locale_nor_zone_changes_a_byte(tmp_path: Path) -> None:
    written = []
    for name, own in (
        ("a", {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"}),
        ("b", {"PYTHONHASHSEED": "2", "TZ": "America/Lima", "LC_ALL": "tr_TR.UTF-8"}),
    ):
        subprocess.run(
            [
                *(sys.executable, "-m", "pipeline", "generate", "--seed", "5"),
                *("--events", "500", "--out", str(tmp_path / name)),
            ],
            check=True,
            env=os.environ | own,
            cwd=Path(__file__).parents[2],
            capture_output=True,
        )
        written.append(
            {path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())}
        )
    assert set(written[0]) == {"sensors.toml", "events.jsonl", "truth.jsonl"}
    assert written[0] == written[1]


@given(st.integers(1, 1_000), st.integers())
def test_draws_stay_within_their_bounds(bound: int, seed: int) -> None:
    dice = Dice("bounds", seed)
    assert all(0 <= dice.below(bound) < bound for _ in range(20))
    assert 3 <= dice.between(3, 3 + bound) <= 3 + bound
    assert 5 <= dice.heavy(5, 5 + bound) <= 5 + bound
    assert sorted(dice.some(range(bound), bound)) == list(range(bound))
    assert len(set(dice.some(range(bound), bound // 2))) == bound // 2
    assert 0 <= dice.weighted(Weights.zipf(bound)) < bound
    assert len(dice.hexadecimal(bound)) == bound


def test_draws_are_fair() -> None:
    """No draw is off by more than five standard deviations: by chance one in a million would be."""
    dice = Dice("fair")
    counts = Counter(dice.below(7) for _ in range(70_000))
    assert all(abs(count - 10_000) < 5 * 93 for count in counts.values())
    weighted = Counter(dice.weighted(Weights([1, 0, 3])) for _ in range(40_000))
    assert weighted[1] == 0
    assert abs(weighted[0] - 10_000) < 5 * 87
    assert dice.child("x").below(1 << 60) == Dice("fair", "x").below(1 << 60)
