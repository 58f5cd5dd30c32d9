"""A partition that is given up: nobody waits for what is not sent any more, nothing is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.canary import Canaries
from pipeline.episode import Episode
from pipeline.rule import Level, Rule
from pipeline.shard import Shard
from pipeline.shell.correlating import CorrelateStage
from pipeline.shell.dispatch import Dispatch, Message
from pipeline.shell.keeper import GivenUpError, Keeper
from pipeline.shell.settings import Settings
from pipeline.sight import PROGRESS_KEY, Group, Progress, Sightings, SourceState, encode

RULE = Rule("r", "r", Level.MEDIUM, "ip", 60, "country", 1)
TP0 = TP("sightings", 0)


class Stage:
    """As much of the stage as is asked for; deliveries arrive when `arrives` is set."""

    def __init__(self) -> None:
        self.arrives: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent: list[str] = []
        self.told: list[str] = []
        self.done: list[int] = []
        self.settings = Settings()
        conf = SimpleNamespace(id="sightline-correlate")
        packs = SimpleNamespace(create_batch=Pack, send_batch=self._send_batch)
        producer = SimpleNamespace(send=self._send, _producer=packs)
        self.app = SimpleNamespace(producer=producer, conf=conf)
        self.canaries = Canaries()

    async def _send(self, topic: str, *_: Any) -> asyncio.Future[None]:
        self.sent.append(topic)
        return self.arrives

    async def _send_batch(self, batch: Pack, topic: str, **_: Any) -> asyncio.Future[None]:
        self.sent.append(topic)
        self.told += batch.keys
        return self.arrives

    def tell(self, episodes: Sequence[Episode]) -> list[Message]:
        return [Message(0, episode.value.encode(), b"") for episode in episodes]

    hand: Any = None
    publish_canaries: Any = None


class Pack:
    """As much of a Kafka batch as is asked for."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def append(self, *, key: bytes, **_: Any) -> bool:
        self.keys.append(key.decode())
        return True


def batch(value: str = "1.1.1.1") -> list[Any]:
    group = Group("ip", [value], [10], [10])
    progress = encode(Progress([SourceState("s/0", -1, False)], ["s/0"]))
    sightings = encode(Sightings("s/0", "north", "CZ", 10, 0, [group]))
    return [
        SimpleNamespace(offset=0, key=PROGRESS_KEY, value=progress),
        SimpleNamespace(offset=1, key=None, value=sightings),
    ]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_waits_for_what_is_not_sent_any_more_is_told() -> None:
    stage = Stage()
    dispatch = Dispatch(stage)
    keeper = Keeper(stage, dispatch, TP0, Shard([RULE], 0))
    await keeper.take(batch())
    await turns()
    assert stage.sent == ["checkpoints"]  # the write-ahead, which does not arrive
    checkpoint = asyncio.ensure_future(keeper.checkpoint())
    keeper.give_up()
    closing = asyncio.ensure_future(dispatch.close())
    await turns()
    with pytest.raises(GivenUpError):
        await checkpoint
    assert not closing.done()  # what is on its way has to arrive first
    stage.arrives.set_result(None)
    await closing
    assert stage.sent == ["checkpoints"]


async def test_what_waits_of_several_shards_goes_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    consumer = SimpleNamespace(done=lambda tp, _: stage.done.append(tp.partition))
    monkeypatch.setattr("pipeline.shell.dispatch.consumer_of", lambda _: consumer)
    dispatch = Dispatch(stage)
    for partition in range(3):
        keeper = Keeper(stage, dispatch, TP("sightings", partition), Shard([RULE], 0))
        await keeper.take(batch(f"1.1.1.{partition}"))
    await turns()
    assert stage.sent == ["checkpoints"] * 3  # and nothing more before these are there
    assert stage.done == []
    stage.arrives.set_result(None)
    await turns()
    assert stage.sent[3:] == ["alerts"]
    assert stage.told == ["1.1.1.0", "1.1.1.1", "1.1.1.2"]
    assert stage.done == [0, 1, 2]
    await dispatch.close()


async def test_who_writes_a_checkpoint_waits_for_alerts_before_an_open_gate() -> None:
    stage = Stage()
    dispatch = Dispatch(stage)
    keeper = Keeper(stage, dispatch, TP0, Shard([RULE], 0))
    await keeper.take(batch())
    checkpoint = asyncio.ensure_future(keeper.checkpoint())
    await turns()
    taking = asyncio.ensure_future(keeper.take(batch("1.1.1.2")))
    await turns()
    assert taking.done()
    assert not checkpoint.done()
    keeper.give_up()
    stage.arrives.set_result(None)
    with pytest.raises(GivenUpError):
        await checkpoint
    await dispatch.close()


async def test_offsets_are_forgotten_before_anything_is_waited_for() -> None:
    """A commit in between would find no shard to write a checkpoint of."""
    said: list[object] = []

    class Closing:
        def give_up(self) -> None:
            said.append("given up")

        async def close(self) -> None:
            said.append("close")

    stage = CorrelateStage.__new__(CorrelateStage)
    stage.app = SimpleNamespace()
    stage._sightings = "sightings"
    stage._keepers = {0: Closing()}  # type: ignore[dict-item]
    stage._loading = {}
    stage._dispatch = Closing()  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        consumer = SimpleNamespace(forget=said.append)
        patch.setattr("pipeline.shell.correlating.consumer_of", lambda _: consumer)
        await stage._revoked(stage.app, {TP0})
    assert said == [TP0, "given up", "close"]
    assert stage._keepers == {}
