"""The demo, cut short: it accounts for every event, checks itself, and leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from pipeline.alert import Alert, alert
from pipeline.episode import Change
from pipeline.geo import Geo, Origin
from pipeline.shell import demo, files, marx, observe
from pipeline.shell.demo_view import HEADER, WIDTH, Progress, Screen, Totals, alert_line
from pipeline.shell.offline import OfflineRun
from pipeline.shell.processes import until
from pipeline.shell.settings import Settings
from tests.integration.harness import MARX_SENSORS

DAY = timedelta(days=1)

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def alerts() -> list[Alert]:
    run = OfflineRun(
        files.registry_of(MARX_SENSORS),
        files.rules_of(None),
        86_400_000,
        geo=files.geo_of(Settings()),
    )
    lines = marx.events(marx.carried(demo.START, demo.START + DAY))
    episodes = run.episodes(lines, lambda *_: None)
    return [alert(one, Geo()) for one in episodes if one.change is Change.CLOSED]


def screen(*, terminal: bool = False) -> tuple[Screen, StringIO]:
    out = StringIO()
    return Screen(Console(file=out, width=WIDTH, force_terminal=terminal)), out


def test_a_day_is_accounted_for_and_equals_the_offline_run(
    capsys: pytest.CaptureFixture[str], alerts: list[Alert]
) -> None:
    assert demo.run(demo.START, demo.START + DAY, seconds=0) == 0
    out = capsys.readouterr().out
    count = len(list(marx.carried(demo.START, demo.START + DAY)))
    assert f"{count:,}  events sent" in out
    assert f"{count:,}  read = " in out
    assert f"equal: {len(alerts):,} alerts" in out
    assert "CC BY-SA 4.0" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= WIDTH


def test_a_difference_fails(alerts: list[Alert]) -> None:
    keys = observe.final(alerts)
    view, out = screen()
    assert demo.compare(view, keys, keys) == 0
    assert demo.compare(view, keys[1:], keys) == 1
    assert demo.compare(view, keys, keys[1:]) == 1
    assert demo.compare(view, [keys[0], *keys], keys) == 1, "one episode under two ids"
    assert "only offline: " in out.getvalue()
    assert "only workers: " in out.getvalue()


def test_totals_that_do_not_add_up() -> None:
    good = Totals(10, 10, correlated=6, without_indicators=1, rejected=2, late=1, sightings=5)
    assert good.add_up
    assert not msgspec.structs.replace(good, sent=11).add_up
    assert not msgspec.structs.replace(good, late=0).add_up


def test_what_an_event_holds_cannot_steer_a_terminal(alerts: list[Alert]) -> None:
    evil = msgspec.structs.replace(
        alerts[0],
        observables=(
            msgspec.structs.replace(alerts[0].observables[0], value="\x1b[2J[red]\r\n\u202e"),
        ),
        unmapped=msgspec.structs.replace(alerts[0].unmapped, origin=Origin("\x07Z")),
    )
    view, out = screen(terminal=True)
    view.opened(evil, {})
    assert "\\x1b[2J[red]\\r\\n\\u202e" in out.getvalue()


def test_a_terminal_shows_every_alert_in_columns(alerts: list[Alert]) -> None:
    view, out = screen(terminal=True)
    rules = {rule.id: rule for rule in files.rules_of(None)}
    with view:
        for one in alerts:
            view.opened(one, rules)
        now = alerts[-1].time
        view.progress(Progress(now, 42_888, 42_888, 41_000, 40_000, 1_368, 1_300, 12_345.0))
    shown = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", out.getvalue())
    lines = shown.replace("\r", "\n").splitlines()
    assert {alert_line(one, rules) for one in alerts} <= set(lines)
    assert {len(alert_line(one, rules)) for one in alerts} == {len(HEADER)}
    assert any("100 %" in line for line in lines)
    assert any("1,888 behind" in line for line in lines)


@needs_proc
@pytest.mark.parametrize(
    ("number", "when"),
    [(signal.SIGINT, "broker "), (signal.SIGTERM, "workers "), (signal.SIGINT, "04-01 ")],
)
def test_a_signal_leaves_nothing_running(number: signal.Signals, when: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "demo"], stdout=out, start_new_session=True
        )
    try:
        until(lambda: f"\n{when}" in said.read_text(), when, within=60)
        assert len(set(session_of(process.pid))) > 1
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # a terminal's Ctrl-C reaches the children, too
        else:
            process.send_signal(number)
        assert process.wait(60) == 128 + number
    finally:
        process.kill()
        process.wait()
    assert said.read_text().splitlines()[-1].startswith("Stopped before the end")
    until(lambda: not set(session_of(process.pid)), "all of them have ended")


@needs_proc
def test_a_reader_that_has_seen_enough() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"Sightline replays")
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""
    until(lambda: not set(session_of(process.pid)), "all of them have ended")


def session_of(leader: int) -> Iterator[int]:
    """Whoever runs in a session; one who has ended and was not waited for does not run."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, _, session, *_ = path.read_text().rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                yield int(path.parent.name)
