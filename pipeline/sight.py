"""A batch of events to folded sightings. No I/O here.

A sighting says: this party saw this indicator, first at that time and last at that time, both
within one slice. A flood from one source becomes one sighting a slice before it travels on.
Sightings travel packed: one record for each partition of the `sightings` topic, and in it one
group of columns for each indicator type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import gcd
from zlib import crc32

import msgspec
from msgspec import Struct, field

from pipeline.clock import Clock, ClockPolicy
from pipeline.decode import Reason, Rejection, decode, split
from pipeline.event import Event
from pipeline.indicator import indicators
from pipeline.registry import Party
from pipeline.rule import Rule
from pipeline.slices import SLICES

FUTURE_MS = 120_000
"""An event may be this much later than the broker's time; beyond it, it is from the future."""

UNKNOWN_WATERMARK = -1
_ANY_OFFSET = 1 << 62


class Group(Struct, frozen=True, array_like=True, gc=False):
    """Sightings of one indicator type, in columns of equal length. Times in ms."""

    type: str
    values: list[str]
    first_seen: list[int]
    last_seen: list[int]

    def __post_init__(self) -> None:
        if not len(self.values) == len(self.first_seen) == len(self.last_seen):
            raise ValueError("columns of unequal length")


class Sightings(Struct, frozen=True, array_like=True):
    """One record of the `sightings` topic: what one party saw, of one partition of one batch.

    `source` is the partition the events came from, "topic/partition"; `watermark` the latest
    event time in it, ms; `ingested` the broker time of the batch's earliest record, ms.
    """

    source: str
    organisation: str
    country: str
    watermark: int
    ingested: int
    groups: list[Group]


class SourceState(Struct, frozen=True, array_like=True):
    """How far a source has come. Times in ms.

    Idle: at the end of its partition, and nothing good has come for a while. Backlog: what is
    being read of it came in a while ago.
    """

    source: str
    watermark: int
    idle: bool
    backlog: bool = False


class Progress(Struct, frozen=True, array_like=True):
    """What an intake worker tells every partition of `sightings` from time to time.

    `sources` are the partitions it owns; `expected` all that it knows of, owned by whomever;
    `told_at` is the worker's time, ms.
    """

    sources: list[SourceState]
    expected: list[str]
    told_at: int = 0


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


def fold_lengths(rules: Iterable[Rule]) -> dict[str, int]:
    """By indicator type, the longest time that lies within one slice of every rule on it.

    In units of 1/60 ms: a slice of a rule is timespan/60, which need not be whole milliseconds.
    """
    lengths: dict[str, int] = {}
    for rule in rules:
        kind = rule.indicator_type
        lengths[kind] = gcd(lengths.get(kind, 0), rule.timespan_ms)
    return lengths


Fold = dict[str, int | tuple[int, int]]
"""By value, when it was seen within one slice: once, or first and last, ms."""


class Intake:
    """Checks and folds the events of one source partition, batch after batch.

    `speaks_for` maps the sensors of the source's party to that party; `known` are all sensors;
    `clock` says what becomes of events whose time is off, if they are not taken at their word.
    With several parties in it (an offline run), the events of a batch fold by party.
    """

    __slots__ = (
        "_clock",
        "_folds",
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
    ) -> None:
        self.source = source
        self._speaks_for = speaks_for
        self._known = known
        self._lengths = lengths
        self._lateness = lateness_ms
        self._clock = clock if clock and clock.policy is not ClockPolicy.ACCEPT else None
        self.offsets: dict[str, int] = {}
        """By sensor, the least that its events' times were behind when they came in, ms."""
        self.watermark = UNKNOWN_WATERMARK
        self.tally = Tally()
        self._folds: dict[Party, dict[str, tuple[int, dict[int, Fold]]]] = {}

    def read(self, message: bytes, now_ms: int) -> Sequence[tuple[int, Rejection]]:
        """Count and fold the events of one message; `now_ms` is the time at which it came in.

        What was rejected, each with its place in the message.
        """
        rejected: list[tuple[int, Rejection]] = []
        parts: Sequence[bytes | Rejection] = ()
        for index, event in enumerate(decode(message)):
            if isinstance(event, Event):
                rejection = self.take(event, now_ms)
                if rejection is None:
                    continue
                parts = parts or split(message)
                raw = parts[index]
                assert isinstance(raw, bytes)
                rejected.append((index, Rejection(rejection.reason, rejection.detail, raw)))
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
        party = self._speaks_for.get(sensor)
        if party is None:
            return self._reject_sensor(sensor)
        time = event.time
        offset = now_ms - time
        if offset < self.offsets.get(sensor, _ANY_OFFSET):
            self.offsets[sensor] = offset
        if self._clock is not None and abs(offset) > self._clock.bound_ms:
            if self._clock.policy is ClockPolicy.QUARANTINE:
                return self._quarantine(offset)
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
        folds = self._folds.get(party)
        if folds is None:
            folds = self._folds[party] = {
                kind: (length, {}) for kind, length in self._lengths.items()
            }
        for kind, value in found:
            if kind not in folds:
                continue  # no rule groups by this type
            length, slices = folds[kind]
            at = time * SLICES // length
            fold = slices.get(at)
            if fold is None:
                fold = slices[at] = {}
            seen = fold.get(value)
            if seen is None:
                fold[value] = time
            elif seen != time:
                first, last = (seen, seen) if isinstance(seen, int) else seen
                fold[value] = (min(first, time), max(last, time))
        return None

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
                for partition, group in enumerate(_groups(kind, slices.values(), partitions)):
                    if group.values:
                        by_partition.setdefault(partition, []).append(group)
            for partition, groups in by_partition.items():
                packed.setdefault(partition, []).append(
                    Sightings(
                        self.source,
                        party.organisation,
                        party.country,
                        self.watermark,
                        ingested_ms,
                        groups,
                    )
                )
        self._folds = {}
        return packed


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


def partition_of(value: str, partitions: int) -> int:
    """The partition of `sightings`, and of `checkpoints`, that an indicator belongs to."""
    return crc32(value.encode()) % partitions


encode = msgspec.msgpack.Encoder().encode
RECORD_BYTES = 768 * 1024
"""A record of sightings fits Kafka's default message size."""


def records(sightings: Sightings) -> Iterator[bytes]:
    """The record of some sightings, or, of very long values, as many as it takes."""
    encoded = encode(sightings)
    if len(encoded) <= RECORD_BYTES or sum(len(group.values) for group in sightings.groups) <= 1:
        yield encoded
        return
    for half in (0, 1):
        groups = [part for group in sightings.groups if (part := _half(group, half)).values]
        if groups:
            yield from records(msgspec.structs.replace(sightings, groups=groups))


def _half(group: Group, half: int) -> Group:
    return Group(
        group.type, group.values[half::2], group.first_seen[half::2], group.last_seen[half::2]
    )


_decode_sightings = msgspec.msgpack.Decoder(Sightings).decode
_decode_progress = msgspec.msgpack.Decoder(Progress).decode

PROGRESS_KEY = b"progress"
"""The key that tells a `Progress` record from a `Sightings` record."""


def decode_sightings(key: bytes | None, value: bytes) -> Sightings | Progress:
    """One record of the `sightings` topic; a `msgspec.DecodeError` means it is not ours."""
    try:
        return _decode_progress(value) if key == PROGRESS_KEY else _decode_sightings(value)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
