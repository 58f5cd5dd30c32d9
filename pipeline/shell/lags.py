"""How far behind a stage is, partition by partition: in records, and in seconds."""

from __future__ import annotations

from collections.abc import Iterable

from faust.types import TP

from pipeline.shell import metrics
from pipeline.shell.transport import BatchConsumer


class Lags:
    """The lag of the partitions that a stage has, as `/metrics` shows it."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._records = metrics.Partitions(metrics.LAG)
        self._seconds = metrics.Partitions(metrics.LAG_SECONDS)

    def show(self, consumer: BatchConsumer, partitions: Iterable[TP]) -> None:
        """These and no others: what is somebody else's now is not shown."""
        places = {tp: (self._stage, tp.topic, tp.partition) for tp in partitions}
        self._records.show({place: consumer.lag(tp) or 0 for tp, place in places.items()})
        self._seconds.show({place: consumer.waited(tp) for tp, place in places.items()})
