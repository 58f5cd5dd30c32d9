"""What rules ask of events beyond who saw an indicator: which ones, from where, how many. No I/O.

Each aspect (see `pipeline.rule`) of a rule has folds of its own, apart from the plain ones that
`pipeline.intake` keeps: an event that a base rule selects adds to them what is asked of it. They
travel as groups of their own kind, and whoever has no rule for a kind lets it lie.

How many events there were must be the same after a replay: each is told by a hash, and a set of
hashes that has come to what a rule asks for says no more than that it has. Such sets can be joined
in any order and as often as they come:

    {a, b} ∪ {b, c} = {a, b, c}      with room for three: full, and full ∪ anything = full
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec

from pipeline.canonical import canonical_ip
from pipeline.event import Event
from pipeline.geo import Geo
from pipeline.indicator import Indicator
from pipeline.rule import Aspect, Looked, Rule, Selection
from pipeline.sight import Group, aspect_lengths, partition_of
from pipeline.slices import SLICES

FULL: Final = b""
"""In place of a set of events: there are as many as the rule asks for, or more."""
HASH_BYTES: Final = 8
ORIGINS: Final = frozenset({"origin_country", "origin_as"})
_ORIGINS: Final = 1 << 16
_LOOKS: Final = 4_096

Selecting = tuple[Selection | None, list[tuple[str, Aspect, int]]]
"""What selects events, None if nothing does; and kind, aspect, fold length of what is asked."""


def event_hash(event: Event, time: int) -> bytes:
    """Which event it is: its sensor, its `metadata.uid`, and its time (ms), so that it lies in one
    slice.
    """
    name = f"{event.device.uid}\0{event.metadata.uid}\0{time}"
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


def joined(events: Iterable[bytes], room: int) -> bytes:
    """Hashes of distinct events as they travel: in order, one after another, or `FULL`."""
    distinct = sorted(set(events))
    return FULL if len(distinct) >= room else b"".join(distinct)


def parted(events: bytes) -> list[bytes]:
    """The hashes of a set that is not full."""
    return [events[n : n + HASH_BYTES] for n in range(0, len(events), HASH_BYTES)]


class Asked:
    """All that the rules of a process ask, compiled once for all its intakes."""

    __slots__ = ("_attributes", "_by_look", "_decode", "_selecting", "label")

    def __init__(self, rules: Iterable[Rule], geo: Geo | None = None) -> None:
        """`geo`: where a rule counts origins; a `ValueError` if it is missing then."""
        known = list(rules)
        if geo is None and any(a.counts in ORIGINS for rule in known for a in rule.aspects):
            raise ValueError("a rule counts origins, and nobody says where addresses are")
        lengths = aspect_lengths(known)
        by_digest: dict[str, Selecting] = {}
        attributes: set[str] = set()
        asked = {aspect.kind: aspect for rule in known for aspect in rule.aspects}
        for kind, aspect in asked.items():
            if kind == aspect.indicator_type:
                continue  # plain: intake folds it itself
            of = aspect.selection
            attributes.update(() if of is None else of.attributes)
            _, aspects = by_digest.setdefault("" if of is None else of.digest, (of, []))
            aspects.append((kind, aspect, lengths[kind]))
        self._selecting = tuple(by_digest.values())
        self._attributes = tuple(sorted(attributes))
        self._decode = _decoder(self._attributes)
        self._by_look: dict[tuple[int | None, tuple[bool, ...]], tuple[Selecting, ...]] = {}
        self.label = lru_cache(_ORIGINS)(_labels(geo or Geo()))

    def __bool__(self) -> bool:
        return bool(self._selecting)

    def worth_a_look(self, looked: Looked) -> Sequence[Selecting]:
        """Those that may match an event: most can be ruled out by its class and by what is not
        there, which is the same for many events.
        """
        class_uid = looked.get("class_uid")
        known = class_uid if type(class_uid) is int else None
        look = (known, tuple([value is not None for value in looked.values()]))
        found = self._by_look.get(look)
        if found is None:
            there = {name for name, value in looked.items() if value is not None}
            found = tuple(
                selecting
                for selecting in self._selecting
                if (of := selecting[0]) is None
                or (
                    (of.classes is None or known is None or known in of.classes)
                    and (of.needs is None or not of.needs.isdisjoint(there))
                )
            )
            if len(self._by_look) >= _LOOKS:
                self._by_look.clear()  # whoever sends them chooses how many there are
            self._by_look[look] = found
        return found

    def look(self, raw: bytes) -> Looked:
        """What selections look at, of a good event."""
        if not self._attributes:
            return {}
        try:
            return dict(zip(self._attributes, self._decode(raw), strict=True))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}  # broken where the event itself is not looked at


def _decoder(attributes: Sequence[str]) -> Callable[[bytes], tuple[Any, ...]]:
    """Decodes these top-level attributes of a JSON object, and skips the others."""
    names = [f"a{n}" for n in range(len(attributes))]
    renamed = dict(zip(names, attributes, strict=True))
    looked = msgspec.defstruct("Looked", [(name, Any, None) for name in names], rename=renamed)
    decode = msgspec.json.Decoder(looked).decode
    return lambda raw: msgspec.structs.astuple(decode(raw))


def _labels(geo: Geo) -> Callable[[str, str], str]:
    def label(counts: str, ip: str) -> str:
        """The origin of an address as a label; "" where it is not known, which counts as none."""
        canonical = canonical_ip(ip)
        origin = geo.origin(canonical) if canonical else None
        if origin is None:
            return ""
        if counts == "origin_country":
            return origin.country or ""
        return "" if origin.asn is None else str(origin.asn)

    return label


class _Fold:
    """One indicator's sightings with one label in one slice: times, ms, and events' hashes."""

    __slots__ = ("events", "first", "last")

    def __init__(self, time: int) -> None:
        self.first = self.last = time
        self.events: set[bytes] = set()


_Place = tuple[int, str, str]
"""Slice, value, label."""


class Told:
    """What one party's events told of what was asked, since they were last packed."""

    __slots__ = ("_asked", "_folds")

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._folds: dict[str, tuple[Aspect, dict[_Place, _Fold]]] = {}

    def meet(self, raw: bytes, event: Event, found: Sequence[Indicator], time: int) -> None:
        """Note one good event; `raw` is its JSON, `time` (ms) when it is taken to have been."""
        looked = self._asked.look(raw)
        for selection, aspects in self._asked.worth_a_look(looked):
            if selection is not None and not selection.matches(looked):
                continue
            for kind, aspect, length in aspects:
                label = ""
                if aspect.counts in ORIGINS:
                    ip = event.src_endpoint.ip if event.src_endpoint is not None else None
                    label = self._asked.label(aspect.counts, ip) if ip and len(ip) <= 64 else ""
                    if not label:
                        continue
                for indicator_type, value in found:
                    if indicator_type == aspect.indicator_type:
                        place = (time * SLICES // length, value, label)
                        self._note(kind, aspect, place, event, time)

    def _note(self, kind: str, aspect: Aspect, place: _Place, event: Event, time: int) -> None:
        of = self._folds.get(kind)
        if of is None:
            of = self._folds[kind] = (aspect, {})
        fold = of[1].get(place)
        if fold is None:
            fold = of[1][place] = _Fold(time)
        fold.first, fold.last = min(fold.first, time), max(fold.last, time)
        if aspect.room and len(fold.events) < aspect.room:
            fold.events.add(event_hash(event, time))

    def groups(self, partitions: int) -> Mapping[int, list[Group]]:
        """The folds' sightings, by the partition of `sightings` they go to."""
        packed: dict[int, list[Group]] = {}
        for kind, (aspect, folds) in self._folds.items():
            by_partition: dict[int, Group] = {}
            for (_, value, label), fold in folds.items():
                partition = partition_of(value, partitions)
                group = by_partition.get(partition)
                if group is None:
                    group = by_partition[partition] = Group(kind, [], [], [], [], [], [])
                group.values.append(value)
                group.first_seen.append(fold.first)
                group.last_seen.append(fold.last)
                if aspect.room:
                    group.events.append(joined(fold.events, aspect.room))
                elif aspect.counts:
                    group.labels.append(label)
            for partition, group in by_partition.items():
                packed.setdefault(partition, []).append(group)
        return packed
