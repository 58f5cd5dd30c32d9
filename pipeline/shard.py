"""One partition of `sightings` and all that is remembered of it. No I/O here.

What a shard gives out is to be made durable in this order; after a crash at any point between,
restoring the checkpoints and replaying from the committed offset leads to the same alerts:

    take(records)     →  with all alerts of before delivered that tell of the same indicators:
                         write_ahead to `checkpoints`, delivered      the ids of new episodes
                      →  episodes to `alerts`                         several at once: `at_once`
    checkpoint()      →  with all alerts of before delivered: segments to `checkpoints`, delivered
                      →  commit the offset that was noted before checkpoint() was called

A checkpoint is a number of segments and the seal that closes it, whose key is always the same.
Segments are keyed by a running number. While new ones are written, the rest of the state is
written anew bit by bit; once all of it was, and that is sealed, what was before is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

import msgspec
from msgspec import Struct, field

from pipeline.checkpoint import restore, save, seal, unseal
from pipeline.correlate import Correlator
from pipeline.episode import Change, Episode
from pipeline.memory import snapshot
from pipeline.rule import Rule
from pipeline.sight import Progress, decode_sightings
from pipeline.surprise import Background
from pipeline.watermark import STRAGGLER_MS, Watermarks

SEGMENT_INDICATORS = 1_000
"""Making a segment keeps the correlator waiting: a few milliseconds of these."""
SEGMENT_BYTES = 768 * 1024
"""A segment fits Kafka's default message size."""
ROUND_STEP = 4_000
"""Indicators of the rest of the state that a checkpoint writes anew, at the least."""

SWEEP = 4
"""Indicators that are looked at to be forgotten, for each sighting: in a quarter of the time that
one lives all are looked at, while a quarter of them comes anew …"""
SWEEP_LEAST = 1_000
"""… and so many at the least, each time."""

SEAL_KEY = b"seal"

CheckpointRecord = tuple[bytes, bytes | None]
"""(key, segment); None deletes it."""


class Taken(Struct):
    """What came of some records. `write_ahead` goes out, and arrives, before `episodes` do."""

    episodes: list[Episode]
    write_ahead: list[CheckpointRecord]
    sightings: int = 0
    late: int = 0
    evicted: int = 0
    """Indicators that were forgotten in their time."""
    shed: dict[str, int] = field(default_factory=dict)
    """By type, indicators that were given up for want of room: possible misses."""
    not_ours: int = 0
    ingested_ms: int = 0
    """Broker time of the latest batch of events in the records."""


def at_once(waiting: Iterable[Taken]) -> int:
    """How many of these, from the first on, may be sent together: first what all of them write
    ahead, then the episodes of all. At least one, if there is any.

    What is written ahead of an indicator stands for it after a crash. So what was told of it before
    must be out by then: an episode's end would be told by nobody.
    """
    count = 0
    told: set[str] = set()
    for taken in waiting:
        if not told.isdisjoint(e.value for e in taken.episodes if e.change is Change.OPENED):
            break
        told.update(episode.value for episode in taken.episodes)
        count += 1
    return count


