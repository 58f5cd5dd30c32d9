"""A batch of events to folded sightings: who is heard, and what counts as what. No I/O here.

A flood from one source becomes one sighting a slice before it travels on. Every event is counted
once, whatever becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.aspects import Asked, Told
from pipeline.clock import Clock, ClockPolicy
from pipeline.company import with_command
from pipeline.decode import TOGETHER, Reason, Rejection, decode, split, together
from pipeline.event import Event
from pipeline.feedback import Figures, Repeats, SourceFigures, number_of
from pipeline.fold import Folds, bring_together, groups_of
from pipeline.indicator import indicators
from pipeline.lane import mismatch
from pipeline.registry import Party
from pipeline.share.mark import UNMARKED, Mark, mark_of
from pipeline.share.tlp import Pap, Tlp
from pipeline.sight import UNKNOWN_WATERMARK, Group, Sightings
from pipeline.tally import Tally

FUTURE_MS = 120_000
"""An event may be this much later than the broker's time; beyond it, it is from the future."""

_ANY_OFFSET = 1 << 62

Refused = tuple[int, int, Rejection]
"""Which message, which event in it, and why that was rejected."""


class _Heard:
    """What was heard of one sensor since the last `pack`: its party's folds, and its clock."""

    __slots__ = ("folds", "latest", "offset", "repeats", "taken", "told")

    def __init__(
        self,
        folds: dict[str, Folds],
        told: Told | None,
        repeats: Repeats | None,
    ) -> None:
        self.folds = folds
        self.told = told
        self.repeats = repeats
        self.offset = _ANY_OFFSET
        self.taken = self.latest = 0


