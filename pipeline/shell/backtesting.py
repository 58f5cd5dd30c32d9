"""What rules would have raised on the events that the topics still hold.

Each partition is a source with an intake of its own, as in the workers: so the same events are late
here as there. Time has come as far as the last of those that are not yet read to their ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from aiokafka import TopicPartition

from pipeline.aspects import Asked
from pipeline.correlate import Correlator
from pipeline.dead_letter import resent_of
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.intake import Intake
from pipeline.registry import Registry
from pipeline.rule import Rule
from pipeline.shell.past import Past
from pipeline.shell.settings import Settings
from pipeline.sight import UNKNOWN_WATERMARK, fold_lengths
from pipeline.surprise import background
from pipeline.tally import Tally

BATCH = 2_000  # records folded at once; another number changes nothing but the speed


class Backtest:
    """One run over the events topics of a registry."""

    def __init__(
        self, registry: Registry, rules: Sequence[Rule], settings: Settings, geo: Geo
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._topics = registry.topics(settings.topic_prefix)
        self._lengths = fold_lengths(rules)
        self._asked = Asked(rules, geo)
        self._intakes: dict[TopicPartition, Intake] = {}
        self._correlator = Correlator(rules, settings.lateness_ms, background(registry.parties))

    @property
    def tally(self) -> Tally:
        """What became of the events of all sources."""
        whole = Tally()
        for intake in self._intakes.values():
            whole.add(intake.tally)
        return whole

    async def episodes(self, past: Past) -> AsyncIterator[Episode]:
        """Every episode as it ended, those that were merged into others left out."""
        count = 0
        async for record in past.records(sorted(self._topics)):
            intake = self._intake(TopicPartition(record.topic, record.partition))
            _, came_in = resent_of(record.headers, record.timestamp)
            intake.read(record.value or b"", came_in)
            count += 1
            if count % BATCH == 0:
                for episode in self._step(past):
                    yield episode
        for episode in (*self._step(past), *_ended(self._correlator.finish())):
            yield episode

    def _intake(self, tp: TopicPartition) -> Intake:
        intake = self._intakes.get(tp)
        if intake is None:
            party, known = self._topics[tp.topic], self._registry.sensors
            intake = self._intakes[tp] = Intake(
                f"{tp.topic}/{tp.partition}",
                {sensor: of for sensor, of in known.items() if of == party},
                known,
                self._lengths,
                self._settings.lateness_ms,
                self._settings.clock,
                asked=self._asked,
                exercise=self._settings.exercise,
            )
        return intake

    def _step(self, past: Past) -> Iterator[Episode]:
        correlator = self._correlator
        for intake in self._intakes.values():
            for packed in intake.pack(1, 0).values():
                for sightings in packed:
                    correlator.observe(sightings)
        yield from _ended(correlator.settle())
        heard = (self._intakes.get(tp) for tp in past.left)
        marks = [UNKNOWN_WATERMARK if one is None else one.watermark for one in heard]
        yield from _ended(correlator.advance(min(marks, default=UNKNOWN_WATERMARK)))
        correlator.sweep()


def _ended(episodes: Sequence[Episode]) -> Iterator[Episode]:
    return (episode for episode in episodes if episode.change is Change.CLOSED)
