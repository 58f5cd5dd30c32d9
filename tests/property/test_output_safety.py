"""Whatever a sensor, a file or a broker says: printed or logged, it steers nothing."""

from __future__ import annotations

import ast
import json
import logging
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from io import StringIO
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

import pipeline
from pipeline.alert import Alert, alert
from pipeline.campaign.campaign import Member
from pipeline.decode import Rejection, decode
from pipeline.episode import Change, Episode
from pipeline.geo import Geo, Origin
from pipeline.indicator import indicators
from pipeline.rule import Level, Rule
from pipeline.shell.checking import Checker
from pipeline.shell.cli import _say
from pipeline.shell.demo.lines import HEADER, WIDTH, alert_line, alert_lines, alerts_lines
from pipeline.shell.demo.screen import Screen
from pipeline.shell.plain_log import PlainFormatter
from pipeline.shell.printable import (
    cut,
    plain_json,
    printable,
    printable_bytes,
    printable_lines,
)
from pipeline.shell.settings import Settings, WrongUseError
from pipeline.shell.topic_config import Mismatch
from pipeline.shell.watch import view as watching
from tests.unit.telling import campaign

EVIL = [
    "\x1b[2J\x1b]0;title\x07",
    "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m",
    "a\r\n2026-01-01 00:00:00 CRITICAL forged",
    "a\u2028b\u2029c\x85d\x0be\x0c",
    "[red]x[/red][link=http://evil]",
    "=cmd|'/C calc'!A0",
    "\u202eexe.txt\u2066\u200f\u061c",
    "\u200b\ufeff\u00ad\U000e0041",
    "%s %d {0} {log.handlers} $(id) `id` '; rm -rf /",
    "<script>alert(1)</script>",
    "\x00\x7f\x08\t",
]
texts = st.text(max_size=40) | st.sampled_from(EVIL)
SGR = re.compile(r"\x1b\[[0-9;]*m")  # what rich itself writes: colours

RULE = Rule("r", "Title", Level.LOW, "user_agent", 3_600_000, "country", 2)


def evil_alert(text: str) -> Alert:
    of = alert(
        Episode(
            "id", RULE, text, Change.OPENED, 1_700_000_000_000, 1_700_000_000_001, (text,), (text,)
        ),
        Geo(),
    )
    unmapped = msgspec.structs.replace(of.unmapped, origin=Origin(text))
    finding = msgspec.structs.replace(of.finding_info, title=text)
    return msgspec.structs.replace(of, unmapped=unmapped, finding_info=finding)


@given(st.text(max_size=200))
@example("".join(EVIL))
@example("\ud800")
def test_what_is_printable_is_one_line_and_says_all_of_it(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text
    assert cut(shown, 5).isprintable()
    assert len(cut(shown, 5)) <= 5


@given(st.text(max_size=200), st.binary(max_size=100))
def test_lines_and_bytes_are_printable(text: str, raw: bytes) -> None:
    lines = printable_lines(text).split("\n")
    assert len(lines) == text.count("\n") + 1
    assert all(line.isprintable() for line in lines)
    assert printable_bytes(raw).isprintable()


@given(
    st.recursive(
        texts.filter(str.isprintable) | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=8,
    )
)
@example(EVIL)
def test_json_in_ascii_means_the_same(value: object) -> None:
    try:
        encoded = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    plain = plain_json(encoded)
    assert plain.isascii()
    assert plain.isprintable()
    assert json.loads(plain) == value


@given(texts, st.booleans())
@example("".join(EVIL), False)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_log_record_begins_at_the_start_of_a_line_and_nothing_else_does(
    text: str, raised: bool
) -> None:
    trace = (ValueError, ValueError(text), None) if raised else None
    record = logging.LogRecord(
        "sightline", logging.WARNING, "file", 1, "sensor %s said %r", (text, text), trace
    )
    first, *rest = PlainFormatter().format(record).split("\n")
    assert " WARNING sensor " in first
    assert all(line.startswith("    ") for line in rest)
    assert all(line.isprintable() for line in (first, *rest))


@given(texts)
@example("".join(EVIL))
def test_the_demo_shows_it_as_it_is_written(text: str) -> None:
    one = evil_alert(text)
    for terminal in (False, True):
        out = StringIO()
        console = Console(
            file=out,
            width=WIDTH,
            force_terminal=terminal,
            markup=False,
            highlight=False,
            emoji=False,
        )
        screen = Screen(console)
        screen.say(HEADER, alert_line(one, {}))
        screen.show(*alert_lines(one))
        screen.tell(alert_lines(one)[1])
        screen.opened(one, {})
        screen.say(*alerts_lines([one], {}, {}))
        assert all(line.isprintable() for line in SGR.sub("", out.getvalue()).split("\n"))


@given(texts)
@example("".join(EVIL))
def test_errors_are_readable_lines(text: str) -> None:
    out = StringIO()
    before, sys.stderr = sys.stderr, out
    try:
        _say(WrongUseError(f"{text}: no such file"))
    finally:
        sys.stderr = before
    assert all(line.isprintable() for line in out.getvalue().split("\n"))
    mismatch = Mismatch("topic", "key", text, "value", "else", True)
    assert printable(str(mismatch)).isprintable()


@given(st.lists(texts, min_size=3, max_size=3))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([EVIL[0], EVIL[3], EVIL[7]])
def test_what_check_finds_is_printable(tmp_path: Path, some: list[str]) -> None:
    path = tmp_path / "events"
    event = {
        "time": some[0],
        "metadata": {"uid": some[1]},
        "device": {"uid": some[2]},
        some[0]: some[1],
    }
    path.write_text(json.dumps(event) + "\n" + json.dumps(some[0]), "utf-8")
    for problem in Checker(Settings()).check(path).problems:
        assert printable(str(problem)).isprintable()


@given(texts)
def test_the_detail_of_a_rejection_is_of_bounded_length(text: str) -> None:
    raw = json.dumps(
        {"time": text * 1000, "metadata": {"uid": text * 1000}, text * 1000: text}
    ).encode()
    for one in decode(raw):
        assert isinstance(one, Rejection)
        assert len(one.detail) < 1000


def test_on_a_terminal_an_alert_is_in_ascii(tmp_path: Path) -> None:
    """A user agent is an indicator as it was given: a terminal must not be."""
    agent = "\x9b2J\u202e=cmd\x7f"
    (tmp_path / "sensors.toml").write_text(
        "".join(
            f'[[organisation]]\nid = "{c}"\ncountry = "{cc}"\nname = "x"\n'
            f'[[organisation.sensor]]\nid = "{c}-1"\n'
            for c, cc in (("a", "CZ"), ("b", "AT"))
        )
    )
    (tmp_path / "rule.yml").write_text(
        "title: T\nid: 5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10\ncorrelation:\n  type: value_count\n"
        "  rules: [any_event]\n  group-by: [user_agent]\n  timespan: 1h\n"
        "  condition: {field: country, gte: 2}\n"
    )
    events = [
        {
            "time": 1_767_268_800_000,
            "metadata": {"uid": "u"},
            "device": {"uid": f"{c}-1"},
            "http_request": {"user_agent": agent},
        }
        for c in "ab"
    ]
    (tmp_path / "events").write_text("\n".join(map(json.dumps, events)))
    master, slave = pty.openpty()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "pipeline", "correlate", "--sensors", "sensors.toml"),
            *("--rules", "rule.yml", "--input", "events"),
        ],
        cwd=tmp_path, stdout=slave, stderr=subprocess.DEVNULL,
    ):  # fmt: skip
        os.close(slave)
        said = b""
        with suppress(OSError):  # Linux ends a terminal's reading with an error
            while chunk := os.read(master, 4096):
                said += chunk
        os.close(master)
    line = said.decode("ascii").strip()
    assert line.isprintable()
    assert json.loads(line)["observables"][0]["value"] == agent


