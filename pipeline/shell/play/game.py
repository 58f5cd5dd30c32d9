"""The playground itself: processes, prompt, tasks one after another, and progress in a file."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from textwrap import fill
from typing import TypeVar

import msgspec
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.registry import Registry
from pipeline.shell import files, topics
from pipeline.shell.play.hands import Hands, NotUnderstoodError
from pipeline.shell.play.messages import Messages
from pipeline.shell.play.seen import Arrived, Seen
from pipeline.shell.play.tasks import TASKS, Task
from pipeline.shell.ports import free_port
from pipeline.shell.printable import cut, printable
from pipeline.shell.processes import Child
from pipeline.shell.settings import FailedError, Settings, WrongUseError

T = TypeVar("T")

WIDTH = 88
PATIENCE_S = 20.0  # for `check`: what was sent takes its way through the workers meanwhile
GLANCE_S = 1.0  # the same, after each command
READY_S = 40.0
STOP_S = 0.5  # for the workers to stop by themselves: nothing that they hold is kept
_SENDING = ("send", "line", "again", "mend")
_SHOWN = 12  # of a list's lines


class Progress(Struct):
    """What has been done, kept from one time to the next."""

    done: list[str] = []


def load(path: Path) -> Progress:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Progress)
    except FileNotFoundError:
        return Progress()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongUseError(f"{path}: no progress can be read: {error}; remove it") from None


def save(path: Path, progress: Progress) -> None:
    """In place of the old one, as a whole: an interrupted write loses nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(msgspec.json.encode(progress))
        beside.replace(path)
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror or error}") from None


def chosen(names: Iterable[str]) -> list[Task]:
    """The tasks of these names; all, if none is named."""
    wanted = list(names)
    known = {task.name: task for task in TASKS}
    for name in wanted:
        if name not in known:
            raise WrongUseError(f"--task: {printable(name)!r} is none of {', '.join(known)}")
    return [known[name] for name in wanted] or list(TASKS)


def run(
    say: Messages, tasks: list[Task], at: Path, lines: Iterator[str], *, solve: bool = False
) -> int:
    """0 if all the tasks are done at the end, 1 if not. `lines` are what the learner types."""
    progress = load(at)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an old terminal may not know a letter
    print(fill(say("welcome"), WIDTH), end="\n\n", flush=True)
    sensors = files.carried("playground", "sensors.toml")
    settings = Settings(
        sensors=str(sensors),
        rules=str(files.carried("playground", "rules.yml")),
        metrics_port=free_port(),
    )
    registry = files.registry_of(sensors)
    with Child("-m", "pipeline.shell.embedded", name="embedded broker") as broker:
        settings = msgspec.structs.replace(settings, broker=broker.ready)
        asyncio.run(topics.ensure(registry, settings))
        environment = settings.environment() | {"SIGHTLINE_CONFIG": ""}
        with Child("-m", "pipeline", "worker", environment=environment, name="workers") as workers:
            print(say("ready"), end="\n\n", flush=True)
            game = Game(say, settings, registry, at, progress)
            try:
                for task in tasks:
                    if task.name in progress.done and not solve:
                        continue
                    for child in (broker, workers):
                        if not child.running:
                            raise FailedError(f"the {child.name} ended: {child.tail()[-300:]}")
                    game.begin(task)
                    if not (game.solve(task) if solve else game.play(task, lines)):
                        print(say("bye", done=len(progress.done), of=len(TASKS)))
                        return 1
            finally:
                game.close()
                workers.stop(STOP_S)
    print(say("all-done", of=len(TASKS)))
    return 0


