"""A batch of events to folded sightings: who is heard, and what counts as what. No I/O here.

A flood from one source becomes one sighting a slice before it travels on. Every event is counted
once, whatever becomes of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

from msgspec import Struct, field

from pipeline.clock import Clock, ClockPolicy
from pipeline.company import Company
from pipeline.decode import Reason, Rejection, decode, simple, split
from pipeline.event import Event
from pipeline.indicator import indicators
from pipeline.registry import Party
from pipeline.sight import UNKNOWN_WATERMARK, Group, Sightings
from pipeline.slices import SLICES

FUTURE_MS = 120_000
"""An event may be this much later than the broker's time; beyond it, it is from the future."""

_ANY_OFFSET = 1 << 62


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


Fold = dict[str, int | tuple[int, int]]
"""By value, when it was seen within one slice: once, or first and last, ms."""


Folds = dict[str, tuple[int, dict[int, Fold]]]
"""By indicator type, the length of a fold and, by its number, the folds."""


class _Heard:
    """What was heard of one sensor since the last `pack`: its party's folds and company, and its
    clock.
    """

    __slots__ = ("company", "folds", "offset")

    def __init__(self, folds: Folds, company: Company | None) -> None:
        self.folds = folds
        self.company = company
        self.offset = _ANY_OFFSET


