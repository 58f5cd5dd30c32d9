"""A bug in a handler: the record that it is about is set aside, and everything else goes on.

The bug is put into the stage's process from outside, by a `sitecustomize` of its own.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline import dead_letter
from pipeline.shell import observe
from pipeline.shell.ports import free_port
from pipeline.shell.settings import Settings
from tests.integration import traffic
from tests.integration.conftest import MISSING, Broker
from tests.integration.faults import Fed, adds_up

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason="the embedded broker restarts nothing"),
]

BUGS = """
import os, signal, sys

if "pipeline.shell.worker" in sys.orig_argv:
    from pipeline import correlate, intake

    read_all, observe = intake.Intake.read_all, correlate.Correlator.observe

    def buggy_read(self, messages, came_in):
        if any(b"9.9.9.1" in message for message in messages):
            os.kill(os.getpid(), signal.SIGSEGV)
        return read_all(self, messages, came_in)

    def buggy_observe(self, sightings):
        if any("9.9.9.2" in group.values for group in sightings.groups):
            raise RuntimeError("a bug of correlate")
        return observe(self, sightings)

    intake.Intake.read_all = buggy_read
    correlate.Correlator.observe = buggy_observe
"""


def poison(number: int) -> tuple[str, bytes]:
    event = (
        b'{"time":%d,"metadata":{"uid":"p"},"device":{"uid":"sensor-at"},'
        b'"src_endpoint":{"ip":"9.9.9.%d"}}'
    ) % (traffic.START_MS, number)
    return "AT", event


def test_a_poison_record_is_set_aside_and_the_rest_goes_on(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BUGS)
    pipeline = Fed(broker.bootstrap, "poison.", tmp_path)
    events = list(traffic.traffic(6, 4_000, 3_600_000))
    port = free_port()
    log = tmp_path / "log"
    with pipeline.worker(metrics_port=port, log=log, PYTHONPATH=str(tmp_path)):
        pipeline.feed(events[:1_000])
        pipeline.partly_done("intake", 1.0)
        # In a batch of its own, so that no other sighting is set aside with it.
        pipeline.feed([poison(2)])
        pipeline.partly_done("intake", 1.0)
        pipeline.feed([*events[1_000:2_000], poison(1), *events[2_000:]])
        pipeline.caught_up()
        seen = adds_up(port)

    topic = pipeline.settings.topic("dead-letters")
    letters = {
        letter.topic: letter
        for letter in asyncio.run(read_letters(pipeline.settings, topic))
        if letter.reason == "bug"
    }
    one, two = letters.pop(pipeline.country["AT"]), letters.pop("poison.sightings")
    assert not letters
    assert (one.raw, one.detail) == (poison(1)[1], "ended by SIGSEGV")
    assert "a bug of correlate" in two.detail
    assert "Traceback" in two.detail

    assert seen['sightline_events_rejected_total{reason="bug"}'] == 1
    assert seen['sightline_records_set_aside_total{stage="intake"}'] == 1
    assert seen['sightline_records_set_aside_total{stage="correlate"}'] == 1

    # Neither was seen elsewhere: without them the alerts are the same.
    for number in (1, 2):
        pipeline.fed.remove(poison(number)[1])
    verdict = pipeline.verdict()
    assert verdict.exact, verdict


async def read_letters(settings: Settings, topic: str) -> list[dead_letter.DeadLetter]:
    return [dead_letter.decode(value) async for value in observe.read_topic(settings, topic)]
