"""Nothing that a sensor can send stops or slows a worker; all of it is accounted for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from pipeline import dead_letter
from pipeline.shell import observe
from pipeline.shell.ports import free_port
from pipeline.shell.unpack import MAX_BATCH_BYTES
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline
from tests.integration.rules import THREE_COUNTRIES

pytestmark = pytest.mark.kafka

DAY_MS = 86_400_000
NOON = 1_767_268_800_000


def event(sensor: str, time_ms: int = NOON, ip: str = "198.41.0.4") -> bytes:
    return (
        b'{"time":%d,"metadata":{"uid":"u"},"device":{"uid":"%s"},"src_endpoint":{"ip":"%s"}}'
        % (time_ms, sensor.encode(), ip.encode())
    )


async def read_letters(pipeline: Pipeline) -> list[dead_letter.DeadLetter]:
    topic = pipeline.settings.topic("dead-letters")
    return [
        dead_letter.decode(value) async for value in observe.read_topic(pipeline.settings, topic)
    ]


async def send_compressed(pipeline: Pipeline, codec: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=pipeline.settings.broker, compression_type=codec, linger_ms=0
    )
    await producer.start()
    await producer.send_and_wait(topic, value)
    await producer.stop()


def test_whatever_a_sensor_sends(broker: Broker, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(THREE_COUNTRIES)
    pipeline = Pipeline(broker.bootstrap, "bad.", rules)
    pipeline.create_topics()
    tokyo, sydney = pipeline.topic_of["groucho-tokyo"], pipeline.topic_of["groucho-sydney"]
    eu = pipeline.topic_of["groucho-eu"]
    bad = {
        b"": "not-json",
        b"\xff\xfe\x00": "not-json",
        b"{": "not-json",
        b"5": "schema",
        b'{"time":"noon","metadata":{"uid":"u"},"device":{"uid":"groucho-tokyo"}}': "schema",
        b'{"x":' * 500 + b"1" + b"}" * 500: "too-deep",
        b'{"x":"' + b"y" * 300_000 + b'"}': "too-large",
        event("nobody"): "unknown-sensor",
        event("groucho-sydney"): "foreign-sensor",
        event("groucho-tokyo", 4_000_000_000_000): "from-the-future",
    }
    port = free_port()
    with (
        pipeline.worker("--stage", "intake", metrics_port=port),
        pipeline.worker("--stage", "correlate"),
    ):
        pipeline.produce((tokyo, message) for message in bad)
        pipeline.produce([(tokyo, b"[" + event("groucho-tokyo") + b"," + event("nobody") + b"]")])
        pipeline.produce([(sydney, event("groucho-sydney") + b"\n" + event("groucho-sydney"))])
        pipeline.produce([(eu, event("groucho-eu", ip="10.0.0.1")), (eu, event("groucho-eu"))])
        asyncio.run(send_compressed(pipeline, "gzip", eu, event("groucho-eu")))
        if broker.kind == "kafka":
            for codec in ("zstd", "lz4", "snappy"):
                asyncio.run(send_compressed(pipeline, codec, eu, event("groucho-eu")))
        pipeline.caught_up()
        seen = observe.metrics(port)
    letters = asyncio.run(read_letters(pipeline))
    assert sorted((letter.raw, str(letter.reason)) for letter in letters) == sorted(
        [*bad.items(), (event("nobody"), "unknown-sensor")]
    )
    assert {letter.topic for letter in letters} == {tokyo}
    assert len({(letter.partition, letter.offset, letter.index) for letter in letters}) == len(
        letters
    )
    rejected = seen["sightline_events_rejected_total"]
    assert rejected == len(bad) + 1
    assert seen['sightline_events_rejected_total{reason="foreign-sensor"}'] == 1
    assert seen["sightline_events_without_indicators_total"] == 1
    assert seen["sightline_events_received_total"] == (
        rejected
        + seen["sightline_events_correlated_total"]
        + seen["sightline_events_without_indicators_total"]
        + seen["sightline_events_late_total"]
    )
    ((_, kind, value, first, last, countries, organisations),) = pipeline.alerts()
    assert (kind, value, first, last) == ("ip", "198.41.0.4", NOON, NOON)
    assert countries == ("AU", "IE", "JP")
    assert organisations == ("groucho-au", "groucho-ie", "groucho-jp")


def test_a_small_batch_that_unpacks_to_much_ends_nobody(broker: Broker, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(THREE_COUNTRIES)
    pipeline = Pipeline(broker.bootstrap, "bomb.", rules)
    pipeline.create_topics()
    tokyo = pipeline.topic_of["groucho-tokyo"]
    codecs = ("gzip", "zstd") if broker.kind == "kafka" else ("gzip",)

    async def send() -> None:
        for codec in codecs:
            producer = AIOKafkaProducer(
                bootstrap_servers=pipeline.settings.broker,
                compression_type=codec,
                max_request_size=1 << 28,
                max_batch_size=1 << 28,
            )
            await producer.start()
            await producer.send_and_wait(tokyo, bytes(MAX_BATCH_BYTES + 1), partition=0)
            await producer.send_and_wait(tokyo, event("groucho-tokyo"), partition=0)
            await producer.stop()

    port = free_port()
    with pipeline.worker(metrics_port=port):
        asyncio.run(send())
        pipeline.caught_up()
        seen = observe.metrics(port)
    letters = asyncio.run(read_letters(pipeline))
    assert [(letter.reason, letter.raw) for letter in letters] == [("too-large", b"")] * len(codecs)
    assert all("a batch of 1 messages" in letter.detail for letter in letters)
    assert seen['sightline_events_rejected_total{reason="too-large"}'] == len(codecs)
    assert seen["sightline_events_correlated_total"] == len(codecs)
    assert seen["sightline_events_received_total"] == 2 * len(codecs)
    assert seen["sightline_stage_restarts_total"] == 0
