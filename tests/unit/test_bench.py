"""The benchmark's instrument: its oracle, its generator, what it reads of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import msgspec
import orjson
import pytest

from pipeline.alert import alert
from pipeline.event import Event
from pipeline.geo import Geo
from pipeline.shell import files, observe
from pipeline.shell.bench import cost, data, profile, table, truth
from pipeline.shell.bench.load import Load, Skew
from pipeline.shell.offline import OfflineRun
from pipeline.shell.settings import FailedError, WrongUseError, milliseconds
from tests import oracle

DAY = 24 * 3_600_000
LOADS = [
    Load(events=3_000),
    Load(events=3_000, seed=7, indicators=3, window="1h"),
    *(Load(events=3_000, indicators=2, skew=skew) for skew in Skew if skew is not Skew.mixed),
    Load(events=2_000, skew=Skew.zipf, window="7d", span="84d"),
    Load(events=2_000, skew=Skew.hot, window="1m", span="3h"),
]


def sightings(load: Load) -> list[oracle.Sighting]:
    return [
        oracle.Sighting(kind, value, f"bench-{drawn.country.lower()}", drawn.country, drawn.time_ms)
        for drawn in data.draw(load)
        for kind, value in list(zip(data.KINDS, data.values(drawn.names), strict=True))[
            : load.indicators
        ]
    ]


@pytest.mark.parametrize("load", LOADS, ids=str)
def test_the_truth_is_what_the_oracle_says(load: Load) -> None:
    seen = sightings(load)
    wanted = sorted(
        (data.rule_id(kind), *episode)
        for kind in data.KINDS
        for episode in oracle.episodes(
            seen, oracle.OracleRule(kind, milliseconds("", load.window), "country", data.GTE)
        )
    )
    assert truth.alerts(load) == wanted


@pytest.mark.parametrize("load", LOADS, ids=str)
def test_the_events_say_what_was_drawn(load: Load, tmp_path: Path) -> None:
    """The offline run reads the bytes; it comes to the same alerts as the truth."""
    (tmp_path / "sensors.toml").write_text(data.SENSORS)
    (tmp_path / "rules.yml").write_text(data.rules(load))
    registry = files.registry_of(tmp_path / "sensors.toml")
    run = OfflineRun(registry, files.rules_of(tmp_path / "rules.yml"), DAY)
    lines = [message.value for message in data.messages(load)]
    found = [alert(episode, Geo()) for episode in run.episodes(lines, lambda *_: None)]
    assert run.tally.correlated == load.events
    assert sorted(map(observe.key, found)) == truth.alerts(load)
    assert found


def test_some_windows_are_completed_and_most_are_not() -> None:
    load = Load(events=20_000)
    assert 0.005 < len(truth.alerts(load)) / load.events < 0.05


@pytest.mark.parametrize("size", [400, 1_000, 4_000])
@pytest.mark.parametrize("indicators", [1, 2, 3])
def test_an_event_has_the_size_that_is_asked_for(size: int, indicators: int) -> None:
    load = Load(events=50, size=size, indicators=indicators)
    for message in data.messages(load):
        assert len(message.value) == size
        msgspec.json.decode(message.value, type=Event)


def test_packing_changes_nothing_but_the_messages() -> None:
    single = Counter(message.value for message in data.messages(Load(events=500)))
    packed = list(data.messages(Load(events=500, packed=30)))
    assert sum(message.events for message in packed) == 500
    assert max(message.events for message in packed) == 30
    for message in packed:
        events = msgspec.json.decode(message.value, type=list[msgspec.Raw])
        assert len(events) == message.events
        single.subtract(map(bytes, events))
    assert not any(single.values())


@pytest.mark.parametrize("indicators", [1, 3])
def test_live_indicators_are_met_nowhere_else(indicators: int) -> None:
    load = Load(events=500, live=999, indicators=indicators, probes=10)
    events = [e for message in data.live(load) for e in orjson.loads(message.value)]
    assert len(events) * indicators == load.live
    alive = {e["src_endpoint"]["ip"] for e in events}
    drawn = {data.values(d.names)[0] for d in data.draw(load)}
    probed = {data.probe(load, number, "AT")[0] for number in range(load.probes)}
    assert len(alive) == len(events)
    assert len(alive | drawn | probed) == len(alive) + len(drawn) + len(probed)
    assert max(e["time"] for e in events) < data.START_MS


def test_events_that_come_after_are_others_and_none_is_late() -> None:
    load = Load(events=500, window="7d", span="84d")
    once, again = (list(data.draw_more(load, first, 300)) for first in (0, 300))
    every = [*data.draw(load), *once, *again]
    assert len({drawn.number for drawn in every}) == len(every)
    assert [d.names for d in once] != [d.names for d in again]
    end = data.START_MS + load.span_ms
    assert all(end <= drawn.time_ms < end + data.TURN_MS for drawn in (*once, *again))
    assert [*data.draw_more(load, 300, 300)] == again
    later = [*data.draw_more(load, 300, 300, turn=2)]
    assert [one.time_ms - 2 * data.TURN_MS for one in later] == [one.time_ms for one in again]


def test_events_that_come_after_are_as_close_as_those_before() -> None:
    load = Load(events=1_000_000)
    times = [drawn.time_ms for drawn in data.draw_more(load, 0, 10_001)]
    assert times[-1] - times[0] == pytest.approx(10_000 * load.span_ms / load.events, rel=0.01)


def test_skew_is_what_it_is_called() -> None:
    def most(skew: Skew) -> float:
        load = Load(events=20_000, skew=skew)
        ((_, count),) = Counter(d.names[0] for d in data.draw(load)).most_common(1)
        return count / load.events

    assert most(Skew.uniform) < 0.002
    assert 0.1 < most(Skew.zipf) < 0.2
    assert 0.45 < most(Skew.hot) < 0.55


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"size": 100}, "--size is 100"),
        ({"live": 1 << 24}, "--live"),
        ({"window": "1s"}, "--window is 1s"),
        ({"window": "31d"}, "--window is 31d"),
        ({"window": "soon"}, "--window is 'soon'"),
        ({"span": "10ms"}, "--span is 10ms"),
        ({"under": "0.5,1.1"}, "--under is 0.5,1.1"),
        ({"under": "half"}, "--under is half"),
    ],
)
def test_a_load_that_cannot_be_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(WrongUseError, match=says):
        Load(**wrong)  # type: ignore[arg-type]


def test_what_ps_says_is_read() -> None:
    said = "    1     0   0:04.10\n  312     1  01:02:03\n   77   312 2-00:00:01\n"
    assert dict(cost.of_ps(said)) == {
        1: cost.Process(0, 4.1),
        312: cost.Process(1, 3723.0),
        77: cost.Process(312, 172_801.0),
    }


def test_a_process_is_counted_with_what_it_started() -> None:
    known = {1: cost.Process(0, 1.0), 2: cost.Process(1, 2.0), 3: cost.Process(2, 4.0)}
    assert cost.tree(1, known) == [1, 2, 3]
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in cost.tree(os.getpid(), cost.processes())
        spent = cost.cpu_s({"all": [os.getpid()], "one": [child.pid], "none": []})
        assert spent["all"] >= spent["one"] >= spent["none"] == 0.0
    finally:
        child.communicate(b"\n")


@pytest.mark.skipif(not cost.usable_cpus(), reason="processes cannot be kept on CPUs here")
def test_processes_are_kept_on_cpus() -> None:
    cpus = cost.usable_cpus()
    with cost.kept_on(str(cpus[0])):
        asked = [sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"]
        assert subprocess.check_output(asked).split() == [str(cpus[0]).encode()]
    assert cost.usable_cpus() == cpus
    with pytest.raises(WrongUseError, match="--cpus is '999'"), cost.kept_on("999"):
        pass


def test_a_profile_without_py_spy_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(FailedError, match="--group profile"):
        profile.py_spy()


def test_the_table_varies_one_factor_at_a_time() -> None:
    for full in (False, True):
        rows = list(table.rows(full, seed=3))
        loaded = rows[0][1]
        default = msgspec.structs.replace(loaded, under="")  # under load: timed once
        assert rows[0] == ("default", loaded)
        assert rows[-1] == ("default", default)
        assert loaded.shares
        together = {"span": "window", "cpus": "pinned", "events": "indicators"}
        for factor, load in islice(rows, 1, len(rows) - 1):
            changed = {
                together.get(name, name)
                for name, value in load.factors().items()
                if value != getattr(default, name)
            }
            assert changed - {"workers"} <= {factor}
            assert changed
