"""The other engines' part of the job that is ours to get right: the episodes, and the score."""

from __future__ import annotations

from random import Random

import orjson

from pipeline.shell.bench import data, truth
from pipeline.shell.bench.load import Load
from tests import oracle
from tests.bench.peers import job
from tests.bench.peers.score import score


def test_what_the_engines_read_of_an_event_is_what_was_drawn() -> None:
    load = Load(events=300, indicators=3)
    for drawn, message in zip(data.draw(load), data.messages(load), strict=True):
        read = list(job.sightings(orjson.loads(message.value)))
        named = zip(data.KINDS, data.values(drawn.names), strict=True)
        assert read == [(f"{kind}|{value}", drawn.country) for kind, value in named]


def test_episodes_of_a_session_are_those_of_the_oracle() -> None:
    rule = oracle.OracleRule("ip", job.WINDOW_MS, "country", job.GTE)
    for seed in range(60):
        random = Random(seed)
        seen = [
            (random.randrange(random.choice((600_000, 4_000_000))), random.choice("ABCDE"))
            for _ in range(random.randrange(1, 25))
        ]
        wanted = oracle.episodes((oracle.Sighting("ip", "x", c, c, ms) for ms, c in seen), rule)
        found = {(first, last, tuple(sorted(c))) for first, last, c in job.episodes(seen)}
        assert found == {(e.first_seen, e.last_seen, e.countries) for e in wanted}


def test_the_score_of_the_truth_is_exact_and_of_nothing_is_not() -> None:
    wanted = truth.alerts(Load(events=5_000, indicators=3))
    said = [job.alert(f"{a[1]}|{a[2]}", a[3], a[4], a[5]) for a in wanted]
    assert score(said, wanted)["exact"]
    for wrong in ([], said[1:], [*said, said[0]], [{**said[0], "last_seen": 0}, *said[1:]]):
        assert not score(wrong, wanted)["exact"]
    none = score([], wanted)
    assert none["indicators_missed"] == none["indicators"] > 0
    assert score([job.alert("ip|1.2.3.4", 0, 0, "")], wanted)["indicators_for_nothing"] == 1