class Intake:
    """Checks and folds the events of one source partition, batch after batch.

    `speaks_for` maps the sensors of the source's party to that party; `known` are all sensors;
    `clock` says what becomes of events whose time is off, if they are not taken at their word.
    With several parties in it (an offline run), the events of a batch fold by party. With
    `company` each sighting has a sample of its companions.
    """

    __slots__ = (
        "_clock",
        "_companies",
        "_folds",
        "_heard",
        "_known",
        "_lateness",
        "_lengths",
        "_speaks_for",
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
    ) -> None:
        self.source = source
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
        self._folds: dict[Party, Folds] = {}
        self._heard: dict[str, _Heard] = {}
        self._companies: dict[Party, Company] | None = {} if company else None

    def read(self, message: bytes, now_ms: int) -> Sequence[tuple[int, Rejection]]:
        """Count and fold the events of one message; `now_ms` is the time at which it came in.

        What was rejected, each with its place in the message.
        """
        one = simple(message)
        if one is not None:
            rejection = self.take(one, now_ms)
            if rejection is None:
                return ()
            (raw,) = split(message)
            return ((0, _of(rejection, raw)),)
        rejected: list[tuple[int, Rejection]] = []
        for index, (event, raw) in enumerate(zip(decode(message), split(message), strict=True)):
            if isinstance(event, Event):
                rejection = self.take(event, now_ms)
                if rejection is not None:
                    rejected.append((index, _of(rejection, raw)))
            else:
                self.tally.received += 1
                self.tally.rejected[event.reason] += 1
                rejected.append((index, event))
        return rejected

    def refuse(self, rejection: Rejection) -> Rejection:
        """Count a message that was not even looked at."""
        self.tally.received += 1
        self.tally.rejected[rejection.reason] += 1
        return rejection

    def take(self, event: Event, now_ms: int) -> Rejection | None:
        """Count and fold one event. Its rejection has no bytes: the caller has them."""
        tally = self.tally
        tally.received += 1
        sensor = event.device.uid
        heard = self._heard.get(sensor) or self._hear(sensor)
        if heard is None:
            return self._reject_sensor(sensor)
        time = event.time
        heard.offset = min(heard.offset, now_ms - time)
        if self._clock is not None and abs(now_ms - time) > self._clock.bound_ms:
            if self._clock.policy is ClockPolicy.QUARANTINE:
                return self._quarantine(now_ms - time)
            time = now_ms
        if time > self.watermark:
            if time > now_ms + FUTURE_MS:
                tally.rejected[Reason.FROM_THE_FUTURE] += 1
                ahead = (time - now_ms) / 1000
                return Rejection(
                    Reason.FROM_THE_FUTURE, f"{ahead:.0f} s later than when it came in", b""
                )
            self.watermark = time
        elif time < self.watermark - self._lateness:
            tally.late += 1
            behind = (self.watermark - time) / 1000
            return Rejection(
                Reason.TOO_LATE, f"{behind:.0f} s behind the latest event of its source", b""
            )

        found, uncanonical = indicators(event)
        tally.uncanonical += uncanonical
        if not found:
            tally.without_indicators += 1
            return None
        tally.correlated += 1
        folds = heard.folds
        for kind, value in found:
            of = folds.get(kind)
            if of is None:
                continue  # no rule groups by this type
            length, slices = of
            at = time * SLICES // length
            fold = slices.get(at)
            if fold is None:
                slices[at] = {value: time}
                continue
            seen = fold.get(value)
            if seen is None:
                fold[value] = time
            elif seen != time:
                first, last = (seen, seen) if isinstance(seen, int) else seen
                fold[value] = (min(first, time), max(last, time))
        if heard.company is not None:
            heard.company.meet(found, time, folds)
        return None

    def _hear(self, sensor: str) -> _Heard | None:
        """A sensor's first event since the last `pack`; None if it may not speak here."""
        party = self._speaks_for.get(sensor)
        if party is None:
            return None
        folds = self._folds.get(party)
        if folds is None:
            folds = self._folds[party] = {
                kind: (length, {}) for kind, length in self._lengths.items()
            }
        companies = self._companies
        company = None if companies is None else companies.setdefault(party, Company())
        heard = self._heard[sensor] = _Heard(folds, company)
        return heard

    def _quarantine(self, offset: int) -> Rejection:
        by = f"{abs(offset) / 1000:.0f} s"
        if offset < 0:
            self.tally.rejected[Reason.FROM_THE_FUTURE] += 1
            return Rejection(Reason.FROM_THE_FUTURE, f"its clock is {by} ahead: in quarantine", b"")
        self.tally.late += 1
        return Rejection(Reason.TOO_LATE, f"its clock is {by} behind: in quarantine", b"")

    def _reject_sensor(self, sensor: str) -> Rejection:
        if sensor in self._known:
            reason, detail = Reason.FOREIGN_SENSOR, f"{sensor!r} is not a sensor of this topic"
        else:
            reason, detail = Reason.UNKNOWN_SENSOR, f"{sensor!r} is not in the registry"
        self.tally.rejected[reason] += 1
        return Rejection(reason, detail, b"")

    def pack(self, partitions: int, ingested_ms: int) -> dict[int, list[Sightings]]:
        """What was folded since the last call, by the partition of `sightings` it goes to."""
        packed: dict[int, list[Sightings]] = {}
        for party, folds in self._folds.items():
            by_partition: dict[int, list[Group]] = {}
            for kind, (_, slices) in folds.items():
                groups: Sequence[Group] = _groups(kind, slices.values(), partitions)
                if self._companies is not None:
                    groups = self._companies[party].attend(groups, slices)
                for partition, group in enumerate(groups):
                    if group.values:
                        by_partition.setdefault(partition, []).append(group)
            for partition, found in by_partition.items():
                packed.setdefault(partition, []).append(
                    Sightings(
                        self.source,
                        party.organisation,
                        party.country,
                        self.watermark,
                        ingested_ms,
                        found,
                    )
                )
        for sensor, heard in self._heard.items():
            self.offsets[sensor] = min(heard.offset, self.offsets.get(sensor, heard.offset))
        self._folds, self._heard = {}, {}
        self._companies = None if self._companies is None else {}
        return packed


def _of(rejection: Rejection, raw: bytes | Rejection) -> Rejection:
    """A rejection of `take`, with the bytes of its event."""
    assert isinstance(raw, bytes)  # an event came of it
    return Rejection(rejection.reason, rejection.detail, raw)


def _groups(kind: str, folds: Iterable[Fold], partitions: int) -> list[Group]:
    """The folds' sightings, a group for each partition."""
    groups = [Group(kind, [], [], []) for _ in range(partitions)]
    columns = [(group.values, group.first_seen, group.last_seen) for group in groups]
    for fold in folds:
        for value, seen in fold.items():
            # `partition_of`, without the call.
            values, first_seen, last_seen = columns[crc32(value.encode()) % partitions]
            values.append(value)
            if isinstance(seen, int):
                first_seen.append(seen)
                last_seen.append(seen)
            else:
                first_seen.append(seen[0])
                last_seen.append(seen[1])
    return groups
