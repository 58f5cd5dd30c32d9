"""A flood of indicators that nobody else sees: what it takes, and that it stays within its bound.

    python -m tests.soak.flood [INDICATORS] [BOUND]

By default ten million against a bound of one million, through one shard with its checkpoints, as
the correlate stage does it. Two countries see an attack before the flood and a third after it: its
alert must come. The last line is one JSON object; status 1 if a promise did not hold.
"""

from __future__ import annotations

import json
import resource
import sys
from time import perf_counter

from pipeline.episode import Change
from pipeline.rule import Level, Rule
from pipeline.shard import Shard
from pipeline.sight import Group, Sightings, encode

BATCH = 4_000
START_MS = 1_767_225_600_000
RULE = Rule("flood", "flood", Level.MEDIUM, "ip", 3_600_000, "country", 3)


def seen(values: list[str], country: str, time_ms: int) -> tuple[None, bytes]:
    times = [time_ms] * len(values)
    group = Group("ip", values, times, times)
    return None, encode(
        Sightings(f"events.{country}/0", f"org-{country}", country, time_ms, 0, [group])
    )


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    bound = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    shard = Shard([RULE], 86_400_000, most=bound)
    for country in ("CZ", "SK"):
        shard.take([seen(["attack"], country, START_MS)])
    shed = most = 0
    longest = 0.0
    began = perf_counter()
    for first in range(0, count, BATCH):
        values = [f"flood-{n}" for n in range(first, first + BATCH)]
        record = seen(values, "ES", START_MS + first // 1000)
        started = perf_counter()
        shed += sum(shard.take([record]).shed.values())
        longest = max(longest, perf_counter() - started)
        most = max(most, sum(shard.correlator.live.values()))
        for _ in shard.checkpoint():
            pass
    told = shard.take([seen(["attack"], "AT", START_MS + 60_000)]).episodes
    held = most <= bound and [one.change for one in told] == [Change.OPENED]
    said = {
        "indicators": count,
        "bound": bound,
        "most_live": most,
        "shed": shed,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "longest_batch_s": round(longest, 3),
        "seconds": round(perf_counter() - began, 1),
        "held": held,
    }
    print(json.dumps(said))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
