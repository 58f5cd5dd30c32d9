"""What `sightline top` makes of what workers serve."""

from __future__ import annotations

import io

import httpx
import pytest
from rich.console import Console

from pipeline.shell import scrape
from pipeline.shell.cli_top import Watched, address, drawn
from pipeline.shell.scrape import View, read, view
from pipeline.shell.settings import WrongUseError

FIRST = """
# TYPE sightline_events_received_total counter
sightline_events_received_total 100
sightline_sightings_sent_total 10
sightline_events_rejected_total{reason="schema"} 2
sightline_events_rejected_total{reason="not-json"} 1
sightline_consumer_lag_records{stage="intake",topic="t",partition="0"} 5
sightline_consumer_lag_records{stage="intake",topic="t",partition="1"} 7
sightline_consumer_lag_seconds{stage="intake",topic="t",partition="1"} 9.5
sightline_assigned_partitions{stage="intake"} 2
sightline_assigned_partitions{stage="correlate"} 8
sightline_assigned_partitions{stage="campaign"} 1
sightline_state_bytes{stage="intake"} 1048576
sightline_event_loop_timestamp_seconds{stage="intake"} 1000
sightline_event_loop_timestamp_seconds{stage="correlate"} 960
sightline_event_loop_lag_seconds_sum{stage="intake"} 1
sightline_event_loop_lag_seconds_count{stage="intake"} 10
sightline_open_episodes 3
sightline_live_campaigns 2
"""
SECOND = (
    FIRST.replace("received_total 100", "received_total 300")
    .replace('schema"} 2', 'schema"} 4')
    .replace('_sum{stage="intake"} 1', '_sum{stage="intake"} 2')
    .replace('_count{stage="intake"} 10', '_count{stage="intake"} 30')
)


def seen(**more: str) -> View:
    before = {"a": read(FIRST, 10.0)}
    now = {"a": read(SECOND, 12.0)} | {name: read(text, 12.0) for name, text in more.items()}
    return view(now, before, [], 1001.0)


def on_screen(shown: View) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(drawn(shown))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def test_rates_lag_and_errors() -> None:
    intake, correlate, _ = seen().stages
    assert (intake.rate_in, intake.rate_out) == (100.0, 0.0)
    assert (intake.lag, intake.waited_s, intake.partitions) == (12, 9.5, 2)
    assert intake.loop_lag_s == pytest.approx(0.05)
    assert (intake.silent_s, correlate.silent_s) == (1.0, 41.0)
    assert seen().errors["rejected"] == 5
    assert seen().recent["rejected"] == 2
    text = on_screen(seen())
    assert "1 worker · 3 alerts may still change · 2 live campaigns" in text
    assert "rejected 5" in text
    assert "the event loop of correlate stands still for 41 s" in text


def test_what_was_begun_anew_has_grown_from_nothing() -> None:
    made = view({"a": read(FIRST, 12.0)}, {"a": read(SECOND, 10.0)}, [], 1001.0)
    assert made.stages[0].rate_in == 50.0


def test_workers_add_up_and_a_new_one_has_no_rate_yet() -> None:
    made = seen(b=FIRST)
    assert made.workers == 2
    assert made.stages[0].rate_in == 100.0
    assert made.stages[0].lag == 24
    alone = view({"b": read(FIRST, 12.0)}, {}, [], 1001.0)
    assert alone.stages[0].rate_in is None
    assert "…" in on_screen(alone)


def test_a_stage_that_nobody_has_is_told() -> None:
    made = view({"a": read('sightline_assigned_partitions{stage="intake"} 3\n', 1.0)}, {}, [], 1.0)
    text = on_screen(made)
    assert "has a partition of correlate" in text
    assert "has a partition of intake" not in text


def test_who_does_not_answer_is_told_and_what_was_known_stays() -> None:
    answers = [FIRST, SECOND, None]

    def answer(request: httpx.Request) -> httpx.Response:
        text = answers.pop(0)
        if text is None:
            raise httpx.ConnectError("\x1b[31mrefused")
        return httpx.Response(200, text=text)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        watched = Watched(client, ["http://w/metrics"])
        watched.look()
        assert watched.look().stale == []
        made = watched.look()
    assert "http://w/metrics does not answer" in made.stale[0]
    assert "what is shown is 0 s old" in made.stale[0]
    assert made.stages[0].lag == 12
    assert "STALE" in on_screen(made)
    assert "\x1b[31m" not in on_screen(made)


def test_an_answer_that_is_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shell.cli_top.MOST_BYTES", 1000)
    for body in ("<html>{", "x 1\n" * 1000):
        transport = httpx.MockTransport(lambda request, body=body: httpx.Response(200, text=body))
        with httpx.Client(transport=transport) as client:
            assert Watched(client, ["http://w/metrics"]).look().stale


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("h:9464", "http://h:9464/metrics"),
        ("http://h:1/", "http://h:1/metrics"),
        ("https://h/a/metrics", "https://h/a/metrics"),
        ("http://[::1]:9464", "http://[::1]:9464/metrics"),
    ],
)
def test_where_a_worker_is(text: str, url: str) -> None:
    assert address(text) == url


@pytest.mark.parametrize("text", ["", "ftp://h", "file:///etc/passwd", "//"])
def test_where_no_worker_is(text: str) -> None:
    with pytest.raises(WrongUseError):
        address(text)


def test_what_it_reads_exists() -> None:
    from tests.unit.test_readme import every_metric

    known = {name for name, _ in every_metric()}
    assert {*scrape.ERRORS.values()} <= known
    assert {name for pair in scrape._INTO.values() for name in pair} <= known
