"""docs/scaling.md: a plan past one machine, computed from what the benchmark measured.

`python -m tests.bench.scaling [--events-per-second N] [--live N]` reads docs/measured/bench.jsonl and
writes the page anew; with other targets it prints the page instead.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator
from typing import NamedTuple

from tests.bench import skew
from tests.bench.page import MEASURED, ROOT, Row, machines, rows_of

PAGE = ROOT / "docs" / "scaling.md"
EVENTS_PER_SECOND = 1_000_000
LIVE = 100_000_000

BUSY = 0.5
"""How busy a worker may be in the ordinary course: what is left catches up after a failure."""
WORKER_GB = 8
LINK_MB_S = 1_250
"""A link of 10 Gbit/s."""
REPLICAS = 3
FOLDED = 200
"""Events of a batch in the ordinary course; a catch-up folds up to 16,000."""
RETENTION_H = 24
SOURCE_PARTITIONS_A_WORKER = 4


class Measured(NamedTuple):
    """What the plan rests on: the mean of the default rows, and the slope over live indicators."""

    intake_s: float
    correlate_s: float
    broker_s: float
    event_bytes: float
    sighting_bytes: float
    alert_bytes: float
    live_bytes: float


class Plan(NamedTuple):
    intake_workers: int
    by_cpu: int
    by_memory: int
    correlate_workers: int
    partitions: int
    unevenness: float
    source_partitions: int
    in_mb_s: float
    out_mb_s: float
    brokers: int
    disk_tb: float


def measured(rows: list[Row]) -> Measured:
    defaults = [row for row in rows if row["factor"] == "default"]

    def mean(of: str, name: str) -> float:
        return statistics.mean(float(row[of][name]) for row in defaults)

    cpu, size = "cpu_seconds_per_million_events", "bytes_per_event"
    few, *_, many = sorted(
        (row for row in rows if row["factor"] == "live"), key=lambda row: int(row["live"])
    )
    rss = 1e6 * (many["peak_rss_mb"]["correlate"] - few["peak_rss_mb"]["correlate"])
    live = many["live_indicators"]["before"] - few["live_indicators"]["before"]
    return Measured(
        intake_s=mean(cpu, "intake"),
        correlate_s=mean(cpu, "correlate"),
        broker_s=mean(cpu, "broker"),
        event_bytes=mean(size, "events"),
        sighting_bytes=mean(size, "sightings"),
        alert_bytes=mean(size, "alerts"),
        live_bytes=rss / live,
    )


def plan(of: Measured, events_per_second: int, live: int) -> Plan:
    """CPU seconds for a million events are cores at a million events a second."""
    millions = events_per_second / 1e6
    by_cpu = millions * of.correlate_s / BUSY
    by_memory = math.ceil(live * of.live_bytes / (WORKER_GB * 1e9 * 0.75))
    partitions, workers, uneven = _partitions(max(by_cpu, by_memory, 1))
    intake = math.ceil(millions * of.intake_s / BUSY)
    led_to = of.sighting_bytes + of.alert_bytes
    in_mb = millions * (of.event_bytes + led_to)
    out_mb = in_mb + in_mb * (REPLICAS - 1)
    # A broker sends to readers and followers, and takes in as a leader and as a follower.
    by_link = max(out_mb, in_mb * REPLICAS) / (LINK_MB_S * BUSY)
    by_core = millions * of.broker_s * REPLICAS / (8 * BUSY)
    return Plan(
        intake_workers=intake,
        by_cpu=math.ceil(by_cpu),
        by_memory=by_memory,
        correlate_workers=workers,
        partitions=partitions,
        unevenness=uneven,
        source_partitions=intake * SOURCE_PARTITIONS_A_WORKER,
        in_mb_s=in_mb,
        out_mb_s=out_mb,
        brokers=max(REPLICAS, math.ceil(by_link), math.ceil(by_core)),
        disk_tb=in_mb * 3600 * RETENTION_H * REPLICAS / 1e6,
    )


def _partitions(wanted: float) -> tuple[int, int, float]:
    """The fewest partitions that cost few workers more than the most do, those, and why."""
    shares = skew.folded(skew.zipf(), FOLDED)
    found = []
    for partitions in skew.PARTITIONS:
        loads = skew.by_partition(shares, partitions)
        workers = math.ceil(wanted)
        while workers <= partitions:
            uneven = skew.unevenness(skew.by_worker(loads, workers))
            if workers >= wanted * uneven:
                found.append((partitions, workers, uneven))
                break
            workers += 1
    least = min(workers for _, workers, _ in found)
    return next(one for one in found if one[1] <= math.ceil(least * 1.1))


def skew_table(workers: int) -> Iterator[str]:
    zipf, hot = skew.zipf(), skew.hot()
    columns = [skew.uniform(), zipf, skew.folded(zipf, FOLDED), hot, skew.folded(hot, FOLDED)]
    yield (
        "| partitions | uniform | Zipf 1.1 | Zipf 1.1, folded | hot key | hot key, folded "
        f"| busiest of {workers} workers: uniform | Zipf 1.1 | Zipf 1.1, folded | hot key, folded |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for partitions in skew.PARTITIONS:
        loads = [skew.by_partition(shares, partitions) for shares in columns]
        cells = [f"{skew.unevenness(one):.2f}" for one in loads]
        for one in (loads[0], loads[1], loads[2], loads[4]):
            few = partitions < workers
            cells.append("–" if few else f"{skew.unevenness(skew.by_worker(one, workers)):.2f}")
        yield f"| {partitions:,} | {' | '.join(cells)} |"


_PAGE = """\
# Past one machine

