"""What is noted of a batch in hand outlives the process, and is compared at the next death."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from pipeline.shell.in_hand import SUSPECTS, InHand

A, B = TP("events.at.org-at", 3), TP("events.at.org-at", 4)


def batch(first: int, last: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in range(first, last + 1)]


def die(folder: Path, tp: TP, first: int, last: int) -> None:
    InHand(folder).take(tp, batch(first, last))


def test_nothing_is_suspected_at_first(tmp_path: Path) -> None:
    assert InHand(tmp_path / "new").deaths(A, batch(0, 9)) == 0


def test_a_batch_that_was_put_down_is_none(tmp_path: Path) -> None:
    hand = InHand(tmp_path)
    hand.take(A, batch(0, 9))
    hand.put_down()
    assert InHand(tmp_path).suspects == []


def test_deaths_of_overlapping_batches_are_of_the_same_case(tmp_path: Path) -> None:
    die(tmp_path, A, 10, 19)
    assert InHand(tmp_path).deaths(A, batch(19, 30)) == 1
    assert InHand(tmp_path).deaths(A, batch(0, 10)) == 1  # known to every successor
    die(tmp_path, A, 15, 40)
    hand = InHand(tmp_path)
    assert hand.deaths(A, batch(40, 50)) == 2
    assert hand.deaths(A, batch(10, 14)) == 0  # the latest is what counts
    assert hand.deaths(A, batch(41, 50)) == 0
    assert hand.deaths(B, batch(15, 40)) == 0


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    for n in range(SUSPECTS + 5):
        die(tmp_path, A, 10 * n, 10 * n + 9)
    hand = InHand(tmp_path)
    assert len(hand.suspects) == SUSPECTS
    assert hand.deaths(A, batch(0, 9)) == 0
    assert hand.deaths(A, batch(10 * n, 10 * n)) == 1


def test_it_is_known_after_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from types import SimpleNamespace as N\n"
        "from faust.types import TP; from pipeline.shell.in_hand import InHand\n"
        "InHand(Path(sys.argv[1])).take(TP('t', 1), [N(offset=5), N(offset=7)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert InHand(tmp_path).deaths(TP("t", 1), batch(7, 7)) == 1
