"""The playground from beginning to end: shown, and played by somebody who makes mistakes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.shell.play.game import chosen, load
from pipeline.shell.play.messages import Messages
from pipeline.shell.play.tasks import TASKS
from pipeline.shell.settings import WrongUseError

GUIDE = Path(__file__).parents[2] / "docs" / "trainers-guide.md"


def play(progress: Path, typed: str, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "pipeline", "playground", "--progress", str(progress)]
    done = subprocess.run(
        [*command, *arguments],
        check=False,
        input=typed,
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    return done.returncode, done.stdout, done.stderr


def test_every_task_can_be_done_as_it_is_shown(tmp_path: Path) -> None:
    """`--solve` fails where a task is done before anything was, or is not done after all."""
    progress = tmp_path / "var" / "progress.json"
    status, out, said = play(progress, "", "--solve", "--language", "fr")
    assert (status, said) == (0, ""), out
    assert json.loads(progress.read_bytes()) == {"done": [task.name for task in TASKS]}
    french = Messages("fr")
    plain = " ".join(out.split())
    for task in TASKS:
        assert " ".join(french(f"task.{task.name}.done").split()) in plain
    assert french("all-done", of=len(TASKS)) in plain


def test_mistakes_are_told_and_who_leaves_keeps_what_was_done(tmp_path: Path) -> None:
    progress = tmp_path / "progress.json"
    kept = [task.name for task in TASKS if task.name not in {"first-event", "foreign", "liar"}]
    progress.write_text(json.dumps({"done": kept}))
    (guide,) = re.findall(
        r"<<'TYPED'\n(.*?)^TYPED$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    typed = f"""{guide}
        # foreign: what is wrong is answered, and nothing is done by it
        fly me to the moon
        send
        send xx ip 45.155.205.9
        send ke ip 45.155.205.9 as ke-1
        line ke no log at all
        mend 7 time now
        hint
        send ke ip 45.155.205.9 as cz-1
        # it is looked for a second; if that was too short, as long as it takes. Else this is of:
        check
        # liar: a wrong answer, and then there is no more time
        answer ke-bank
        tasks
        quit
    """
    status, out, said = play(progress, typed)
    assert (status, said) == (1, ""), out
    english = Messages("en")
    for key in ("say.send", "say.format", "task.first-event.done", "task.foreign.done"):
        assert " ".join(english(key).split()) in " ".join(out.split())
    assert english("say.where", where="cz, ke, br") in out
    assert english("say.letter", number="7") in " ".join(out.split())
    assert "2/9" not in out, "what is done is not asked again"
    assert english("task.liar.done")[:20] not in out
    assert english("bye", done=len(TASKS) - 1, of=len(TASKS)) in out
    assert load(progress).done == [*kept, "first-event", "foreign"]


def test_wrong_use_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match="--task: 'x' is none of first-event"):
        chosen(["x"])
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(WrongUseError, match="no progress can be read"):
        load(tmp_path / "p.json")
