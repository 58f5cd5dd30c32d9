"""What one run of the benchmark is: every factor that is varied, with its default."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from pipeline.correlation import TIMESPAN_LIMIT_MS
from pipeline.shell.settings import WrongUseError, milliseconds

MIN_SIZE = 400
"""Bytes; an event with three indicators and nothing else has some 330."""

NAMES = 1 << 24
"""Indicators of a type that there are names for; the upper half is for those preloaded."""


class Skew(StrEnum):
    """How often which indicator is met."""

    mixed = "mixed"
    """Half of them once, most others a few times, one in twenty of a few that come back."""
    uniform = "uniform"
    """All equally often."""
    zipf = "zipf"
    """The k-th most frequent one in proportion to k to the power of -1.1."""
    hot = "hot"
    """As mixed, but every other event has one and the same indicator."""


class Load(Struct, frozen=True, kw_only=True):
    """One run. `WrongUseError` if it cannot be."""

    events: int = 2_000_000
    seed: int = 1
    indicators: int = 1
    """Of an event, 1 to 3."""
    size: int = 0
    """Of an event, bytes; 0: no more than it needs, some 330."""
    skew: Skew = Skew.mixed
    packed: int = 1
    """Events a message."""
    window: str = "10m"
    """The rules' timespan."""
    span: str = "2h"
    """The event time that the events are spread over."""
    live: int = 0
    """Indicators that are remembered before the first event comes."""
    partitions: int = 8
    """Of `sightings`; the eight topics of events have as many together, and one each at least."""
    workers: int = 1
    """For each stage, processes."""
    cpus: str = ""
    """The CPUs that workers and the broker are kept on, as in `0` or `0,1`; all if empty. Linux
    alone."""
    probes: int = 300
    """Single events whose way to their alert is timed, when there is nothing else to do …"""
    under: str = "0.5,0.9"
    """… and again while events come in at these shares of the rate that can be kept up with."""

    def __post_init__(self) -> None:
        if self.size and self.size < MIN_SIZE:
            raise WrongUseError(
                f"--size is {self.size}: give 0 (some 330 bytes) or at least {MIN_SIZE}"
            )
        if self.events + self.probes > NAMES // 2 or self.live > NAMES // 2:
            raise WrongUseError(f"--events and --live have names for {NAMES // 2:,} at most")
        if self.window_ms < 60_000:
            raise WrongUseError(f"--window is {self.window}: at least 1m, sixty slices of 1 s")
        if self.window_ms > TIMESPAN_LIMIT_MS:
            raise WrongUseError(f"--window is {self.window}: a rule's is 30d at most")
        if not all(0 < share <= 1 for share in self.shares):
            raise WrongUseError(f"--under is {self.under}: shares of the rate, as in 0.5,0.9")
        if self.span_ms < 1000:
            raise WrongUseError(f"--span is {self.span}: at least 1s")

    @property
    def window_ms(self) -> int:
        return milliseconds("--window", self.window)

    @property
    def span_ms(self) -> int:
        return milliseconds("--span", self.span)

    @property
    def shares(self) -> list[float]:
        """`under` as numbers."""
        try:
            return [float(share) for share in self.under.split(",") if share]
        except ValueError:
            raise WrongUseError(f"--under is {self.under}: numbers, as in 0.5,0.9") from None

    def factors(self) -> dict[str, object]:
        """Every factor by name, for the JSON line of a run."""
        return {name: getattr(self, name) for name in msgspec.structs.asdict(self)}
