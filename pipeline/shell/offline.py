"""The same core without a broker: events in arrival order in, the alerts they come to out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from pipeline.alert import Alert, alert
from pipeline.aspects import Asked
from pipeline.benign import NOTHING_LISTED, Benign
from pipeline.campaign.campaign import Campaign, Status, oldest_first
from pipeline.campaign.desk import HORIZON_MS, Desk
from pipeline.campaign.evidence import LEAST_COUNTRIES
from pipeline.correlate import Correlator
from pipeline.decode import Reason, Rejection
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.intake import Intake
from pipeline.registry import Registry
from pipeline.rule import Rule
from pipeline.sight import every_length, fold_lengths
from pipeline.surprise import background
from pipeline.tally import Tally
from pipeline.watch import Watch
from pipeline.watching import Watching

BATCH = 2_000  # lines folded at once; another number changes nothing but the speed


class Reject(Struct, frozen=True):
    """A line of `--rejects`."""

    line: int
    reason: Reason
    detail: str


encode_reject = msgspec.json.Encoder().encode


class OfflineRun:
    """One run over events in arrival order; with `grouping`, evidence for campaigns is kept."""

    def __init__(
        self,
        registry: Registry,
        rules: Sequence[Rule],
        lateness_ms: int,
        *,
        grouping: bool = False,
        benign: Benign = NOTHING_LISTED,
        horizon_ms: int = HORIZON_MS,
        least_countries: int = LEAST_COUNTRIES,
        geo: Geo | None = None,
        watches: Iterable[Watch] = (),
        exercise: str = "",
    ) -> None:
        """`geo`: needed where a rule counts origins; `watches`: what is watched for besides;
        `exercise`: whose events these are.
        """
        sensors, watched = registry.sensors, list(watches)
        lengths = every_length(rules) if grouping or watched else fold_lengths(rules)
        self._watching = Watching(
            lengths, benign, registry.terms, horizon_ms, geo, max(len(watched), 1), exercise
        )
        for watch in watched:
            self._watching.put(watch)
        self._intake = Intake(
            "offline",
            sensors,
            sensors,
            lengths,
            lateness_ms,
            company=grouping,
            asked=Asked(rules, geo),
            exercise=exercise,
        )
        self._benign = benign
        self._desk: Desk | None = None
        if grouping:
            self._desk = Desk(
                lengths, benign, registry.terms, horizon_ms,
                watching=self._watching, exercise=exercise, least_countries=least_countries,
            )  # fmt: skip
        self._campaigns: dict[str, Campaign] = {}
        self._correlator = Correlator(rules, lateness_ms, background(registry.parties))
        # The one clock of the wall that there is: nothing was seen after it was read.
        self._now = time.time_ns() // 1_000_000

    @property
    def tally(self) -> Tally:
        return self._intake.tally

    def episodes(
        self, lines: Iterable[bytes], reject: Callable[[int, Rejection], None]
    ) -> Iterator[Episode]:
        """Every episode as it ended, those that were merged into others left out.

        `reject` is told of each line that was not taken, lines counted from 1.
        """
        intake = self._intake
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            for _, rejection in intake.read(line, self._now):
                reject(number, rejection)
            if number % BATCH == 0:
                yield from self._step()
        yield from self._step()
        yield from self._ended(self._correlator.finish())

    def _step(self) -> Iterator[Episode]:
        intake, correlator = self._intake, self._correlator
        for packed in intake.pack(1, 0).values():
            for sightings in packed:
                correlator.observe(sightings)
                if self._desk is not None:
                    self._desk.observe(sightings)
                else:
                    self._watching.observe(sightings)
        settled = correlator.settle()
        if self._desk is not None:
            for episode in settled:
                self._desk.raise_(alert(episode, _NOWHERE, self._benign))
            if self._desk.due(intake.watermark):
                self._look()
        yield from self._ended(settled)
        yield from self._ended(correlator.advance(intake.watermark))
        correlator.sweep()

    def _ended(self, episodes: Iterable[Episode]) -> Iterator[Episode]:
        for episode in episodes:
            if episode.change is Change.CLOSED:
                if self._desk is not None:
                    self._desk.raise_(alert(episode, _NOWHERE, self._benign))
                yield episode

    def watched(self) -> list[Alert]:
        """After the last episode: an alert on each watch that was seen, the earliest first."""
        told = self._watching.revisions(self._intake.watermark, everything=True)
        return sorted(
            told, key=lambda one: (one.finding_info.first_seen_time, one.finding_info.uid)
        )

    def _look(self) -> None:
        if self._desk is not None:
            told = self._desk.look(self._intake.watermark)
            self._campaigns.update((one.id, one) for one in told)

    @property
    def desk(self) -> Desk | None:
        """What campaigns are made of; None without `grouping`."""
        return self._desk

    def campaigns(self) -> list[Campaign]:
        """After the last episode: what they come to, those left out that did not hold."""
        self._look()
        standing = (
            one
            for one in self._campaigns.values()
            if one.status is not Status.MERGED and one.withdrawn is msgspec.UNSET
        )
        return sorted(standing, key=oldest_first)


_NOWHERE = Geo()


def alerts(
    episodes: Iterable[Episode], geo: Geo, benign: Benign = NOTHING_LISTED, exercise: str = ""
) -> Iterator[Alert]:
    """The final revision of each."""
    return (alert(episode, geo, benign, exercise) for episode in episodes)
