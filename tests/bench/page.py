"""docs/performance.md, from what the benchmark wrote: no figure in it comes from a hand.

`python -m tests.bench.page` reads docs/measured/*.jsonl and writes the page anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "docs" / "measured"
PAGE = ROOT / "docs" / "performance.md"

_HEAD = """\
# Performance

Every figure on this page was written by `make performance`, which runs `sightline bench --table` and
the peers, and then `python -m tests.bench.page`. None was written by hand.

{machine} **Figures of one run are for comparing with each other, by their ratio to the ceiling that
was measured in the same run; the absolute ones promise nothing.** Run `make performance` on a quiet
machine of yours (`TABLE=full` for more events and five million live indicators).

## What is measured

Events lie preloaded on eight topics of a Kafka that was started for the run. Intake and correlate
processes, started as a user would, read all of it as fast as they can. The clock runs from the first
event read to the last sighting correlated. The alerts are then held against an oracle that counts
them from what the generator drew and shares no code with the pipeline; *exact* means that each
alert's rule, indicator, first and last time, countries and organisations are the same, with none
missing and none too many. The *ceiling* is one process that fetches the same events with aiokafka and
decodes them to the same type, and does nothing else; it runs before and after, on the same Kafka.

CPU seconds are those of the processes of a stage with all that they started, for a million events.
*Live* counts the indicators that were remembered before the first event came. Latency is from
producing a single event that completes a window to the arrival of its alert, when nothing else is on
its way; under load, while a process of its own sends events at a share of the rate that can be kept up
with. That rate is measured while more than that is sent, and is less than the one of the table: who
sends, and a broker that takes it in, need the same cores.

## One factor at a time

By default: {default}. The first column says what was different.

"""

_PEERS = """\

## The same job in other engines

`make peers` runs it: {job}. Three
indicators an event, repartitioned by indicator, an alert where one is seen in three countries within
ten minutes; one preloaded topic of eight partitions, two processes for each engine, the same
generated events, the same oracle. How each is written and tuned stands at the head of
`tests/bench/peers/quix_streams_app.py` and `tests/bench/peers/bytewax_flow.py`. *Lateness* is how far
out of step an engine is told that events may be. Bytewax says an episode when it is over; Quix Streams
and Sightline say it as soon as a window holds. Both engines use their own windowing operators, and
are told to wait for events as long as Sightline does: both costs them much. A step written by hand
that takes sightings as they arrive is a smaller job, and is not compared here. CPU seconds are without
the broker's.

"""


def rows_of(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def page(rows: list[Row], peers: list[Row]) -> str:
    parts = [
        _HEAD.format(machine=machines([*rows, *peers]), default=_default(rows[0])),
        *(f"{line}\n" for line in _table(rows)),
        *(f"{line}\n" for line in _under_load(rows)),
    ]
    if peers:
        job = f"{peers[0]['events']:,} events of seed {peers[0]['seed']}"
        parts += [_PEERS.format(job=job), peers_table(peers), "\n"]
    return "".join(parts)


def machines(rows: Iterable[Row]) -> str:
    """What the rows were measured on, and how busy it was: a sentence."""
    found = [row["machine"] for row in rows]
    loads = [one["load_1m"] for one in found]
    of = found[0]
    return (
        f"Measured on one machine with {of['cpus']} cores ({of['architecture']}, {of['system']}, "
        f"Python {of['python']}) that others used at the same time: the load average at the start "
        f"of a run was {min(loads):.1f} to {max(loads):.1f}."
    )


def _default(row: Row) -> str:
    return (
        f"{row['events']:,} events of {row['bytes_per_event']['events']:.0f} bytes, "
        f"{row['packed']} a message, {row['indicators']} indicator an event, {row['skew']} keys, "
        f"{row['partitions']} partitions, {row['workers']} process a stage, a window of "
        f"{row['window']} over {row['span']}, no indicator before"
    )


_CHANGED = ("events", "size", "indicators", "skew", "partitions", "workers", "packed", "window", "span",
            "live", "cpus")  # fmt: skip


def _what(row: Row, default: Row) -> str:
    changed = [
        f"{name} {row[name]:,}" if isinstance(row[name], int) else f"{name} {row[name]}"
        for name in _CHANGED
        if row[name] != default[name]
    ]
    return ", ".join(changed) or "*default*"


def _table(rows: list[Row]) -> Iterator[str]:
    yield (
        "| | events/s | ceiling | ratio | exact | alerts | CPU s intake | correlate | broker "
        "| RSS MB intake | correlate | latency p50, p99 ms |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        cpu, rss = row["cpu_seconds_per_million_events"], row["peak_rss_mb"]
        late = f"{row.get('latency_p50_ms', '')}, {row.get('latency_p99_ms', '')}".strip(", ")
        yield (
            f"| {_what(row, rows[0])} | {row['events_per_second']:,} "
            f"| {row['ceiling_events_per_second']:,} | {row['ratio']:.2f} "
            f"| {_yes(row['exact'])} | {row['alerts']:,} "
            f"| {cpu['intake']:.1f} | {cpu['correlate']:.1f} | {cpu['broker']:.1f} "
            f"| {rss['intake']:,} | {rss['correlate']:,} | {late} |"
        )


def _under_load(rows: list[Row]) -> Iterator[str]:
    timed = [(row, row["latency_under_load"]) for row in rows if row.get("latency_under_load")]
    if not timed:
        return
    yield ""
    yield "| under load | of the rate kept up with | events/s sent meanwhile | latency p50, p99 ms |"
    yield "|---|---|---|---|"
    for row, under in timed:
        for share, one in under.items():
            yield (
                f"| {_what(row, rows[0])} | {float(share):.0%} | {one['events_per_second']:,} "
                f"| {one['latency_p50_ms']}, {one['latency_p99_ms']} |"
            )


def peers_table(rows: Iterable[Row]) -> str:
    """The engines' lines as a table."""
    lines = [
        "| engine | lateness | events/s | CPU s/million | RSS MB | missed | alerts | exact |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['engine'].replace('_', ' ')} | {row['lateness_s'] // 3600} h "
        f"| {row['events_per_second']:,} | {row['cpu_seconds_per_million_events']} "
        f"| {row['peak_rss_mb']:,} | {row['indicators_missed']} of {row['indicators']:,} indicators "
        f"| {_count(row['alerts'])} for {row['episodes']:,} episodes | {_yes(row['exact'])} |"
        for row in rows
    ]
    return "\n".join(lines)


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _yes(exact: bool) -> str:
    return "yes" if exact else "**no**"


def written() -> str:
    """The page as it ought to be."""
    peers = MEASURED / "peers.jsonl"
    return page(rows_of(MEASURED / "bench.jsonl"), rows_of(peers) if peers.exists() else [])


if __name__ == "__main__":
    PAGE.write_text(written(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
