"""Which dead letters may be sent in again. No I/O here.

A letter is sent to the topic it came from, as a message of its own, with a header that counts.
What would be rejected again is held back, so is what was sent in again before: nothing goes round
in a circle by itself.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from pipeline.clock import Clock, ClockPolicy
from pipeline.dead_letter import DeadLetter
from pipeline.decode import Reason
from pipeline.intake import Intake
from pipeline.lane import exercise_of
from pipeline.registry import Party, Registry


class Held(StrEnum):
    """Why a letter is not sent in again. A closed set: it is counted by."""

    NO_TOPIC = "no-topic"
    CUT = "cut"
    SETTLED = "settled"
    RESENT = "resent"
    BUG = "bug"
    TOO_LATE = "too-late"
    REJECTED = "rejected"


ALWAYS_HELD = frozenset({Held.NO_TOPIC, Held.CUT})
"""What no insisting sends: what is not ours to write, and what is not the event any more."""


class Verdict(Struct, frozen=True):
    """`held` is None for a letter that may go; `detail` is for the one who asked."""

    held: Held | None
    detail: str = ""


class Judge:
    """Holds dead letters against the registry and the settings as they are now."""

    def __init__(
        self, registry: Registry, prefix: str, lateness_ms: int, clock: Clock | None = None
    ) -> None:
        self._known = registry.sensors
        self._lateness = lateness_ms
        self._clock = clock
        self._exercise = exercise_of(prefix) or ""
        self._speaking: dict[str, dict[str, Party]] = {
            topic: {s: p for s, p in registry.sensors.items() if p == party}
            for topic, party in registry.topics(prefix).items()
        }

    def verdict(self, letter: DeadLetter, *, settled: bool) -> Verdict:
        """What speaks first against sending it. `settled`: it was sent in again before."""
        if letter.topic not in self._speaking:
            return Verdict(Held.NO_TOPIC, f"{letter.topic} is no topic of the registry")
        if letter.truncated:
            return Verdict(Held.CUT, f"only its first {len(letter.raw)} bytes were kept")
        if settled:
            return Verdict(Held.SETTLED, "it was sent in again before")
        if letter.resent:
            return Verdict(
                Held.RESENT, f"it was rejected again after it had been sent in {letter.resent}×"
            )
        if letter.reason is Reason.BUG:
            # Not even tried here: it has ended processes of ours.
            return Verdict(Held.BUG, "it ended workers; newer ones may read it")
        sensors = self._speaking[letter.topic]
        intake = Intake(
            letter.topic, sensors, self._known, {}, self._lateness, self._clock,
            exercise=self._exercise,
        )  # fmt: skip
        rejected = intake.read(letter.raw, letter.ingested)
        if rejected and len(rejected) == intake.tally.received:
            _, first = rejected[0]
            return Verdict(Held.REJECTED, f"still {first.reason}: {first.detail}")
        if letter.reason is Reason.TOO_LATE and not self._corrects:
            # How far its source has come is not known here; it has not gone back.
            return Verdict(Held.TOO_LATE, f"{letter.detail}: only a longer lateness takes it")
        return Verdict(None)

    @property
    def _corrects(self) -> bool:
        return self._clock is not None and self._clock.policy is ClockPolicy.CORRECT