class Shard:
    """The correlator of one partition, its watermarks, and its checkpoints."""

    __slots__ = (
        "_most",
        "_next",
        "_obsolete",
        "_oldest",
        "_owed",
        "_round",
        "_round_from",
        "_round_left",
        "_writing",
        "_written",
        "correlator",
        "watermarks",
    )

    def __init__(
        self,
        rules: Iterable[Rule],
        lateness_ms: int,
        straggler_ms: int = STRAGGLER_MS,
        most: int = 0,
        background: Background | None = None,
    ) -> None:
        """`most`: how many indicators to remember, if not all; see `Correlator.shed`."""
        self.correlator = Correlator(rules, lateness_ms, background)
        self.watermarks = Watermarks(lateness_ms, straggler_ms)
        self._most = most
        self._next = 0
        self._oldest = 0
        self._obsolete = 0
        self._written = 0
        self._writing = False
        self._owed: list[Episode] = []
        self._round: Iterator[tuple[int, str]] | None = None
        self._round_from = 0
        self._round_left = 0

    def take(self, records: Iterable[tuple[bytes | None, bytes | None]]) -> Taken:
        """Correlate some records, (key, value), in their order."""
        taken = Taken([], [])
        correlator, watermarks = self.correlator, self.watermarks
        for key, value in records:
            try:
                record = decode_sightings(key, value or b"", company=False)
            except msgspec.DecodeError:
                taken.not_ours += 1
                continue
            if isinstance(record, Progress):
                watermarks.told(record)
                continue
            watermarks.heard(record.source, record.watermark)
            taken.sightings += sum(len(group.values) for group in record.groups)
            taken.late += correlator.observe(record)
            taken.ingested_ms = max(taken.ingested_ms, record.ingested)
        taken.episodes = correlator.settle()
        self._write_ahead(taken)
        taken.episodes += self._owed
        self._owed = []
        taken.episodes += correlator.advance(watermarks.whole())
        if not self._writing:
            # Not while a checkpoint is being written: what it has still to write must not go.
            taken.evicted = correlator.sweep(max(SWEEP_LEAST, SWEEP * taken.sightings))
        if self._most:
            taken.shed = correlator.shed(self._most)
        for kind, count in correlator.unplaced().items():
            taken.shed[kind] = taken.shed.get(kind, 0) + count
        return taken

    def _write_ahead(self, taken: Taken) -> None:
        opened: dict[tuple[str, int], set[str]] = {}
        for episode in taken.episodes:
            if episode.change is Change.OPENED:
                track = (episode.rule.kind, episode.rule.timespan_ms)
                opened.setdefault(track, set()).add(episode.value)
        if opened:
            values = [
                opened.get((track.kind, track.timespan), ()) for track in self.correlator.tracks
            ]
            taken.write_ahead = list(self._segments(values, published=False))

    def refresh(self) -> list[Episode]:
        """The revisions that were held back because an attack merely went on."""
        return self.correlator.refresh()

    def checkpoint(self) -> Iterator[CheckpointRecord]:
        """The segments of what changed since the last one, and of a part of the rest; the seal.

        Each is made when it is asked for. Others may `take` between two of them, if every alert
        that was given out is delivered before the next segment is asked for.
        """
        tracks = self.correlator.tracks
        changed = [track.dirty for track in tracks]
        gone = [track.gone for track in tracks]
        for track in tracks:
            track.dirty, track.gone = {}, set()
        self._writing = True
        watermark, sources = self.correlator.watermark, self.watermarks.states()
        yield from self._segments(gone, gone=True)
        before = self._written
        yield from self._segments(changed)
        yield from self._rest(max(self._written - before, ROUND_STEP))
        yield SEAL_KEY, seal(self._next, watermark, sources)
        self._writing = False
        # Not before the seal: until then an evicted indicator is not gone, and these are all there
        # is of it.
        for number in range(self._oldest, self._obsolete):
            yield _key(number), None
        self._oldest = max(self._oldest, self._obsolete)

    def _rest(self, budget: int) -> Iterator[CheckpointRecord]:
        tracks = self.correlator.tracks
        if self._round is None:
            if self._written <= sum(len(track.states) for track in tracks) + ROUND_STEP:
                return
            # Everything live is written once more from here on: what was written before ends.
            self._round_from = self._next
            self._written = 0
            every = [(n, snapshot(track.states)) for n, track in enumerate(tracks)]
            self._round = ((n, value) for n, values in every for value in values)
            self._round_left = sum(len(track.states) for track in tracks)
        for n, part in groupby(islice(self._round, budget), itemgetter(0)):
            values: list[Iterable[str]] = [()] * len(tracks)
            values[n] = (value for _, value in part)
            yield from self._segments(values)
        self._round_left -= budget
        if self._round_left < 0:
            self._round = None
            self._obsolete = self._round_from

    def _segments(
        self, values: Sequence[Iterable[str]], *, published: bool = True, gone: bool = False
    ) -> Iterator[CheckpointRecord]:
        for n, of in enumerate(values):
            rest = iter(of)
            while part := list(islice(rest, SEGMENT_INDICATORS)):
                yield from self._segment(n, part, published=published, gone=gone)

    def _segment(
        self, track: int, values: list[str], *, published: bool, gone: bool
    ) -> Iterator[CheckpointRecord]:
        encoded = save(self.correlator, track, values, published=published, gone=gone)
        if len(encoded) > SEGMENT_BYTES and len(values) > 1:
            half = len(values) // 2
            for part in (values[:half], values[half:]):
                yield from self._segment(track, part, published=published, gone=gone)
            return
        self._written += len(values)
        self._next += 1
        yield _key(self._next - 1), encoded

    def restore(self, records: Sequence[CheckpointRecord]) -> None:
        """Take up the checkpoints of a predecessor; of a key, the last record stands."""
        newest = dict(records)
        closing = newest.pop(SEAL_KEY, None)
        sealed = unseal(closing) if closing is not None else None
        upto = sealed.upto if sealed is not None else 0
        segments = {int(key): segment for key, segment in newest.items() if segment is not None}
        # By their numbers, the order in which they were made: segments are made several at a time
        # and sent one by one, and a write-ahead made after them may be sent before.
        numbers = sorted(segments)
        for number in numbers:
            restore(self.correlator, segments[number], sealed=number < upto)
        self._oldest = min(numbers, default=0)
        self._next = max([upto - 1, *numbers]) + 1
        if sealed is not None:
            self.watermarks.restore(sealed.sources, sealed.watermark)
            self.correlator.advance(sealed.watermark)
        self.correlator.resume()
        # With another lateness than before, what was open may have ended long ago.
        self._owed = self.correlator.advance(self.correlator.watermark)


def _key(number: int) -> bytes:
    return b"%020d" % number
