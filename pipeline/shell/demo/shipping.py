"""A native log on its way: `sightline ship`, and what it said of lines that it could not take."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.shell.converting import RejectedRecord
from pipeline.shell.demo.cast import Log
from pipeline.shell.demo.house import House
from pipeline.shell.settings import FailedError

_WITHIN_S = 60.0
_decode = msgspec.json.Decoder(RejectedRecord).decode


class Shipped(Struct, frozen=True):
    """What came of it. `said` is the shipper's own account."""

    said: str
    rejected: list[RejectedRecord]


def ship(house: House, native: Log, folder: Path) -> Shipped:
    """Send all of a log; a `FailedError` if not all of it arrived."""
    rejects, state = (
        folder / f"{native.sensor}.rejects.jsonl",
        folder / f"{native.sensor}.state.json",
    )
    for left in (rejects, state):
        left.unlink(missing_ok=True)  # of a demo before
    with house.command(
        *("ship", "--format", native.format, "--sensor", native.sensor),
        *("--state", str(state), "--rejects", str(rejects), str(native.path)),
    ) as shipper:
        status = shipper.wait(_WITHIN_S)
        said = shipper.tail().strip()
    if status:
        raise FailedError(f"ship {native.path.name}: {said}")
    return Shipped(
        said.rpartition("\n")[2], [_decode(line) for line in rejects.read_bytes().splitlines()]
    )
