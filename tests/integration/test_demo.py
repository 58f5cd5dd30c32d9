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

from pipeline.alert import Alert
from pipeline.campaign import campaign as campaigns
from pipeline.geo import Origin
from pipeline.share.outward import Producer
from pipeline.share.stix import Profile, bundle
from pipeline.shell import files, marx
from pipeline.shell.demo import story, truth
from pipeline.shell.demo.cast import Cast, cast
from pipeline.shell.demo.house import House, Stop
from pipeline.shell.demo.lines import HEADER, WIDTH, Progress, alert_line, campaign_lines
from pipeline.shell.demo.screen import BADGE, Screen
from pipeline.shell.offline import OfflineRun
from pipeline.shell.processes import until

DAY = timedelta(days=1)

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def taking_part(tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return cast(story.START, story.START + DAY, tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def alerts(taking_part: Cast) -> list[Alert]:
    return truth.truth(taking_part).alerts


def screen(*, terminal: bool = False, width: int = WIDTH) -> tuple[Screen, StringIO]:
    out = StringIO()
    return Screen(Console(file=out, width=width, force_terminal=terminal)), out


def test_the_story_of_a_day_is_told_and_equals_the_offline_run(
    capsys: pytest.CaptureFixture[str], alerts: list[Alert], tmp_path: Path
) -> None:
    assert story.run(story.START, story.START + DAY, seconds=0, out=tmp_path) == 0
    out = capsys.readouterr().out
    count = len(list(marx.carried(story.START, story.START + DAY)))
    replayed = sum(
        one.finding_info.first_seen_time >= story.START.timestamp() * 1000 for one in alerts
    )
    assert f"{count:,} real events" in out
    assert f"equal: {replayed:,} alerts of the replay and {len(alerts) - replayed} of the" in out
    assert "CC BY-SA 4.0" in out
    assert re.search(r"^  page     http://127\.0\.0\.1:\d+/$", out, re.MULTILINE)
    # Three logs in their own formats; of one, a line is no good, and it is said which, and why.
    for how in ("suricata", "cowrie", "zeek", "sshd"):
        assert f"$ sightline ship --format {how} " in out
    assert "line 13 was rejected: not-json" in out
    # One campaign under one id, before and after it reached a fourth country.
    (before,) = re.findall(r"^  before  (\S+)  BR CZ KE$", out, re.MULTILINE)
    assert f"\n  now     {before}  BR CZ KE PT\n" in out
    assert "1 row on the page" in " ".join(out.split())
    assert "on: Shodan IP Ranges Used for Scanning" in out
    assert "benign, says the demonstration" in out
    assert re.search(r"kill -9 \d+: the worker is gone", out)
    # What was exported is that campaign.
    told = campaigns.decode((tmp_path / "campaigns.jsonl").read_bytes())
    assert told.id == before
    assert told.countries == ("BR", "CZ", "KE", "PT")
    exported = (tmp_path / "campaign.stix.json").read_bytes()
    assert exported == bundle([told], Producer("Sightline"), Profile.FULL)
    steps = re.findall(rf"^{BADGE}  (\d+)\. ", out, re.MULTILINE)
    assert [int(one) for one in steps] == list(range(1, 10))
    assert "\x1b" not in out
    # Nothing is wider that can be wrapped; the path that a test writes to cannot.
    ours = [line for line in out.splitlines() if "pytest" not in line]
    assert [line for line in ours if len(line) > WIDTH and " " in line.strip()] == []


def test_a_difference_is_told(alerts: list[Alert]) -> None:
    assert truth.differences(alerts, alerts) == []
    first = alerts[0]
    double = msgspec.structs.replace(
        first, finding_info=msgspec.structs.replace(first.finding_info, uid="another")
    )
    surer = msgspec.structs.replace(
        first, unmapped=msgspec.structs.replace(first.unmapped, p_value=0.5)
    )
    assert any("only offline: " in line for line in truth.differences(alerts[1:], alerts))
    assert any("only workers: " in line for line in truth.differences(alerts, alerts[1:]))
    assert truth.differences([*alerts, double], alerts), "one episode under two ids"
    assert "p-values" in truth.differences([*alerts, surer], alerts)[0]


def test_what_was_wrong_is_the_exit_status(taking_part: Cast) -> None:
    view, out = screen()
    with House(taking_part.settings, Stop()) as house:
        one = story.Story(taking_part, house, view)
        one.wrong.append("2 records were not read")
        one._end(keep=False)
    assert "2 records were not read" in out.getvalue()
    assert "DIFFERENT" in out.getvalue()


def test_the_logs_alone_make_one_campaign_that_reaches_a_fourth_country(
    taking_part: Cast,
) -> None:
    """Without any broker: the same id, three countries, then four."""
    found = []
    for logs in (taking_part.first, [*taking_part.first, taking_part.later]):
        settings = taking_part.settings
        run = OfflineRun(
            taking_part.registry,
            taking_part.rules,
            settings.lateness_ms,
            grouping=True,
            benign=files.benign_of(settings),
            geo=files.geo_of(settings),
        )
        lines = [line for native in logs for line in native.events(0)]
        assert list(run.episodes(lines, lambda *_: None))
        (one,) = run.campaigns()
        found.append(one)
    before, after = found
    assert before.id == after.id
    assert (before.countries, after.countries) == (("BR", "CZ", "KE"), ("BR", "CZ", "KE", "PT"))
    assert all(len(line) <= WIDTH for line in campaign_lines(after))


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
        view.progress(Progress(now, 42_888, 42_888, 1_888, 1_368, 12_345.0))
    shown = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", out.getvalue())
    lines = shown.replace("\r", "\n").splitlines()
    assert {alert_line(one, rules) for one in alerts} <= set(lines)
    assert {len(alert_line(one, rules)) for one in alerts} == {len(HEADER)}
    assert any("100 %" in line for line in lines)
    assert any("1,888 behind" in line for line in lines)


@needs_proc
@pytest.mark.parametrize(
    ("number", "when"),
    [(signal.SIGINT, "  broker "), (signal.SIGTERM, "  page "), (signal.SIGINT, "KE: ")],
)
def test_a_signal_leaves_nothing_running(number: signal.Signals, when: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "demo", "--out", str(tmp_path)],
            stdout=out,
            start_new_session=True,
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
def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "demo", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"Sightline: the same thing")
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
