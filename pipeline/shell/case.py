"""What the campaign stage works on: a desk, and how far time has come.

Who was active before may have told of more than it had committed. Until who takes over has read
that, too, some of what was told seems to rest on nothing: of what it finds meanwhile nothing is
told, and nothing that was told is taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from faust.types import TP

from pipeline import watch
from pipeline.alert import Alert
from pipeline.campaign import label
from pipeline.campaign.campaign import Campaign, oldest_first
from pipeline.campaign.desk import Desk
from pipeline.episode import Change
from pipeline.lane import crossing
from pipeline.sight import UNKNOWN_WATERMARK, Progress, Sightings, decode_sightings
from pipeline.watch import change_of
from pipeline.watermark import Watermarks

READ = ("sightings", "alerts", "labels", "watches")
"""The topics."""
_decode_alert = msgspec.json.Decoder(Alert).decode

Record = tuple[bytes | None, bytes | None]


class Case:
    """A desk, and how far time has come.

    Each partition of `sightings` tells that for itself: from one that is read sooner than the
    others it would be too far.
    """

    def __init__(self, desk: Desk, marks: Sequence[Watermarks], topics: Mapping[str, str]) -> None:
        self.desk = desk
        self.gate = asyncio.Lock()
        """Held by who changes anything, or looks."""
        self.rehearsed = False
        self.not_ours = 0
        self.watches_upto: Mapping[int, int] = {}
        """By partition, the offset up to which watches were read when this was begun."""
        self.unread: dict[TP, int] = {}
        """How far a predecessor that told of something may have read, where we have not."""
        self._before: Mapping[str, Campaign] = {}
        self._untold: dict[str, Campaign] = {}
        self.watermark = UNKNOWN_WATERMARK
        self._marks = marks
        self._sightings, self._alerts, self._labels, self._watches = (topics[name] for name in READ)

    def knows(self, tp: TP, offset: int) -> bool:
        """Whether it is a watch that was read: an older revision must not stand over a newer."""
        return tp.topic == self._watches and offset < self.watches_upto.get(tp.partition, 0)

    def follow(self, upto: Mapping[TP, int]) -> None:
        """After what was told is remembered: how far who told it may have read."""
        if self.desk.told:
            self._before = dict(self.desk.told)
            self.unread = dict(upto)

    def has_read(self, tp: TP, upto: int) -> None:
        """All of a partition below this offset was taken."""
        if upto >= self.unread.get(tp, upto + 1):
            del self.unread[tp]

    def take(self, tp: TP, record: Record) -> bool:
        """Note one record; whether a look must be taken before time goes on."""
        key, value = record
        try:
            if tp.topic == self._sightings:
                return self._see(self._marks[tp.partition], decode_sightings(key, value or b""))
            if tp.topic == self._alerts:
                alert = _decode_alert(value or b"")
                if crossing(alert.unmapped.exercise, self.desk.exercise) is None:
                    self.desk.raise_(alert)
                else:
                    self.not_ours += 1
            elif tp.topic == self._labels:
                self.desk.label(label.decode(value or b""))
            elif tp.topic == self._watches and value is None:
                self.desk.watching.drop((key or b"").decode())
            elif tp.topic == self._watches:
                self.desk.watch(watch.decode(value or b""))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.not_ours += 1
        return False

    def _see(self, marks: Watermarks, seen: Sightings | Progress) -> bool:
        if not isinstance(seen, Progress):
            marks.heard(seen.source, seen.watermark)
            self.desk.observe(seen)
            return False
        marks.told(seen)
        self.watermark = max(self.watermark, min(each.whole() for each in self._marks))
        return self.desk.due(self.watermark)

    def raised(self) -> list[tuple[Change, Alert]]:
        """Alerts on watches that are to be told."""
        return [(change_of(one), one) for one in self.desk.watching.revisions(self.watermark)]

    def look(self) -> list[Campaign]:
        """What is to be told now."""
        whole = not self.unread
        found = self.desk.look(self.watermark, whole=whole)
        if whole and not self._untold:
            return found
        self._untold.update((one.id, one) for one in found)
        if not whole:
            self.desk.changed = True  # this is still to be told
            return []
        before, untold = self._before, self._untold.values()
        self._before, self._untold = {}, {}
        return sorted((one for one in untold if before.get(one.id) != one), key=oldest_first)
