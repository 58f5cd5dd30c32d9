"""Whether a worker lives, and whether it is ready.

It lives while the event loop of each stage comes round: one that stands still is not ended by a
supervisor that waits for its end. It is ready when each stage knows its partitions, be there any
for it or not, and has read back what was known of them.

A stage says so in a file, which is replaced and never half written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

SILENT_S = 30.0
"""A loop that has not come round for so long stands still: the longest look takes far less."""
START_S = 90.0
"""What a stage's process may take before its loop comes round for the first time."""


class State(Struct, frozen=True):
    """What a stage says of itself; `at` (s since the epoch) is when its loop came round."""

    at: float
    assigned: bool = False
    recovered: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(State).decode


def write(folder: Path, stage: str, state: State) -> None:
    """Tell it."""
    path = _path(folder, stage)
    new = path.with_suffix(".new")
    new.write_bytes(_encode(state))
    new.replace(path)


def starts(folder: Path, stage: str, in_s: float = 0.0) -> None:
    """The supervisor starts a stage, now or after a pause: until then it need not be heard."""
    write(folder, stage, State(time.time() + in_s + START_S - SILENT_S))


class Health:
    """Of the stages of one worker."""

    def __init__(self, folder: Path, stages: Sequence[str]) -> None:
        self._folder = folder
        self._stages = stages
        self.watched_at = time.time()
        """When the supervisor last looked after its stages, s since the epoch."""

    def ill(self) -> list[str]:
        """Why the worker does not live, a line each; nothing where it does."""
        now = time.time()
        found = []
        if now - self.watched_at > SILENT_S:
            found.append(f"supervisor: stands still for {now - self.watched_at:.0f} s")
        for stage in self._stages:
            silent = now - self._state(stage).at
            if silent > SILENT_S:
                found.append(f"{stage}: its event loop stands still for {silent:.0f} s")
        return found

    def unready(self) -> list[str]:
        """Why the worker is not ready, a line each; nothing where it is."""
        found = self.ill()
        for stage in self._stages:
            state = self._state(stage)
            if not state.assigned:
                found.append(f"{stage}: has not been told its partitions")
            elif not state.recovered:
                found.append(f"{stage}: reads back what was known")
        return found

    def _state(self, stage: str) -> State:
        try:
            return _decode(_path(self._folder, stage).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return State(self.watched_at)


def _path(folder: Path, stage: str) -> Path:
    return folder / f"health_{stage}.json"
