"""The demo's processes: a broker, workers, the page. What was started is stopped."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import msgspec

from pipeline.shell.processes import Child
from pipeline.shell.settings import FailedError, Settings

READY_S = 120.0
GRACE_S = 8.0  # for a process to stop by itself
HURRIED_S = 2.0  # the same, where somebody waits for the prompt


class House:
    """What runs. Used with `with`: at its end nothing is left."""

    def __init__(self, settings: Settings, stop: Stop) -> None:
        self.settings = settings
        self.page = ""
        """Where the dashboard is."""
        self._stop = stop
        self._children: list[Child] = []
        self._folder = tempfile.TemporaryDirectory(prefix="sightline-demo-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        running = [child for child in reversed(self._children) if child.running]
        for child in running[:-1]:  # the broker last: the others wait for what is on its way to it
            child.ask_to_stop()
        for child in reversed(self._children):
            child.stop(HURRIED_S if self._stop.number or error else GRACE_S)
        self._folder.cleanup()

    def broker(self) -> Child:
        child = self._run("-m", "pipeline.shell.embedded", name="embedded broker")
        self.settings = msgspec.structs.replace(self.settings, broker=child.ready)
        return child

    def worker(self, name: str, *, await_ready: bool = True) -> Child:
        return self._run(
            "-m", "pipeline", "worker", name=name, ready_within=READY_S if await_ready else None
        )

    def serve(self) -> Child:
        store = Path(self._folder.name) / "serve.sqlite"
        child = self._run("-m", "pipeline", "serve", name="page", SIGHTLINE_SERVE_STORE=str(store))
        self.page = child.ready
        return child

    @contextmanager
    def command(self, *arguments: str) -> Iterator[Child]:
        """A command of Sightline's, as it would be typed; it ends by itself."""
        child = Child(
            *("-m", "pipeline", *arguments),
            environment=self._environment({}),
            ready_within=None,
            name=arguments[0],
        )
        with child:
            yield child

    def check(self) -> None:
        """A `FailedError` if one of them has ended that was not killed."""
        for child in self._children:
            if not child.running:
                said = child.tail().strip().rpartition("\n")[2]
                raise FailedError(f"the {child.name} ended too early. {said}".strip())

    def kill(self, child: Child) -> None:
        """SIGKILL."""
        self._children.remove(child)
        child.kill()

    def _run(
        self,
        *arguments: str,
        name: str,
        ready_within: float | None = READY_S,
        **environment: str,
    ) -> Child:
        child = Child(
            *arguments,
            environment=self._environment(environment),
            ready_within=ready_within,
            name=name,
        )
        child.start()
        self._children.append(child)
        return child

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        # All settings are here: no file of the caller's shall have a say.
        return self.settings.environment() | {"SIGHTLINE_CONFIG": ""} | dict(more)


class Stop:
    """SIGINT and SIGTERM while the demo runs: the first one ends it, further ones are ignored,
    for it is cleaning up.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.number:
            self.number = number
            raise KeyboardInterrupt
