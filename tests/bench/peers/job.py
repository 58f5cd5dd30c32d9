"""The job, as far as it is the same in every engine; it runs in the engines' environments, too.

Three indicators an event, each seen in the country of the event's sensor; an alert where one is
seen in at least three countries within ten minutes.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.shell.processes import exit_with_parent

WINDOW_MS = 600_000
SLICES = 60
SLICE_MS = WINDOW_MS // SLICES
GTE = 3
LATENESS_MS = int(os.environ.get("PEERS_LATENESS_MS", "86400000"))
"""How far an engine is told that events may be out of step; by default as Sightline is told. In a
catch-up they are: two processes read eight partitions at their own pace."""

BROKER = os.environ.get("PEERS_BROKER", "")
INPUT, OUTPUT = "events", "alerts"
PARTITIONS = 8
PROCESSES = 2

_said = threading.Event()


def working() -> None:
    """Say once that this process has its first event: the clock runs from then on."""
    if not _said.is_set():
        _said.set()
        exit_with_parent()
        print("ready working", flush=True)


def sightings(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(indicator, country) of an event; the indicator with its type before it."""
    country = event["device"]["uid"][6:8].upper()  # bench-cz-1
    yield f"ip|{event['src_endpoint']['ip']}", country
    tls = event.get("tls")
    if tls:
        yield f"domain|{tls['sni']}", country
        if "ja3_hash" in tls:
            yield f"ja3|{tls['ja3_hash']['value']}", country


def alert(indicator: str, first_ms: int, last_ms: int, countries: Iterable[str]) -> dict[str, Any]:
    """What every engine writes to the alerts topic, as JSON, keyed by the indicator."""
    kind, _, value = indicator.partition("|")
    return {
        "type": kind,
        "value": value,
        "first_seen": first_ms,
        "last_seen": last_ms,
        "countries": sorted(countries),
    }


def episodes(seen: list[tuple[int, str]]) -> Iterator[tuple[int, int, set[str]]]:
    """(first seen, last seen, countries) of each episode in all (ms, country) of one indicator.

    By the same definition as the oracle: sixty slices a window.
    """
    if len({country for _, country in seen}) < GTE:
        return
    seen.sort()
    changes: dict[int, int] = defaultdict(int)
    until: dict[str, int] = {}
    for ms, country in seen:
        at = ms // SLICE_MS
        changes[max(at, until.get(country, at))] += 1
        changes[at + SLICES] -= 1
        until[country] = at + SLICES
    present, first = 0, -1
    for at in sorted(changes):
        present += changes[at]
        if present >= GTE and first < 0:
            first = at
        elif present < GTE and first >= 0:
            inside = [one for one in seen if first - SLICES < one[0] // SLICE_MS < at]
            yield inside[0][0], inside[-1][0], {country for _, country in inside}
            first = -1
