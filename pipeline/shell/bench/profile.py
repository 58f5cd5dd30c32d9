"""Where the time goes: a flame graph of every worker process, by py-spy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.shell.settings import FailedError

MISSING = (
    "--profile needs py-spy, which is not installed: "
    "`python -m pip install --group profile` (pip 25.1 or newer) or `python -m pip install py-spy`"
)
WRITES_WITHIN_S = 120.0


def py_spy() -> str:
    """The program; a `FailedError` says how to get it."""
    beside = Path(sys.executable).parent
    found = shutil.which("py-spy", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise FailedError(MISSING)
    return found


@contextmanager
def profiled(processes: Iterable[tuple[str, int]], folder: Path | None) -> Iterator[None]:
    """Sample (name, pid) processes meanwhile, and write `name.svg` for each; not without folder."""
    if folder is None:
        yield
        return
    program = py_spy()
    folder.mkdir(parents=True, exist_ok=True)
    recorders: list[tuple[Path, subprocess.Popen[bytes]]] = []
    try:
        for name, pid in processes:
            path = folder / f"{name}.svg"
            command = [
                *(program, "record", "--pid", str(pid), "--output", str(path)),
                *("--format", "flamegraph", "--rate", "200", "--duration", "86400"),
            ]
            recorders.append((path, _start(command)))
        yield
    finally:
        for _, recorder in recorders:
            recorder.send_signal(signal.SIGINT)  # it then writes what it has
    for path, recorder in recorders:
        _, said = recorder.communicate(timeout=WRITES_WITHIN_S)
        if recorder.returncode or not path.exists():
            last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise FailedError(f"py-spy wrote no {path}: {last}")


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    # A Ctrl-C in a terminal is for us; it then hears of it from us.
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
