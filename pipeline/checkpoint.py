"""The correlator's state on the wire: segments that are written often and joined at a restore.

A segment holds the whole state of the indicators that changed since the one before. Reading
every segment of a partition in order and joining them gives the state again; a newer record of
an indicator joins the older (windows by OR), and its episodes stand for the older ones'. No
segment needs to be complete or consistent with another: replaying the sightings since the
committed offset repairs what is missing. No I/O here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from pipeline.correlate import Correlator
from pipeline.count_track import CountedWindow
from pipeline.episode import LiveEpisode, Merger, Says
from pipeline.label_track import LabelTrack
from pipeline.registry import Party
from pipeline.rule import Rule
from pipeline.sight import SourceState
from pipeline.slices import PARTY, SINGLE_BYTES, unpack_single
from pipeline.track import Track
from pipeline.window import Island, Window


class Singles(Struct, frozen=True, array_like=True, gc=False):
    """Sightings of indicators without a window, in two columns of equal length.

    `packed`: for each, `pack_single`'s integer in `SINGLE_BYTES` bytes, little-endian, with the
    segment's number of its party.
    """

    values: list[str]
    packed: bytes


class SavedEpisode(Struct, frozen=True, array_like=True):
    rule: str
    id: str
    first: int
    last: int
    carried_first: int | None
    carried_parties: list[int]
    published: Says | None
    carried_before: int | None = None
    carried_spread: int | None = None


class SavedMerger(Struct, frozen=True, array_like=True):
    rule: str
    id: str
    said: Says
    into: str


class SavedIsland(Struct, frozen=True, array_like=True):
    """`seen`: by party, its bits, little-endian. `times`: slice, first, last (ms), flat."""

    base: int
    seen: dict[int, bytes]
    times: list[int]


class SavedWindow(Struct, frozen=True, array_like=True):
    value: str
    since: int
    floor: int
    islands: list[SavedIsland]
    episodes: list[SavedEpisode]
    merged: list[SavedMerger]
    """Episodes that went into others, and may not have been told to yet."""
    events: list[tuple[int, bytes]] = []
    """Slices, and the events in each, where these are counted."""


class SavedTrack(Struct, frozen=True, array_like=True):
    kind: str
    timespan_ms: int
    singles: Singles
    windows: list[SavedWindow]
    gone: list[str]
    """Evicted since they were last written. Holds once the checkpoint is sealed: an indicator is
    evicted because the watermark has passed it, and that is known from the seal only."""


class Segment(Struct, frozen=True, array_like=True):
    """The state of some indicators. A party's number in it is its place in `parties`, which is
    there once for each label in `labels`, if anything is labelled.
    """

    parties: list[Party]
    track: SavedTrack
    labels: list[str] = []


class Seal(Struct, frozen=True, array_like=True):
    """What closes a checkpoint: how far time had come when it was begun.

    It must not be known sooner: with a watermark ahead of the state, a replay would take what the
    state still lacks for late. `upto`: the number of segments before it.
    """

    upto: int
    watermark: int
    sources: list[SourceState]


encode_segment = _encode = msgspec.msgpack.Encoder().encode
decode_segment = _decode_segment = msgspec.msgpack.Decoder(Segment).decode
_decode_seal = msgspec.msgpack.Decoder(Seal).decode


def seal(upto: int, watermark: int, sources: list[SourceState]) -> bytes:
    """The record that closes a checkpoint."""
    return _encode(Seal(upto, watermark, sources))


def unseal(record: bytes) -> Seal:
    return _decode_seal(record)


def save(
    correlator: Correlator, track: int, values: Iterable[str], *, published: bool, gone: bool
) -> bytes:
    """A segment of some indicators of one track; `gone`: of their being gone.

    `published`: whether the episodes' newest revisions have been delivered. A restore gives those
    that were not out again.
    """
    of = correlator.tracks[track]
    if gone:
        saved = SavedTrack(of.kind, of.timespan, Singles([], b""), [], list(values))
    else:
        if isinstance(of, LabelTrack):
            return _save_labelled(of, list(values), published=published)
        saved = _save_track(of, values, published=published)
    return _encode(Segment(list(correlator.parties.all), saved))


def _save_labelled(track: LabelTrack, values: Sequence[str], *, published: bool) -> bytes:
    """Of the many numbers that parties have with their labels, those only that these need."""
    parties = track.parties
    used = sorted({number for value in values for number in track.numbers(value)})
    saved = _save_track(track, values, published=published)
    place = {number: n for n, number in enumerate(used)}
    singles = [_renumbered(single, place) for single in _singles(saved.singles)]
    replace = msgspec.structs.replace
    windows = [
        replace(
            window,
            islands=[
                replace(island, seen={place[n]: bits for n, bits in island.seen.items()})
                for island in window.islands
            ],
            episodes=[
                replace(one, carried_parties=sorted(place[n] for n in one.carried_parties))
                for one in window.episodes
            ],
        )
        for window in saved.windows
    ]
    saved = replace(
        saved, singles=Singles(saved.singles.values, b"".join(singles)), windows=windows
    )
    return _encode(Segment([parties.all[n] for n in used], saved, [parties.said[n] for n in used]))


def _renumbered(single: int, place: Mapping[int, int]) -> bytes:
    """A packed single, with the place of its party in a segment for its number."""
    return (single & ~PARTY | place[single & PARTY]).to_bytes(SINGLE_BYTES, "little")


def _singles(singles: Singles) -> Iterator[int]:
    for at in range(0, len(singles.packed), SINGLE_BYTES):
        yield int.from_bytes(singles.packed[at : at + SINGLE_BYTES], "little")


def _save_track(track: Track, values: Iterable[str], *, published: bool) -> SavedTrack:
    names: list[str] = []
    packed: list[bytes] = []
    windows: list[SavedWindow] = []
    for value in values:
        state = track.states.get(value)
        if isinstance(state, int):
            names.append(value)
            packed.append(state.to_bytes(SINGLE_BYTES, "little"))
        elif isinstance(state, Window):
            windows.append(_save_window(track, value, state, published=published))
        elif state is not None:
            for single in state:
                names.append(value)
                packed.append(single.to_bytes(SINGLE_BYTES, "little"))
    return SavedTrack(track.kind, track.timespan, Singles(names, b"".join(packed)), windows, [])


def _save_window(track: Track, value: str, window: Window, *, published: bool) -> SavedWindow:
    return SavedWindow(
        value,
        window.since,
        window.floor,
        [_save_island(island) for island in window.islands],
        [
            SavedEpisode(
                live.rule.id,
                live.id,
                live.first,
                live.last,
                live.carried_first,
                sorted(live.carried_parties),
                live.published if published else None,
                live.carried_before,
                live.carried_spread,
            )
            for live in track.episodes.get(value, ())
        ],
        [
            SavedMerger(merger.rule.id, merger.id, merger.said, merger.into)
            for merger in track.merged.get(value, ())
            if not published
        ],
        sorted(window.events.items()) if isinstance(window, CountedWindow) else [],
    )


def _save_island(island: Island) -> SavedIsland:
    return SavedIsland(
        island.base,
        {
            party: bits.to_bytes((bits.bit_length() + 7) // 8, "little")
            for party, bits in island.seen.items()
        },
        [number for at, times in island.times.items() for number in (at, *times)],
    )


def restore(correlator: Correlator, segment: bytes, *, sealed: bool) -> None:
    """Join a segment into the state. Call `Correlator.resume` after the last one.

    `sealed`: whether the checkpoint it belongs to was, or one after it.
    A track or a rule that the correlator no longer knows is left out.
    """
    saved = _decode_segment(segment)
    numbers = [correlator.parties.number(party) for party in saved.parties]
    of = saved.track
    for track in correlator.tracks:
        if (track.kind, track.timespan) != (of.kind, of.timespan_ms):
            continue
        if isinstance(track, LabelTrack) and not of.gone:
            labels = zip(numbers, saved.labels, strict=True)
            numbers = [track.number(number, label) for number, label in labels]
        _restore_singles(track, of.singles, numbers)
        for window in of.windows:
            _restore_window(track, window, numbers)
        for value in of.gone:
            if sealed:
                track.states.pop(value, None)
                track.episodes.pop(value, None)
                track.merged.pop(value, None)
                track.changed.pop(value, None)
            elif value in track.states:
                track.dirty[value] = None  # to be written after this, before the next seal


def _restore_singles(track: Track, singles: Singles, numbers: Sequence[int]) -> None:
    for value, single in zip(singles.values, _singles(singles), strict=True):
        party, first, last = unpack_single(single)
        track.note(value, numbers[party], first, last)


def _restore_window(track: Track, saved: SavedWindow, numbers: Sequence[int]) -> None:
    window = track.window()
    window.since = saved.since
    window.floor = saved.floor
    window.islands = [_restore_island(island, numbers) for island in saved.islands]
    if isinstance(window, CountedWindow):
        window.events = dict(saved.events)
    known = track.states.get(saved.value)
    if isinstance(known, Window):
        window.join(known)
    elif known is not None:
        few = (known,) if isinstance(known, int) else known
        window.join(track.widen(few))
    track.states[saved.value] = window

    rules = {rule.id: rule for rule in track.rules}
    lives = [_live(one, rules, numbers) for one in saved.episodes if one.rule in rules]
    if lives:
        track.episodes[saved.value] = lives
    else:
        track.episodes.pop(saved.value, None)
    mergers = [
        Merger(one.id, rules[one.rule], one.said, one.into)
        for one in saved.merged
        if one.rule in rules
    ]
    if mergers:
        track.merged[saved.value] = mergers
    else:
        track.merged.pop(saved.value, None)


def _restore_island(saved: SavedIsland, numbers: Sequence[int]) -> Island:
    island = Island(saved.base)
    island.seen = {
        numbers[party]: int.from_bytes(bits, "little") for party, bits in saved.seen.items()
    }
    times = iter(saved.times)
    island.times = {at: (first, last) for at, first, last in zip(times, times, times, strict=True)}
    island.last = max(island.times)
    return island


def _live(saved: SavedEpisode, rules: dict[str, Rule], numbers: Sequence[int]) -> LiveEpisode:
    live = LiveEpisode(saved.id, rules[saved.rule], saved.first, saved.last)
    live.carried_first = saved.carried_first
    live.carried_parties = frozenset(numbers[party] for party in saved.carried_parties)
    live.carried_before = saved.carried_before
    live.carried_spread = saved.carried_spread
    live.published = saved.published
    return live