class Intake:
    """Checks and folds the events of one source partition, batch after batch.

    `speaks_for` maps the sensors of the source's party to that party; `known` are all sensors;
    `clock` says what becomes of events whose time is off, if they are not taken at their word.
    With several parties in it (an offline run), the events of a batch fold by party. With
    `company` each sighting has a sample of its companions; `asked` is what rules ask of events
    beyond who saw an indicator; `figures` are added to, for the sensors' operators. `exercise`:
    whose lane the source is of; "" for the live one.
    """

    __slots__ = (
        "_asked",
        "_by_mark",
        "_clock",
        "_company",
        "_exercise",
        "_figures",
        "_folds",
        "_heard",
        "_known",
        "_lateness",
        "_lengths",
        "_repeats",
        "_speaks_for",
        "_told",
        "offsets",
        "source",
        "tally",
        "watermark",
    )

    def __init__(
        self,
        source: str,
        speaks_for: Mapping[str, Party],
        known: Mapping[str, Party],
        lengths: Mapping[str, int],
        lateness_ms: int,
        clock: Clock | None = None,
        *,
        company: bool = False,
        asked: Asked | None = None,
        figures: SourceFigures | None = None,
        exercise: str = "",
    ) -> None:
        self.source = source
        self._exercise = exercise
        self._speaks_for = speaks_for
        self._known = known
        self._lengths = lengths
        self._lateness = lateness_ms
        self._clock = clock if clock and clock.policy is not ClockPolicy.ACCEPT else None
        self.offsets: dict[str, int] = {}
        """By sensor, the least that its events' times were behind when they came in, ms; of what
        was packed."""
        self.watermark = UNKNOWN_WATERMARK
        self.tally = Tally()
        self._folds: dict[Party, dict[str, Folds]] = {}
        self._heard: dict[str, _Heard] = {}
        self._company = company
        self._asked = asked or None  # nothing is asked: as if there were none
        self._told: dict[Party, Told] = {}
        self._by_mark: dict[tuple[Party, Mark], dict[str, Folds]] = {}
        self._figures = figures
        self._repeats: dict[str, Repeats] = {}

    def read(self, message: bytes, now_ms: int) -> Sequence[tuple[int, Rejection]]:
        """Count and fold the events of one message; `now_ms` is the time at which it came in.

        What was rejected, each with its place in the message.
        """
        return [(place, why) for _, place, why in self.read_all((message,), (now_ms,))]

    def read_all(self, messages: Sequence[bytes], came_in: Sequence[int]) -> list[Refused]:
        """`read` of many messages, each with its time."""
        refused: list[Refused] = []
        for first in range(0, len(messages), TOGETHER):
            some = messages[first : first + TOGETHER]
            times = came_in[first : first + TOGETHER]
            events = together(some)
            if events is not None:
                for n, rejection in self._take(events, times, some):
                    refused.append((first + n, 0, _of(rejection, some[n])))
                continue
            for n, message in enumerate(some):
                for place, rejection in self._read_any(message, times[n]):
                    refused.append((first + n, place, rejection))
        return refused

    def _read_any(self, message: bytes, now_ms: int) -> Iterator[tuple[int, Rejection]]:
        """A message that may be anything: one event, many, none, or broken."""
        for place, (event, raw) in enumerate(zip(decode(message), split(message), strict=True)):
            if isinstance(event, Event):
                assert isinstance(raw, bytes)  # an event came of it
                for _, rejection in self._take((event,), (now_ms,), (raw,)):
                    yield place, _of(rejection, raw)
            else:
                self.tally.received += 1
                self.tally.rejected[event.reason] += 1
                yield place, event

    def refuse(self, rejection: Rejection) -> Rejection:
        """Count a message that was not even looked at."""
        self.tally.received += 1
        self.tally.rejected[rejection.reason] += 1
        return rejection

    def _take(
        self, events: Sequence[Event], came_in: Sequence[int], raws: Sequence[bytes]
    ) -> Sequence[tuple[int, Rejection]]:
        """Count and fold events; which were rejected. The rejections have no bytes: the caller has
        them, in `raws`.
        """
        refused: list[tuple[int, Rejection]] = []
        heards, clock, lateness, company = self._heard, self._clock, self._lateness, self._company
        correlated = uncanonical = 0
        for n, event in enumerate(events):
            sensor, time, now_ms = event.device.uid, event.time, came_in[n]
            heard = heards.get(sensor) or self._hear(sensor)
            if heard is None:
                refused.append((n, self._reject_sensor(sensor)))
                continue
            if event.metadata.labels is not None or self._exercise:
                why = mismatch(event.metadata.labels, self._exercise)
                if why is not None:
                    refused.append((n, self._reject_lane(why)))
                    continue
            if now_ms - time < heard.offset:  # noqa: PLR1730 - a call an event
                heard.offset = now_ms - time
            if clock is not None and abs(now_ms - time) > clock.bound_ms:
                if clock.policy is ClockPolicy.QUARANTINE:
                    refused.append((n, self._quarantine(now_ms - time)))
                    continue
                time = now_ms
            if time > self.watermark:
                if time > now_ms + FUTURE_MS:
                    refused.append((n, self._from_the_future(time - now_ms)))
                    continue
                self.watermark = time
            elif time < self.watermark - lateness:
                refused.append((n, self._too_late(self.watermark - time)))
                continue
            repeats = heard.repeats
            if repeats is not None:
                heard.taken += 1
                if time > heard.latest:  # noqa: PLR1730 - a call an event
                    heard.latest = time
                uid = event.metadata.uid
                if not repeats.mask or not number_of(uid) & repeats.mask:
                    repeats.note(uid)

            found, lost = indicators(event)
            uncanonical += lost
            if not found:
                continue
            correlated += 1
            of_kind = heard.folds
            if event.metadata.labels is not None or event.osint is not None:
                of_kind = self._marked(event, heard)
            for kind, value in found:
                folds = of_kind.get(kind)
                if folds is None:
                    continue  # no rule groups by this type
                fold = folds.fold if folds.since <= time < folds.until else folds.turn_to(time)
                seen = fold.get(value)
                if seen is None:
                    fold[value] = time
                elif seen != time:
                    first, last = (seen, seen) if isinstance(seen, int) else seen
                    fold[value] = (min(first, time), max(last, time))
            if company:
                process = event.process
                if process is not None and process.cmd_line:
                    bring_together(with_command(found, process.cmd_line), of_kind)
                elif len(found) > 1:
                    bring_together(found, of_kind)
            if heard.told is not None:
                heard.told.meet(raws[n], event, found, time)
        tally = self.tally
        tally.received += len(events)
        tally.correlated += correlated
        tally.without_indicators += len(events) - len(refused) - correlated
        tally.uncanonical += uncanonical
        return refused

    def _hear(self, sensor: str) -> _Heard | None:
        """A sensor's first event since the last `pack`; None if it may not speak here."""
        party = self._speaks_for.get(sensor)
        if party is None:
            return None
        folds = self._folds.get(party)
        if folds is None:
            folds = self._folds[party] = self._new_folds()
        asked = self._asked
        told = None if asked is None else self._told.setdefault(party, Told(asked))
        repeats = None
        if self._figures is not None:
            repeats = self._repeats.setdefault(sensor, Repeats())
        heard = self._heard[sensor] = _Heard(folds, told, repeats)
        return heard

    def _marked(self, event: Event, heard: _Heard) -> dict[str, Folds]:
        """Where an event with labels folds: what is labelled otherwise travels apart."""
        mark = mark_of(event)
        if mark is UNMARKED:
            return heard.folds
        at = (self._speaks_for[event.device.uid], mark)
        kept = self._by_mark.get(at)
        if kept is None:
            kept = self._by_mark[at] = self._new_folds()
        return kept

    def _new_folds(self) -> dict[str, Folds]:
        return {kind: Folds(length) for kind, length in self._lengths.items()}

    def _quarantine(self, offset: int) -> Rejection:
        by = f"{abs(offset) / 1000:.0f} s"
        if offset < 0:
            self.tally.rejected[Reason.FROM_THE_FUTURE] += 1
            return Rejection(Reason.FROM_THE_FUTURE, f"its clock is {by} ahead: in quarantine", b"")
        self.tally.late += 1
        return Rejection(Reason.TOO_LATE, f"its clock is {by} behind: in quarantine", b"")

    def _from_the_future(self, ahead: int) -> Rejection:
        self.tally.rejected[Reason.FROM_THE_FUTURE] += 1
        by = f"{ahead / 1000:.0f} s"
        return Rejection(Reason.FROM_THE_FUTURE, f"{by} later than when it came in", b"")

    def _too_late(self, behind: int) -> Rejection:
        self.tally.late += 1
        by = f"{behind / 1000:.0f} s"
        return Rejection(Reason.TOO_LATE, f"{by} behind the latest event of its source", b"")

    def _reject_sensor(self, sensor: str) -> Rejection:
        if sensor in self._known:
            reason, detail = Reason.FOREIGN_SENSOR, f"{sensor!r} is not a sensor of this topic"
        else:
            reason, detail = Reason.UNKNOWN_SENSOR, f"{sensor!r} is not in the registry"
        self.tally.rejected[reason] += 1
        return Rejection(reason, detail, b"")

    def _reject_lane(self, why: str) -> Rejection:
        self.tally.rejected[Reason.EXERCISE_MISMATCH] += 1
        return Rejection(Reason.EXERCISE_MISMATCH, why, b"")

    def pack(self, partitions: int, ingested_ms: int) -> dict[int, list[Sightings]]:
        """What was folded since the last call, by the partition of `sightings` it goes to."""
        packed: dict[int, list[Sightings]] = {}
        plain = ((party, UNMARKED, folds) for party, folds in self._folds.items())
        marked = ((party, mark, folds) for (party, mark), folds in self._by_mark.items())
        for party, mark, folds in (*plain, *marked):
            by_partition: dict[int, list[Group]] = {}
            for kind, of in folds.items():
                for partition, group in enumerate(groups_of(kind, of, partitions)):
                    if group.values:
                        by_partition.setdefault(partition, []).append(group)
            if self._asked is not None and mark is UNMARKED:
                for partition, told in self._told[party].groups(partitions).items():
                    by_partition.setdefault(partition, []).extend(told)
            for partition, found in by_partition.items():
                packed.setdefault(partition, []).append(
                    Sightings(
                        self.source,
                        party.organisation,
                        party.country,
                        self.watermark,
                        ingested_ms,
                        found,
                        Tlp(mark.tlp) if mark.tlp else None,
                        Pap(mark.pap) if mark.pap else None,
                    )
                )
        for sensor, heard in self._heard.items():
            self.offsets[sensor] = min(heard.offset, self.offsets.get(sensor, heard.offset))
            if self._figures is not None and heard.repeats is not None:
                self._figures.of(sensor).add(
                    Figures(
                        taken=heard.taken,
                        twice=heard.repeats.taken(),
                        last_event=heard.latest,
                        heard_at=ingested_ms,
                        clock_offset=heard.offset,
                    )
                )
        self._folds, self._heard, self._told = {}, {}, {}
        self._by_mark = {}
        return packed


def _of(rejection: Rejection, raw: bytes) -> Rejection:
    """A rejection of `_take`, with the bytes of its event."""
    return Rejection(rejection.reason, rejection.detail, raw)