class Game:
    """One learner at it."""

    def __init__(
        self, say: Messages, settings: Settings, registry: Registry, at: Path, progress: Progress
    ) -> None:
        self.say = say
        self.hands = Hands(settings.broker, registry)
        self.seen = Seen(settings.broker, registry)
        self._at = at
        self._progress = progress
        self._answers: list[str] = []
        self._commands: dict[str, Callable[[Task, list[str]], None]] = {
            "send": self._send, "line": self._line, "again": self._again, "mend": self._mend,
            "events": self._events, "alerts": self._alerts, "dead": self._dead,
            "answer": self._answer, "check": self._check, "hint": self._hint,
            "task": self._task, "tasks": self._tasks, "help": self._help,
        }  # fmt: skip

    def close(self) -> None:
        self.seen.close()

    def begin(self, task: Task) -> None:
        """Set it up, and wait until there is to be seen what the learner shall look at."""
        self._answers = []
        task.set_up(self.hands)
        if not self.seen.until(task.ready, READY_S):
            raise FailedError(f"{task.name}: what it needs did not come about")
        self._task(task, [])

    def play(self, task: Task, lines: Iterator[str]) -> bool:
        """Whether it was done before the learner left."""
        for line in lines:
            command = line.strip()
            if command in {"quit", "exit"}:
                return False
            if command and not command.startswith("#"):
                sent = self.do(task, command)
                patience = PATIENCE_S if command == "check" else GLANCE_S if sent else 0.0
                if self._done(task, patience, asked=command == "check"):
                    return True
        return False

    def solve(self, task: Task) -> bool:
        """Show how it is done. It must not have been done before."""
        self.seen.read()
        if task.done(self.seen, ()):
            raise FailedError(f"{task.name}: it was done before anything was")
        for command in task.solution:
            print(f"> {command}")
            self.do(task, command)
        if task.answer is not None:
            command = f"answer {task.answer(self.seen)}"
            print(f"> {command}")
            self.do(task, command)
        return self._done(task, PATIENCE_S, asked=True)

    def do(self, task: Task, line: str) -> bool:
        """One command; whether it sent something. What it says, it says on stdout."""
        name, _, rest = line.partition(" ")
        command = self._commands.get(name.lower())
        if command is None:
            print(fill(self.say("say.command", known=", ".join(self._commands)), WIDTH))
            return False
        try:
            command(task, [rest] if name == "line" else _words(rest))
        except NotUnderstoodError as error:
            print(fill(self.say(error.key, **error.values), WIDTH))
            return False
        return name in _SENDING

    def _done(self, task: Task, patience: float, *, asked: bool) -> bool:
        done = self.seen.until(lambda seen: task.done(seen, self._answers), patience)
        if done:
            print(
                "\n" + fill("✓ " + self.say(f"task.{task.name}.done"), WIDTH),
                end="\n\n",
                flush=True,
            )
            if task.name not in self._progress.done:
                self._progress.done.append(task.name)
                save(self._at, self._progress)
        elif asked:
            print(fill(self.say("not-yet"), WIDTH), flush=True)
        return done

    def _send(self, _: Task, words: list[str]) -> None:
        sensor = None
        if len(words) > 2 and words[-2] == "as":
            sensor = words[-1]
            words = words[:-2]
        if len(words) != 3:
            raise NotUnderstoodError("say.send")
        topic = self.hands.send(words[0].lower(), words[1].lower(), words[2], sensor)
        print(self.say("sent", topic=topic))

    def _line(self, _: Task, words: list[str]) -> None:
        where, _blank, text = words[0].strip().partition(" ")
        if not text:
            raise NotUnderstoodError("say.line")
        print(self.say("sent", topic=self.hands.line(where.lower(), text.strip())))

    def _again(self, _: Task, words: list[str]) -> None:
        print(self.say("sent", topic=self.hands.again()))

    def _mend(self, _: Task, words: list[str]) -> None:
        self.seen.read()
        if len(words) != 3 or not words[0].isdigit():
            raise NotUnderstoodError("say.mend")
        number = int(words[0]) if len(words[0]) < 9 else 0
        if not 1 <= number <= len(self.seen.letters):
            raise NotUnderstoodError("say.letter", number=words[0])
        print(self.say("sent", topic=self.hands.mend(self.seen.letters[number - 1], *words[1:])))

    def _events(self, *_: object) -> None:
        self.seen.read()
        self._list(self.seen.events, lambda _, one: _event_line(one))

    def _alerts(self, *_: object) -> None:
        self.seen.read()
        self._list(self.seen.alerts, lambda number, one: f"{number:>3}  {self._alert_line(one)}")

    def _dead(self, *_: object) -> None:
        self.seen.until(lambda seen: bool(seen.letters), GLANCE_S)
        self._list(
            self.seen.letters,
            lambda number, one: (
                f"{number:>3}  {one.reason}: {cut(one.detail, 50)}\n"
                f"     {one.topic}  {cut(one.raw.decode('utf-8', 'replace'), 200)}"
            ),
        )

    def _list(self, of: list[T], line: Callable[[int, T], str]) -> None:
        if not of:
            print(self.say("nothing-there"))
        shown = list(enumerate(of, 1))[-_SHOWN:]
        for number, one in shown:
            print("\n".join(printable(text) for text in line(number, one).split("\n")))

    def _alert_line(self, alert: Alert) -> str:
        indicator, said = alert.observables[0], alert.unmapped
        return self.say(
            "alert",
            kind=indicator.name,
            value=cut(indicator.value, 40),
            countries=", ".join(said.countries),
            organisations=", ".join(said.organisations),
            chance="?" if said.p_value is None else f"{said.p_value:.3g}",
        )

    def _answer(self, _: Task, words: list[str]) -> None:
        self._answers = [word.rstrip("….") for word in words[:1] if len(word) >= 3]

    def _check(self, *_: object) -> None:
        pass  # every command is followed by a look at the topics; this one by a long look

    def _hint(self, task: Task, _: list[str]) -> None:
        print(fill(self.say(f"task.{task.name}.hint"), WIDTH))

    def _task(self, task: Task, _: list[str]) -> None:
        number = [one.name for one in TASKS].index(task.name) + 1
        title = self.say(f"task.{task.name}.title")
        print(f"{number}/{len(TASKS)}  {title}")
        print(fill(self.say(f"task.{task.name}.text"), WIDTH), flush=True)

    def _tasks(self, *_: object) -> None:
        for number, task in enumerate(TASKS, 1):
            mark = "✓" if task.name in self._progress.done else " "
            print(f"{mark} {number}  {task.name:12} {self.say(f'task.{task.name}.title')}")

    def _help(self, *_: object) -> None:
        print(self.say("help"))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _event_line(one: Arrived) -> str:
    said = "; ".join(f"{kind} {cut(value, 40)}" for kind, value in one.indicators) or "-"
    return f"{one.topic:18} {one.uid:24} {said}"


def typed() -> Iterator[str]:
    """What the learner types, to the end of input; a prompt where somebody sits there."""
    while True:
        if sys.stdin.isatty():
            try:
                yield input("> ")
            except (EOFError, KeyboardInterrupt):
                print()
                return
        else:
            line = sys.stdin.readline()
            if not line:
                return
            yield line