def test_indicators_keep_what_they_are() -> None:
    """It is where they are printed that they are made safe, not where they are compared."""
    (event,) = decode(
        json.dumps(
            {
                "time": 1,
                "metadata": {"uid": "u"},
                "device": {"uid": "s"},
                "http_request": {"user_agent": EVIL[0]},
            }
        ).encode()
    )
    assert not isinstance(event, Rejection)
    assert indicators(event)[0] == [("user_agent", EVIL[0])]


PAGES = Path(pipeline.__file__).parent / "shell" / "serve" / "pages.py"


def test_nothing_writes_tables_pages_or_shell_commands() -> None:
    """There is no CSV and no shell; one module fills words into pages, and escapes them there."""
    for path in Path(pipeline.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        imported = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in (
                node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")]
            )
        }
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        templates = {"html"} if path == PAGES else set()
        assert imported & {"html", "jinja2", "markupsafe"} == templates, path.name
        assert not calls & {"csv.writer", "csv.DictWriter", "os.system", "os.popen", "eval", "exec"}
        shell = [
            k
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for k in node.keywords
            if k.arg == "shell"
        ]
        assert shell == [], path.name


def test_a_page_is_given_texts_as_texts() -> None:
    """What the dashboard's script shows is never read as HTML, nor as a script."""
    scripts = sorted(PAGES.parent.rglob("*.js"))
    assert scripts
    for script in scripts:
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function",
            script.read_text("utf-8"),
        )
        assert not found, script.name
    escaped = [line for line in PAGES.read_text("utf-8").splitlines() if '"{{"' in line]
    assert escaped
    assert all("escape(value)" in line for line in escaped)


def test_what_is_logged_is_never_the_format() -> None:
    for path in Path(pipeline.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
                texts_of = [arg for arg in node.args if not isinstance(arg, ast.IfExp)]
                if ast.unparse(node.func) not in {"log.addFilter", "log.setLevel"}:
                    assert isinstance(texts_of[0], ast.Constant), f"{path.name}:{node.lineno}"


@given(texts)
@example("".join(EVIL))
def test_what_is_watched_steers_no_terminal(text: str) -> None:
    kind = f"user_agent{text}"
    told = campaign("cz", indicators=(Member(kind, text),), confidence_word=text, status=text)
    for on_terminal in (True, False):
        out = StringIO()
        console = Console(file=out, force_terminal=on_terminal, width=200, markup=False)
        screen = watching.Screen(console)
        screen.say(text)
        screen.alert(evil_alert(text))
        screen.campaign(told)
        lines = SGR.sub("", out.getvalue()).split("\n")
        assert all(line.isprintable() for line in lines)
        assert on_terminal or len(lines) == 4
        assert on_terminal or "\x1b" not in out.getvalue()
