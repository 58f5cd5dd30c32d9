"""Canaries on their way through the workers: what each stage does with them."""

from __future__ import annotations

from collections.abc import Sequence

from faust.types import TP

from pipeline.canary import CanaryIntake
from pipeline.shell.app import Outbox
from pipeline.shell.transport import Batch


class Carrier:
    """Intake's: from `canary-events` to `sightings`, counted nowhere."""

    def __init__(self, topic: str, sightings: str, partitions: int) -> None:
        self.topic = topic
        """Its name, or nothing where no canaries are wanted."""
        self._sightings = sightings
        self._partitions = partitions
        self._intakes: dict[TP, CanaryIntake] = {}

    @property
    def topics(self) -> Sequence[str]:
        return [self.topic] if self.topic else []

    def assign(self, assigned: set[TP]) -> set[TP]:
        """Begin with its own partitions; the others."""
        own = {tp for tp in assigned if tp.topic == self.topic}
        self._intakes = {tp: CanaryIntake(f"{tp.topic}/{tp.partition}") for tp in own}
        return assigned - own

    async def carry(self, tp: TP, batch: Batch, outbox: Outbox) -> None:
        """Send on what canaries are in a batch."""
        intake = self._intakes.get(tp)
        if intake is None:
            return
        messages = [(record.value or b"", record.timestamp) for record in batch]
        for partition, key, value in intake.read(messages, self._partitions):
            await outbox.send(self._sightings, key, value, partition)
