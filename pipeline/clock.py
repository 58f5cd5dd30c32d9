"""What to make of a sensor's clock. No I/O here.

A sensor's clock is off by the broker's time less the event's. Both clocks and delays are in that:
the least of many is nearest the clock. What is decided of an event is decided from that event
alone, so that a replay decides the same.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class ClockPolicy(StrEnum):
    """What becomes of an event whose time is off by more than the bound."""

    ACCEPT = "accept"
    """It is taken at its word."""
    CORRECT = "correct"
    """It happened when the broker took it in."""
    QUARANTINE = "quarantine"
    """It is rejected, as too late or from the future."""


class Clock(Struct, frozen=True):
    """How far a sensor's clock may be off, ms, before the policy applies."""

    policy: ClockPolicy
    bound_ms: int
