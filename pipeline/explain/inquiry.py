"""All that is known of some indicators, gathered from what was seen and what was refused. No I/O.

The same correlator that raised the alerts, or did not, is given these indicators' sightings and
nothing else, and time does not go on: whatever it knew of them once is still there to be asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from pipeline.correlate import Correlator
from pipeline.decode import Reason
from pipeline.event import Event
from pipeline.indicator import Indicator, indicators
from pipeline.registry import Party
from pipeline.rule import Rule
from pipeline.sight import Group, Sightings
from pipeline.surprise import Background
from pipeline.track import Track

MOST_EVENTS = 100_000
"""Events, and refusals, of the asked indicators that are kept; there may be more."""


class Sighting(Struct, frozen=True):
    """One party's sightings of one indicator, folded. Times in ms."""

    indicator: Indicator
    organisation: str
    country: str
    first: int
    last: int


class Source(Struct, frozen=True):
    """One raw event: its `metadata.uid`, the sensor, when (ms), and where it lies."""

    uid: str
    sensor: str
    time: int
    place: str


class Refusal(Struct, frozen=True):
    """One event of an indicator that was not taken: why, by whom, and where it lies."""

    reason: Reason
    detail: str
    place: str
    sensor: str | None = None
    time: int | None = None


class Inquiry:
    """What was gathered of the asked indicators."""

    def __init__(
        self,
        rules: Iterable[Rule],
        background: Background | None,
        asked: Collection[Indicator],
        sensors: Mapping[str, Party],
    ) -> None:
        """`sensors`: each sensor's party, as the registry has it."""
        self.sensors = sensors
        self.asked = frozenset(asked)
        self.rules = tuple(rules)
        self.sightings: set[Sighting] = set()
        self.sources: dict[Indicator, list[Source]] = {}
        self.refusals: dict[Indicator, list[Refusal]] = {}
        self._correlator = Correlator(self.rules, 1 << 60, background)
        self._settled = False

    def sighted(self, sightings: Sightings) -> None:
        """Take what was seen of the asked ones out of one record."""
        groups = [group for of in sightings.groups if (group := self._asked_of(of)).values]
        if not groups:
            return
        self._correlator.observe(msgspec.structs.replace(sightings, groups=groups))
        for group in groups:
            kind = group.type.partition("/")[0]
            for value, first, last in zip(
                group.values, group.first_seen, group.last_seen, strict=True
            ):
                who = sightings.organisation, sightings.country
                self.sightings.add(Sighting((kind, value), *who, first, last))

    def _asked_of(self, group: Group) -> Group:
        kind = group.type.partition("/")[0]
        kept = [n for n, value in enumerate(group.values) if (kind, value) in self.asked]

        def of(column: Sequence[object]) -> list[object]:
            return [column[n] for n in kept] if column else []

        columns = (group.values, group.first_seen, group.last_seen, group.companions,
                   group.labels, group.events)  # fmt: skip
        return Group(group.type, *map(of, columns))  # type: ignore[arg-type]

    def heard(self, event: Event, place: str) -> None:
        """Take note of a good event, if it names an asked one."""
        source = Source(event.metadata.uid, event.device.uid, event.time, place)
        for one in self._of(event):
            known = self.sources.setdefault(one, [])
            if len(known) < MOST_EVENTS:
                known.append(source)

    def refused(self, reason: Reason, detail: str, raw: bytes, place: str) -> None:
        """Take note of what was not taken, if it names an asked one, or its bytes hold it."""
        event: Event | None
        try:
            event = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            event = None
        if event is None:
            made = Refusal(reason, detail, place)
            found = frozenset(one for one in self.asked if one[1].encode() in raw)
        else:
            made = Refusal(reason, detail, place, event.device.uid, event.time)
            found = self._of(event)
        for one in found:
            known = self.refusals.setdefault(one, [])
            if len(known) < MOST_EVENTS:
                known.append(made)

    def _of(self, event: Event) -> frozenset[Indicator]:
        return self.asked.intersection(indicators(event)[0])

    def tracks(self, kind: str) -> Iterator[Track]:
        """The state of the rules for an indicator type, with every episode open."""
        if not self._settled:
            self._correlator.settle()
            self._settled = True
        return (track for track in self._correlator.tracks if track.rules[0].indicator_type == kind)


_decode = msgspec.json.Decoder(Event).decode