A plan for {events:,} events a second and {live:,} live indicators, computed by
`python -m tests.bench.scaling` from what `make performance` measured
([the table](performance.md)). Nothing here is written by hand, and nothing of this size was run.
`python -m tests.bench.scaling --events-per-second N --live N` prints it for other targets.

{machine} CPU seconds a million events bear that better than events a second do, but not well: measure
anew on a quiet machine before buying any.

## What it rests on

| measured | |
|---|---|
| CPU seconds for a million events: intake | {of.intake_s:.1f} |
| correlate | {of.correlate_s:.1f} |
| broker | {of.broker_s:.1f} |
| bytes of an event, one a message | {of.event_bytes:.0f} |
| bytes of the sightings it leads to | {of.sighting_bytes:.0f} |
| bytes of the alerts it leads to, every revision | {of.alert_bytes:.0f} |
| bytes of resident memory for another live indicator | {of.live_bytes:.0f} |

One indicator an event; every byte before compression; sightings as large catch-up batches pack them,
which smaller ones do less well. CPU seconds for a million events are the cores
that a million events a second keep busy. Assumed: workers {busy:.0%} busy in the ordinary course;
{worker_gb} GB a correlate worker, three quarters of it for indicators; links of 10 Gbit/s, {busy:.0%}
busy; brokers of eight cores; {replicas} replicas; {retention} hours of events kept.

## The plan

| | |
|---|---|
| intake workers, a core each | {plan.intake_workers} |
| partitions of `events.*` together, {apart} a worker at least | {plan.source_partitions} |
| correlate workers by CPU | {plan.by_cpu} |
| by memory | {plan.by_memory} |
| correlate workers, so that the busiest of them has no more than its share | {plan.correlate_workers} |
| how much the busiest has beside the mean, Zipf keys, folded | {plan.unevenness:.2f} |
| partitions of `sightings` and `checkpoints` | {plan.partitions} |
| into the brokers, MB/s | {plan.in_mb_s:,.0f} |
| out of them, to readers and replicas, MB/s | {plan.out_mb_s:,.0f} |
| brokers | {plan.brokers} |
| disk for {retention} hours, {replicas} replicas, TB | {plan.disk_tb:,.1f} |
| setting `live_indicators_max` | {live_max:,} |

A partition has its share of `live_indicators_max`. What bounds a correlate worker is
{bound}.

## Skew over partitions

How much the busiest partition has beside the mean, 1 being even: {keys:,} keys, each counted in the
partition where the pipeline sends it. *Folded* means that a batch of {folded} events counts a key
once, as intake does before anything is sent on; Zipf keys then lead to {left:.2f} sightings for each
event and indicator, one hot key with half of all events to {left_hot:.2f}.

{table}

What that means for the number of workers:

- Uniform keys need nothing: partitions are as even as chance makes them, and a worker with several of
  them is more even still.
- With Zipf keys the first key alone is {first:.0%} of all events. Without folding, its partition's
  worker would do that much whatever the number of partitions: {most:.0f} workers would be the most that
  could share the work evenly. Folding takes that key down to {first_folded:.1%}: {most_folded:,.0f} workers.
- One hot key is half of everything without folding, and {hot_folded:.2%} with it.
- The busiest worker decides: with an unevenness of {plan.unevenness:.2f}, that many times the workers
  are needed that an even load would need. More partitions than workers help until the keys themselves
  are uneven; beyond that they only cost.

## What is not in it

How long a worker takes to read back its state; what a rebalance of so many partitions costs; brokers
in several places. These need a run on machines of that number.
"""


def page(rows: list[Row], events_per_second: int = EVENTS_PER_SECOND, live: int = LIVE) -> str:
    of = measured(rows)
    made = plan(of, events_per_second, live)
    zipf, hot = skew.zipf(), skew.hot()
    first_folded = skew.folded(zipf, FOLDED)[0]
    bound = "memory, not CPU" if made.by_memory > made.by_cpu else "CPU, not memory"
    return _PAGE.format(
        events=events_per_second,
        live=live,
        machine=machines(rows),
        of=of,
        plan=made,
        busy=BUSY,
        worker_gb=WORKER_GB,
        replicas=REPLICAS,
        retention=RETENTION_H,
        apart=SOURCE_PARTITIONS_A_WORKER,
        live_max=live,
        bound=bound,
        keys=skew.KEYS,
        folded=FOLDED,
        left=skew.sightings_per_event(zipf, FOLDED),
        left_hot=skew.sightings_per_event(hot, FOLDED),
        table="\n".join(skew_table(made.correlate_workers)),
        first=zipf[0],
        most=1 / zipf[0],
        first_folded=first_folded,
        most_folded=1 / first_folded,
        hot_folded=skew.folded(hot, FOLDED)[0],
    )


def written() -> str:
    """The page as it ought to be."""
    return page(rows_of(MEASURED / "bench.jsonl"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling")
    parser.add_argument("--events-per-second", type=int)
    parser.add_argument("--live", type=int)
    given = parser.parse_args()
    if given.events_per_second or given.live:
        rows = rows_of(MEASURED / "bench.jsonl")
        print(page(rows, given.events_per_second or EVENTS_PER_SECOND, given.live or LIVE))
        return
    PAGE.write_text(written(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
