"""The job in Quix Streams: repartitioned by indicator, then its sliding windows, eagerly.

Each update of a window whose countries are three or more could be an alert; what overlaps the
window of the alert before it is kept back by a second, small state. That is its own way of saying
"one alert an episode", and as close as windows that are looked at one by one come.

Tuned: sightings are two-element lists on the way; producer and consumer linger and fetch in large
batches; a commit every two seconds, as Sightline's checkpoints. Changelogs are on, as by default.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from quixstreams import Application, State

from tests.bench.peers import job

GROUP = "quix"
_Seen = list[Any]  # indicator, country, ms


def sightings(event: dict[str, Any]) -> Iterator[_Seen]:
    job.working()
    for indicator, country in job.sightings(event):
        yield [indicator, country, event["time"]]


def begin(seen: _Seen) -> dict[str, Any]:
    return {"i": seen[0], "c": [seen[1]], "f": seen[2], "l": seen[2]}


def add(window: dict[str, Any], seen: _Seen) -> dict[str, Any]:
    if seen[1] not in window["c"]:
        window["c"].append(seen[1])
    window["f"] = min(window["f"], seen[2])
    window["l"] = max(window["l"], seen[2])
    return window


def is_new(window: dict[str, Any], state: State) -> bool:
    """Whether the window overlaps none that an alert was raised for lately."""
    begins, ends = state.get("alerted", default=(0, -1))
    new = not begins - job.WINDOW_MS <= window["l"] <= ends + job.WINDOW_MS
    if new:
        begins, ends = window["f"], window["l"]
    else:
        begins, ends = min(begins, window["f"]), max(ends, window["l"])
    state.set("alerted", (begins, ends))
    return new


def main(state_folder: str) -> None:
    app = Application(
        job.BROKER,
        consumer_group=GROUP,
        auto_offset_reset="earliest",
        state_dir=state_folder,
        commit_interval=2.0,
        loglevel="WARNING",
        consumer_extra_config={"fetch.min.bytes": 1, "queued.min.messages": 100_000},
        producer_extra_config={"linger.ms": 20, "batch.num.messages": 10_000},
    )
    events = app.topic(
        job.INPUT, value_deserializer="json", timestamp_extractor=lambda value, *_: value["time"]
    )
    alerts = app.topic(job.OUTPUT, value_serializer="json", key_serializer="str")
    frame = app.dataframe(events).apply(sightings, expand=True)
    frame = frame.group_by(
        lambda seen: seen[0], name="indicator", key_serializer="str", key_deserializer="str"
    )
    frame = (
        frame.sliding_window(job.WINDOW_MS, job.LATENESS_MS, on_late=lambda *_: False)
        .reduce(add, begin)
        .current()
        .apply(lambda window: window["value"])
    )
    frame = frame.filter(lambda window: len(window["c"]) >= job.GTE)
    frame = frame.filter(is_new, stateful=True)
    frame = frame.apply(
        lambda window: job.alert(window["i"], window["f"], window["l"], window["c"])
    )
    frame.to_topic(alerts)
    app.run()


if __name__ == "__main__":
    main(sys.argv[1])
