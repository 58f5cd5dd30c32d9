"""Processes of ours, started by ours: the demo, the benchmark and the tests.

A child says `ready …` on stdout when it can be used, and is stopped by its own pid, never by its
name. No child outlives its parent, however the parent ends: the parent holds the write end of a
pipe, the *leash*, and a child that called `exit_with_parent` leaves when the pipe reports its end.
That needs no signal, no polling, and works wherever there are pipes.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, Literal, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

ORPHANED = 75
"""Exit status of a child whose parent is gone (EX_TEMPFAIL: nothing was wrong with the child)."""

_LEASH = "LEASH_OF_PARENT"  # not SIGHTLINE_…: those are settings, and an unknown one is an error
_TAIL = 2000  # bytes of stderr shown when a child fails

T = TypeVar("T")


class ChildFailed(RuntimeError):  # noqa: N818 — it is what happened
    """A child ended, or stayed silent, where it should have become ready. One readable text."""


def exit_with_parent() -> None:
    """End this process, with status 75 and at once, when the process that started it is gone.

    Does nothing in a process that no `Child` started. Calling it again does nothing either.
    """
    descriptor, _, inode = os.environ.pop(_LEASH, "").partition(":")
    if not inode:
        return
    leash = int(descriptor)
    try:
        status = os.fstat(leash)
    except OSError:
        return
    # The variable may have come down from a grandparent, and the number then means another file.
    if not stat.S_ISFIFO(status.st_mode) or status.st_ino != int(inode):
        return
    os.set_inheritable(leash, False)

    def watch() -> None:
        os.read(leash, 1)
        os._exit(ORPHANED)

    threading.Thread(target=watch, name="leash", daemon=True).start()


def until(condition: Callable[[], T], what: str, within: float = 30.0) -> T:
    """Ask again and again until `condition()` is true, and return it.

    The waiting ends by the condition; `within` seconds only bound a failure, a `TimeoutError`.
    """
    deadline = time.monotonic() + within
    pause = threading.Event()
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {within:g} s in vain until {what}")
        pause.wait(0.02)
    return answer


class Child:
    """A Python child: `Child("-m", "pipeline", "broker", "--port", "0")`, used with `with`.

    Entering starts it and waits for its line `ready …`; what follows the word is `.ready`.
    `ready_within=None` does not wait, for children that never say so. Leaving stops it. What it
    writes to stderr, and to stdout besides that line, goes to `log` (default: a temporary file;
    "inherit": our own stderr).
    """

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        ready_within: float | None = 60.0,
        log: Path | Literal["inherit"] | None = None,
        name: str | None = None,
        python: str = sys.executable,
    ) -> None:
        self.name = name or " ".join(arguments)
        self.ready = ""
        self._command = [python, *arguments]
        self._environment = dict(environment or {})
        self._ready_within = ready_within
        self._log_path = log
        self._log: IO[bytes]
        self._process: subprocess.Popen[bytes]
        self._reader: threading.Thread
        self._leash = -1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it is ready; `ChildFailed` says why it is not."""
        self._log = self._open_log()
        held, self._leash = os.pipe()
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=os.environ
                | self._environment
                | {_LEASH: f"{held}:{os.fstat(held).st_ino}", "PYTHONUNBUFFERED": "1"},
                pass_fds=(held,),
                # A Ctrl-C in a terminal is for us; we then stop what we started, in our order.
                process_group=0,
            )
        except BaseException:
            self.let_go()
            self._log.close()
            raise
        finally:
            os.close(held)
        said: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(said,), daemon=True)
        self._reader.start()
        if self._ready_within is None:
            return
        try:
            self._await_ready(said, self._ready_within)
        except BaseException:
            self.stop()
            raise

    def _open_log(self) -> IO[bytes]:
        if self._log_path is None:
            return tempfile.TemporaryFile()
        if self._log_path == "inherit":
            return os.fdopen(os.dup(2), "ab")
        return self._log_path.open("ab+")

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.running:
            self._process.send_signal(number)

    def stop(self, grace: float = 20.0) -> int:
        """SIGTERM, after `grace` seconds SIGKILL; returns the exit status. Again: does nothing."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._end()

    def let_go(self) -> None:
        """Let go of the leash, as our death would: the child leaves with status 75."""
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1

    def kill(self) -> int:
        """SIGKILL, at once, the crash of a test; returns the exit status (−9)."""
        self._process.kill()
        return self._end()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends by itself; returns the exit status, or raises `TimeoutError`."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name}: still running after {timeout:g} s") from None
        return self._end()

    def tail(self) -> str:
        """The last of what it wrote to stderr."""
        if self._log.closed:
            return self._last
        if self._log_path == "inherit":
            return ""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), _TAIL, max(0, size - _TAIL)).decode(errors="replace")

    def _read(self, said: SimpleQueue[str | None]) -> None:
        # To the end of stdout, or a talkative child would stand still on a full pipe.
        assert self._process.stdout is not None
        waiting = True
        for line in self._process.stdout:
            if waiting and line.split()[:1] == [b"ready"]:
                waiting = False
                self.ready = line.decode(errors="replace").removeprefix("ready").strip()
                said.put(self.ready)
            else:
                os.write(self._log.fileno(), line)
        said.put(None)

    def _await_ready(self, said: SimpleQueue[str | None], within: float) -> None:
        try:
            answer = said.get(timeout=within)
        except Empty:
            raise ChildFailed(f"{self.name}: not ready after {within:g} s. {self.tail()}") from None
        if answer is None:
            status = self._process.wait(within)
            raise ChildFailed(f"{self.name}: ended with status {status}. {self.tail()}")

    def _end(self) -> int:
        status = self._process.wait()
        # A grandchild that lives on may hold stdout open; it must not hold us.
        self._reader.join(5.0)
        self._close()
        return status

    def _close(self) -> None:
        self.let_go()
        # Both are still the reader's where something holds the child's stdout open.
        if self._process.stdout and not self._reader.is_alive() and not self._log.closed:
            self._last = self.tail()
            self._process.stdout.close()
            self._log.close()
