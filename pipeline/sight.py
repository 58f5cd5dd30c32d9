"""What was seen, by whom, and how far each source has come: what travels on. No I/O here.

A sighting says: this party saw this indicator, first at that time and last at that time, both
within one slice. A flood from one source becomes one sighting a slice before it travels on.
Sightings travel packed: one record for each partition of the `sightings` topic, and in it one
group of columns for each indicator type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd
from zlib import crc32

import msgspec
from msgspec import Struct

from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.rule import Rule
from pipeline.share.tlp import Pap, Tlp

UNKNOWN_WATERMARK = -1

Companions = tuple[tuple[str, str], ...]
"""What else the same events named, (type, value): a sample, see `pipeline.company`."""


class Group(Struct, frozen=True, array_like=True, gc=False):
    """Sightings of one kind, in columns of equal length. Times in ms.

    `type` is an indicator type, or the kind of an aspect that a rule asks for (`pipeline.rule`).
    `companions`, `labels` and `events` are empty where nobody asked for them; see
    `pipeline.company`, and of the other two `pipeline.aspects`.
    """

    type: str
    values: list[str]
    first_seen: list[int]
    last_seen: list[int]
    companions: list[Companions] = []
    labels: list[str] = []
    events: list[bytes] = []

    def __post_init__(self) -> None:
        if not len(self.values) == len(self.first_seen) == len(self.last_seen):
            raise ValueError("columns of unequal length")
        for column in (self.companions, self.labels, self.events):
            if column and len(column) != len(self.values):
                raise ValueError("columns of unequal length")


class Sightings(Struct, frozen=True, array_like=True):
    """One record of the `sightings` topic: what one party saw, of one partition of one batch.

    `source` is the partition the events came from, "topic/partition"; `watermark` the latest
    event time in it, ms; `ingested` the broker time of the batch's earliest record, ms. `tlp` and
    `pap` as the events themselves were labelled, if they were.
    """

    source: str
    organisation: str
    country: str
    watermark: int
    ingested: int
    groups: list[Group]
    tlp: Tlp | None = None
    pap: Pap | None = None


class _BriefGroup(Struct, frozen=True, array_like=True, gc=False):
    """A `Group` as it lies in a record, its company passed over: it is most of what is read."""

    type: str
    values: list[str]
    first_seen: list[int]
    last_seen: list[int]
    companions: msgspec.Raw = msgspec.Raw(b"")
    labels: list[str] = []
    events: list[bytes] = []


class _Brief(Struct, frozen=True, array_like=True):
    """`Sightings`, likewise."""

    source: str
    organisation: str
    country: str
    watermark: int
    ingested: int
    groups: list[_BriefGroup]
    tlp: Tlp | None = None
    pap: Pap | None = None


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


def aspect_lengths(rules: Iterable[Rule]) -> dict[str, int]:
    """By kind of aspect, the longest time that lies within one slice of every rule that asks it.

    In units of 1/60 ms: a slice of a rule is timespan/60, which need not be whole milliseconds.
    """
    lengths: dict[str, int] = {}
    for rule in rules:
        for aspect in rule.aspects:
            kind = aspect.kind
            lengths[kind] = gcd(lengths.get(kind, 0), rule.timespan_ms)
    return lengths


def fold_lengths(rules: Iterable[Rule]) -> dict[str, int]:
    """`aspect_lengths` of the plain aspects only: by indicator type."""
    lengths = aspect_lengths(rules)
    return {kind: length for kind, length in lengths.items() if kind in INDICATOR_TYPES}


def every_length(rules: Iterable[Rule]) -> dict[str, int]:
    """`fold_lengths`, and of the types that only aspects are asked of, a length as well: for those
    who want to know of every indicator that there may be an alert on.
    """
    known = list(rules)
    lengths: dict[str, int] = {}
    for rule in known:
        kind = rule.indicator_type
        lengths[kind] = gcd(lengths.get(kind, 0), rule.timespan_ms)
    return lengths | fold_lengths(known)


def partition_of(value: str, partitions: int) -> int:
    """The partition of `sightings`, and of `checkpoints`, that an indicator belongs to."""
    return crc32(value.encode()) % partitions


encode = msgspec.msgpack.Encoder().encode
RECORD_BYTES = 768 * 1024
"""A record of sightings fits Kafka's default message size."""


def records(sightings: Sightings) -> Iterator[bytes]:
    """The record of some sightings, or, of very long values, as many as it takes.

    The last carries the watermark: to the others, what follows them could be late.
    """
    encoded = encode(sightings)
    if len(encoded) <= RECORD_BYTES or sum(len(group.values) for group in sightings.groups) <= 1:
        yield encoded
        return
    halves = [
        groups
        for half in (0, 1)
        if (groups := [of for group in sightings.groups if (of := _half(group, half)).values])
    ]
    replace = msgspec.structs.replace
    for groups in halves[:-1]:
        yield from records(replace(sightings, groups=groups, watermark=UNKNOWN_WATERMARK))
    yield from records(replace(sightings, groups=halves[-1]))


def _half(group: Group, half: int) -> Group:
    return Group(
        group.type,
        group.values[half::2],
        group.first_seen[half::2],
        group.last_seen[half::2],
        group.companions[half::2],
        group.labels[half::2],
        group.events[half::2],
    )


_decode_brief = msgspec.msgpack.Decoder(_Brief).decode
_decode_sightings = msgspec.msgpack.Decoder(Sightings).decode
_decode_progress = msgspec.msgpack.Decoder(Progress).decode

PROGRESS_KEY = b"progress"
"""The key that tells a `Progress` record from a `Sightings` record."""
CANARY_KEY = b"canary"
"""The key of sightings that are a canary's (see `pipeline.canary`) and nobody else's."""


def decode_sightings(
    key: bytes | None, value: bytes, *, company: bool = True
) -> Sightings | Progress:
    """One record of the `sightings` topic; a `msgspec.DecodeError` means it is not ours.

    `company`: whether its companions are wanted; without them it takes a third of the time.
    To whoever asks here, a canary's record says nothing.
    """
    if key == CANARY_KEY:
        return Progress([], [])
    try:
        if key == PROGRESS_KEY:
            return _decode_progress(value)
        return _decode_sightings(value) if company else _without_company(_decode_brief(value))
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise msgspec.DecodeError(str(error)) from None


def _without_company(brief: _Brief) -> Sightings:
    groups = [
        Group(of.type, of.values, of.first_seen, of.last_seen, [], of.labels, of.events)
        for of in brief.groups
    ]
    return Sightings(
        brief.source, brief.organisation, brief.country, brief.watermark, brief.ingested, groups,
        brief.tlp, brief.pap,
    )  # fmt: skip
