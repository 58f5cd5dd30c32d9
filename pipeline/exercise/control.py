"""What an exercise says of itself on its `control` topic: one record, the newest stands. No I/O."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

KEY = b"exercise"


class State(StrEnum):
    """Stopped is for good: another exercise has another id."""

    RUNNING = "running"
    STOPPED = "stopped"


class Control(Struct, frozen=True):
    """`seal`: of the truth; `scenario`: the SHA-256 of its file. Times in ms."""

    exercise: str
    name: str
    state: State
    started: int
    seal: str
    scenario: str
    teams: tuple[str, ...]
    stopped: int | None = None


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Control).decode
