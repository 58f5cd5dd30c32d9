"""`sightline check`: which lines of a file, or of a folder's files, are wrong, where and why."""

from __future__ import annotations

import time
import tomllib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from pipeline.decode import MAX_MESSAGE_BYTES, Reason, Rejection, decode
from pipeline.intake import FUTURE_MS, Intake
from pipeline.problem import LISTED, Problem, did_you_mean
from pipeline.registry import Registry, read_registry
from pipeline.rule import Rule
from pipeline.rule_file import check_unique, read_rules
from pipeline.shell.files import RULES, in_folder, open_events, read_text
from pipeline.shell.settings import Settings, WrongUseError, load

SENSORS = (".toml",)
EVENTS = (".jsonl", ".ndjson", ".json")
"""Of a folder; a file that is named is taken for events whatever else its name ends with."""


class Checked(Struct):
    """What was found out about one file. `problems` are told, `more` are only counted."""

    path: Path
    kind: str
    problems: list[Problem]
    more: int = 0

    @property
    def good(self) -> bool:
        return not self.problems


def listed(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are to be checked; a `WrongUseError` names a path that is not there."""
    for path in paths:
        if path.is_dir():
            found = in_folder(path, SENSORS + RULES + EVENTS)
            if not found:
                kinds = ", ".join(f"*{suffix}" for suffix in SENSORS + RULES + EVENTS)
                raise WrongUseError(f"{path}: no file to check in it ({kinds})")
            yield from found
        elif path.exists():
            yield path
        else:
            raise WrongUseError(f"{path}: no such file or folder{_near(path)}")


def _near(path: Path) -> str:
    try:
        return did_you_mean(path.name, [other.name for other in path.parent.iterdir()])
    except OSError:
        return f"; there is no folder {path.parent} either"


class Checker:
    """Checks files one after another; what one says may be wrong beside another.

    With a registry, events are held against it as `sightline correlate` would.
    """

    def __init__(self, settings: Settings, registry: Registry | None = None) -> None:
        self._settings = settings
        self._registry = registry
        self._rules: list[tuple[str, Rule]] = []

    def check(self, path: Path) -> Checked:
        """What a file is, by its name, and what is wrong with it."""
        match path.suffix.lower():
            case suffix if suffix in SENSORS:
                return self._toml(path)
            case suffix if suffix in RULES:
                return Checked(path, *self._rules_file(path))
            case _:
                return self._events_file(path)

    def _toml(self, path: Path) -> Checked:
        text = read_text(path)
        if not _is_settings(text):
            prefix = self._settings.topic_prefix
            return Checked(path, "sensors", read_registry(text, str(path), prefix)[1])
        try:
            load(path, environment={})
        except WrongUseError as error:
            message = str(error).removeprefix(f"{path}: ").removeprefix("settings: ")
            return Checked(path, "settings", [Problem(str(path), None, message)])
        return Checked(path, "settings", [])

    def _rules_file(self, path: Path) -> tuple[str, list[Problem]]:
        rules, problems = read_rules(read_text(path), str(path))
        if not rules and not problems:
            problems = [Problem(str(path), None, "no rule in it")]
        before = len(check_unique(self._rules))
        self._rules += [(str(path), rule) for rule in rules]
        problems += check_unique(self._rules)[before:]
        return f"{len(rules)} rule{'' if len(rules) == 1 else 's'}", problems

    def _events_file(self, path: Path) -> Checked:
        checked = Checked(path, "", [])
        events = _Events(self._settings, self._registry)
        for problem in events.problems(path):
            if len(checked.problems) < LISTED:
                checked.problems.append(problem)
            else:
                checked.more += 1
        checked.kind = events.kind()
        return checked


def _is_settings(text: str) -> bool:
    try:
        keys = tomllib.loads(text).keys()
    except (ValueError, RecursionError):
        return False
    return "organisation" not in keys and bool(keys & set(Settings.__struct_fields__))


class _Events:
    """The events of one file, in their order."""

    def __init__(self, settings: Settings, registry: Registry | None) -> None:
        self._now = time.time_ns() // 1_000_000
        self._intake: Intake | None = None
        self._count = 0
        if registry is not None:
            sensors = registry.sensors
            self._intake = Intake("check", sensors, sensors, {}, settings.lateness_ms)

    def kind(self) -> str:
        if self._intake is None:
            return f"{self._count} events"
        tally = self._intake.tally
        return (
            f"{self._count} events, {tally.without_indicators} without indicators, "
            f"{tally.uncanonical} values without a canonical form"
        )

    def problems(self, path: Path) -> Iterator[Problem]:
        number = 0
        try:
            with open_events(str(path)) as file:
                while line := file.readline(MAX_MESSAGE_BYTES + 1):
                    number += 1
                    for rejection in self._rejections(line) if line.strip() else ():
                        yield Problem(str(path), number, f"{rejection.reason}: {rejection.detail}")
                    while len(line) > MAX_MESSAGE_BYTES and not line.endswith(b"\n"):
                        line = file.readline(MAX_MESSAGE_BYTES + 1)  # the rest of it
        except (OSError, EOFError, zlib.error) as error:
            yield Problem(str(path), number, f"cannot be read on from here: {error}")

    def _rejections(self, line: bytes) -> Iterator[Rejection]:
        if self._intake is not None:
            before = self._intake.tally.received
            yield from (rejection for _, rejection in self._intake.read(line, self._now))
            self._count += self._intake.tally.received - before
            return
        for event in decode(line):
            self._count += 1
            if isinstance(event, Rejection):
                yield event
            elif event.time > self._now + FUTURE_MS:
                ahead = (event.time - self._now) / 1000
                yield Rejection(Reason.FROM_THE_FUTURE, f"{ahead:.0f} s from now", b"")
