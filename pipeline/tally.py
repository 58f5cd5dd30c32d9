"""What became of events: each is counted once. No I/O here."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from pipeline.decode import Reason


class Tally(Struct):
    """Every event is counted once: received = the sum of the other four."""

    received: int = 0
    correlated: int = 0
    without_indicators: int = 0
    late: int = 0
    rejected: Counter[Reason] = field(default_factory=Counter)
    uncanonical: int = 0
    """Values without a canonical form; not a kind of event."""

    def add(self, other: Tally) -> None:
        self.received += other.received
        self.correlated += other.correlated
        self.without_indicators += other.without_indicators
        self.late += other.late
        self.rejected.update(other.rejected)
        self.uncanonical += other.uncanonical

    @property
    def adds_up(self) -> bool:
        return self.received == (
            self.correlated + self.without_indicators + self.late + self.rejected.total()
        )

    def __str__(self) -> str:
        reasons = "".join(f", {count} {reason}" for reason, count in sorted(self.rejected.items()))
        return (
            f"{self.received} events: {self.correlated} correlated, {self.without_indicators} "
            f"without indicators, {self.rejected.total()} rejected, {self.late} late{reasons}"
        )
