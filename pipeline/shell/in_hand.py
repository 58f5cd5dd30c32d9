"""Which batch a stage is working on: known to its successor, whatever ended it.

It is noted in a small file that is mapped into memory. To note is to store a few bytes there, not
to write a file (2 µs a batch); what was stored outlives the process, be it killed by a signal. The
file lies in the stage's own folder, which the supervisor keeps as long as it runs itself.

A batch that was in hand when the process died is a *suspect*. The successor's batches begin and
end elsewhere: a batch that overlaps a suspect and is in hand at the next death is the same case.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

import msgspec
from faust.types import TP
from msgspec import Struct

from pipeline.shell.transport import Batch

SUSPECTS = 16
"""So many are kept, the latest; each is of a death."""

_PLACE = struct.Struct("<iqqH")  # partition, first and last offset, length of the topic's name
_BYTES = 1024  # a topic's name has at most 249
_NONE, _SOME = b"\0", b"\1"


class Suspect(Struct):
    """Offsets `first` to `last` of a partition, and how many processes died with them in hand."""

    topic: str
    partition: int
    first: int
    last: int
    deaths: int = 1

    def overlaps(self, other: Suspect) -> bool:
        return (
            (self.topic, self.partition) == (other.topic, other.partition)
            and self.first <= other.last
            and other.first <= self.last
        )


class InHand:
    """What a stage has in hand, and what its predecessors died of."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "in-hand", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _BYTES)
            self._map = mmap.mmap(descriptor, _BYTES)
        finally:
            os.close(descriptor)
        self._file = folder / "suspects"
        self.suspects = self._learn()

    def take(self, tp: TP, batch: Batch) -> None:
        """Note that `batch` is in hand from now on."""
        topic = tp.topic.encode()
        noted = self._map
        noted[0:1] = _NONE  # half of a note is none
        _PLACE.pack_into(noted, 1, tp.partition, batch[0].offset, batch[-1].offset, len(topic))
        noted[1 + _PLACE.size : 1 + _PLACE.size + len(topic)] = topic
        noted[0:1] = _SOME

    def put_down(self) -> None:
        """Nothing is in hand."""
        self._map[0:1] = _NONE

    def deaths(self, tp: TP, batch: Batch) -> int:
        """How many processes died with this batch, or a part of it, in hand."""
        if not self.suspects:
            return 0
        this = Suspect(tp.topic, tp.partition, batch[0].offset, batch[-1].offset)
        return max((one.deaths for one in self.suspects if one.overlaps(this)), default=0)

    def _left(self) -> Suspect | None:
        if self._map[0:1] != _SOME:
            return None
        partition, first, last, length = _PLACE.unpack_from(self._map, 1)
        topic = self._map[1 + _PLACE.size : 1 + _PLACE.size + length].decode()
        return Suspect(topic, partition, first, last)

    def _learn(self) -> list[Suspect]:
        """The suspects of before, and what the last predecessor left in hand."""
        known: list[Suspect] = []
        if self._file.exists():
            known = msgspec.json.decode(self._file.read_bytes(), type=list[Suspect])
        left = self._left()
        if left is not None:
            same = [one for one in known if one.overlaps(left)]
            left.deaths += max((one.deaths for one in same), default=0)
            known = [*(one for one in known if one not in same), left][-SUSPECTS:]
            beside = self._file.with_suffix(".new")
            beside.write_bytes(msgspec.json.encode(known))
            beside.replace(self._file)
            self.put_down()
        return known
