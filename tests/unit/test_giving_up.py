"""A partition that is given up: nobody waits for what is not sent any more, nothing is on its way."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.canary import Canaries
from pipeline.rule import Level, Rule
from pipeline.shard import Shard
from pipeline.shell.correlating import CorrelateStage
from pipeline.shell.keeper import GivenUpError, Keeper
from pipeline.shell.settings import Settings
from pipeline.sight import PROGRESS_KEY, Group, Progress, Sightings, SourceState, encode

RULE = Rule("r", "r", Level.MEDIUM, "ip", 60, "country", 1)
TP0 = TP("sightings", 0)


class Stage:
    """As much of the stage as a keeper asks for; deliveries arrive when `arrives` is set."""

    def __init__(self) -> None:
        self.arrives: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent: list[str] = []
        self.settings = Settings()
        conf = SimpleNamespace(id="sightline-correlate")
        self.app = SimpleNamespace(producer=SimpleNamespace(send=self._send), conf=conf)
        self.canaries = Canaries()

    async def _send(self, topic: str, *_: Any) -> asyncio.Future[None]:
        self.sent.append(topic)
        return self.arrives

    publish: Any = None


def batch() -> list[Any]:
    group = Group("ip", ["1.1.1.1"], [10], [10])
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
    keeper = Keeper(stage, 0, Shard([RULE], 0))  # type: ignore[arg-type]
    await keeper.take(TP0, batch())
    await turns()
    assert stage.sent == ["checkpoints"]  # the write-ahead, which does not arrive
    checkpoint = asyncio.ensure_future(keeper.checkpoint())
    closing = asyncio.ensure_future(keeper.close())
    await turns()
    with pytest.raises(GivenUpError):
        await checkpoint
    assert not closing.done()  # what is on its way has to arrive first
    stage.arrives.set_result(None)
    await closing
    assert stage.sent == ["checkpoints"]


async def test_offsets_are_forgotten_before_anything_is_waited_for() -> None:
    """A commit in between would find no shard to write a checkpoint of."""
    said: list[object] = []

    class Closing:
        async def close(self) -> None:
            said.append("close")

    stage = CorrelateStage.__new__(CorrelateStage)
    stage.app = SimpleNamespace()
    stage._sightings = "sightings"
    stage._keepers = {0: Closing()}  # type: ignore[dict-item]
    stage._loading = {}
    with pytest.MonkeyPatch.context() as patch:
        consumer = SimpleNamespace(forget=said.append)
        patch.setattr("pipeline.shell.correlating.consumer_of", lambda _: consumer)
        await stage._revoked(stage.app, {TP0})
    assert said == [TP0, "close"]
    assert stage._keepers == {}
