"""How fast a log becomes events, on one core, as a share of merely decoding it.

`python -m tests.bench.converting FORMAT FILE…`. A machine is never quiet: so the lines are decoded to
dictionaries and converted in turns, in one process, and the ratio of the two is what to compare.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time

import msgspec

from pipeline.adapter.catalogue import BY_NAME
from pipeline.adapter.conversion import Conversion
from pipeline.adapter.instant import Clock

LINES = 20_000
ROUNDS = 7
AT_ONCE = 128


def _decode(lines: list[bytes]) -> float:
    decode = msgspec.json.Decoder().decode
    before = process_time()
    for line in lines:
        decode(line)
    return process_time() - before


def _convert(lines: list[bytes], format_: str) -> float:
    conversion = Conversion(BY_NAME[format_], "bench-1", Clock(1_735_689_600_000))
    before = process_time()
    for at in range(0, LINES, AT_ONCE):
        conversion.feed_many(lines[at : at + AT_ONCE], at + 1)
    spent = process_time() - before
    assert conversion.counts.events, "nothing came of it"
    return spent


def main(format_: str, path: Path) -> None:
    read = path.read_bytes().splitlines(keepends=True)
    lines = (read * (LINES // len(read) + 1))[:LINES]
    rounds = [(_decode(lines), _convert(lines, format_)) for _ in range(ROUNDS)]
    decoding = min(decoded for decoded, _ in rounds)
    converting = min(converted for _, converted in rounds)
    ratio = sorted(converted / decoded for decoded, converted in rounds)[ROUNDS // 2]
    print(
        f"{path.name}: {len(b''.join(lines)) // LINES} bytes a line; best of {ROUNDS}: "
        f"{LINES / converting:,.0f} lines/s, {converting / LINES * 1e6:.1f} µs a line; "
        f"decoding {decoding / LINES * 1e6:.1f} µs; median ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    for name in sys.argv[2:]:
        main(sys.argv[1], Path(name))
