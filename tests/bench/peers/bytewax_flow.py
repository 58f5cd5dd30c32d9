"""The job in Bytewax: session windows in event time, each recounted when it closes.

An episode never has a gap of more than a window and a slice, so it lies within one session; what
the session holds is then searched for episodes. A sliding window of Bytewax would put every
sighting into sixty windows, and still raise an alert a window. The price: an alert comes when its
session closes, not when its window first holds.

Tuned: 1,000 messages a poll (5,000 are no faster, and read the partitions further out of step: of
30,000 events that missed a seventh of the indicators), a batch decoded at a time, orjson, no
ordering within a window (the recount sorts), librdkafka lingers. State is in memory: no recovery
store, which would cost more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, SessionWindower, fold_window

from tests.bench.peers import job

Seen = tuple[int, str]


def decode(messages: list[KafkaSourceMessage]) -> Iterable[tuple[str, Seen]]:
    job.working()
    found = []
    for message in messages:
        event = orjson.loads(message.value)
        time_ms = event["time"]
        found += [(name, (time_ms, country)) for name, country in job.sightings(event)]
    return found


def when(seen: Seen) -> datetime:
    return datetime.fromtimestamp(seen[0] / 1000, UTC)


def add(session: list[Seen], seen: Seen) -> list[Seen]:
    session.append(seen)
    return session


def alerts(closed: tuple[str, tuple[int, list[Seen]]]) -> Iterable[KafkaSinkMessage]:
    indicator, (_, session) = closed
    return [
        KafkaSinkMessage(indicator.encode(), orjson.dumps(job.alert(indicator, *episode)))
        for episode in job.episodes(session)
    ]


flow = Dataflow("sightline")
events = op.input(
    "events", flow, KafkaSource([job.BROKER], [job.INPUT], tail=False, batch_size=1_000)
)
seen = op.flat_map_batch("decode", events, decode)
sessions = fold_window(
    "sessions",
    seen,
    EventClock(
        when,
        wait_for_system_duration=timedelta(milliseconds=job.LATENESS_MS),
        # Last year's sessions would all be due now, and it would look at every one of them at every
        # turn: 200,000 events took more than seven minutes, and take one and a half without.
        # Sessions then close by events, or at the end.
        to_system_utc=lambda _: None,
    ),
    SessionWindower(gap=timedelta(milliseconds=job.WINDOW_MS + job.SLICE_MS)),
    list,
    add,
    list.__add__,
    ordered=False,
)
op.output(
    "alerts",
    op.flat_map("episodes", sessions.down, alerts),
    KafkaSink([job.BROKER], job.OUTPUT, add_config={"linger.ms": "20"}),
)
