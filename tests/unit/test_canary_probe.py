"""A canary that does not come back is lost, and counts against the objective."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaTimeoutError

from pipeline import canary
from pipeline.alert import alert, encode
from pipeline.canary import Canaries, CanaryIntake
from pipeline.geo import Geo
from pipeline.shell import canary_metrics, canary_probe
from pipeline.shell.canary_probe import Probe
from pipeline.shell.settings import Settings, WrongUseError


class Record:
    def __init__(self, value: bytes | None) -> None:
        self.value = value


class Topics:
    """In place of the broker and the workers: what is sent comes back as the alerts of the core."""

    def __init__(self, *, answers: bool = True, refuses: bool = False) -> None:
        self._answers, self._refuses = answers, refuses
        self._messages: list[tuple[bytes, int]] = []
        self.alerts: list[Record] = [Record(None), Record(b"{}")]

    async def send_and_wait(self, topic: str, event: bytes) -> None:
        if self._refuses:
            raise KafkaTimeoutError
        assert topic == "x.canary-events"
        time: int = msgspec.json.decode(event)["time"]
        self._messages.append((event, time))
        if self._answers and len(self._messages) == len(canary.PARTIES):
            read = CanaryIntake("canary-events/0").read(self._messages, 4)
            for episode in Canaries().take([(key, value) for _, key, value in read]):
                self.alerts.append(Record(encode(alert(episode, Geo()))))

    async def __aiter__(self) -> Any:
        for record in self.alerts:
            yield record


def counted() -> tuple[float, float, float]:
    seen = {
        sample.name: sample.value
        for family in canary_metrics.REGISTRY.collect()
        for sample in family.samples
    }
    names = ("canaries_sent_total", "canaries_lost_total", "canary_latency_seconds_count")
    sent, lost, back = (seen[f"sightline_{name}"] for name in names)
    return sent, lost, back


async def flown(topics: Topics) -> tuple[float, float, float]:
    """By how much a flight changes what is counted: sent, lost, back."""
    before = counted()
    probe = Probe(Settings(topic_prefix="x."), topics, topics)
    task = asyncio.ensure_future(probe.fly())
    while not task.done():
        await probe.read()
        await asyncio.sleep(0)
    await task
    after = counted()
    return tuple(second - first for first, second in zip(before, after, strict=True))  # type: ignore[return-value]


async def test_one_that_comes_back() -> None:
    assert await flown(Topics()) == (1, 0, 1)


async def test_one_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary_probe, "LOST_AFTER_S", 0.01)
    assert await flown(Topics(answers=False)) == (1, 1, 0)


async def test_one_that_the_broker_does_not_take() -> None:
    assert await flown(Topics(refuses=True)) == (1, 1, 0)


def test_who_wants_none_is_told() -> None:
    with pytest.raises(WrongUseError, match="canary_interval"):
        canary_probe.run(Settings(canary_interval="0s"))
