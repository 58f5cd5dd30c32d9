"""Known ways to lose records with Faust, each put back into a copy of our code: a check finds it.

A hazard is a change of the source, a few lines of it. The check holds on the code as it is, and
fails on the changed copy; where the lines are no longer there, the hazard has to be written anew.
The hazards of what is said in which order are in `tests/simulator.py`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from aiokafka.protocol.produce import ProduceRequest
from faust.types import TP

from pipeline.shell import app, transport
from pipeline.shell.in_hand import InHand

A = TP("events", 0)
CONF = SimpleNamespace(id="sightline-intake")
Check = Callable[[ModuleType, Path], Awaitable[None]]


class EndedError(BaseException):
    """Stands for the end of the process."""


def batch(first: int, last: int) -> list[Any]:
    return [
        SimpleNamespace(offset=offset, timestamp=0, timestamp_type=0)
        for offset in range(first, last + 1)
    ]


def consumer_of(module: ModuleType) -> Any:
    """The module's consumer without a broker: what it would commit is noted in `commits`."""

    class Recording(module.BatchConsumer):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self._done: dict[TP, int] = {}
            self._committed_offset = {A: None}
            self._unacked_messages: set[Any] = set()
            self._waiting_for_ack = None
            self.before_commit = None
            self._caught_up_at: dict[TP, float] = {}
            self.app = SimpleNamespace(consumer_generation_id=1, conf=CONF)
            self.commits: list[int] = []
            self.fails = False

        def assignment(self) -> set[TP]:
            return {A}

        async def _commit(self, offsets: Any) -> bool:
            if not self.fails:
                self.commits.append(offsets[A])
            return not self.fails

    return Recording()


# ── checks ──────────────────────────────────────────────────────────────────────────────────────


async def what_is_fetched_and_acked_is_not_done(module: ModuleType, __: Path) -> None:
    consumer = consumer_of(module)
    message = consumer._batch_message(A, batch(0, 9))
    consumer._unacked_messages.add(message)
    await consumer.force_commit()
    consumer.ack(message)
    await consumer.force_commit()
    assert consumer.commits == []


async def a_failed_commit_is_tried_again(module: ModuleType, __: Path) -> None:
    consumer = consumer_of(module)
    consumer.done(A, batch(0, 9))
    consumer.fails = True
    assert not await consumer.force_commit()
    consumer.fails = False
    assert await consumer.force_commit()
    assert consumer.commits == [10]


async def what_is_not_durable_is_not_committed(module: ModuleType, __: Path) -> None:
    consumer = consumer_of(module)
    consumer.done(A, batch(0, 9))

    async def no() -> bool:
        consumer.done(A, batch(10, 19))
        return False

    async def yes() -> bool:
        consumer.done(A, batch(20, 29))
        return True

    consumer.before_commit = no
    await consumer.force_commit()
    consumer.before_commit = yes
    await consumer.force_commit()
    assert consumer.commits == [20]


class Serving:
    """An app that serves one batch, and what became of it."""

    def __init__(self, module: ModuleType, folder: Path) -> None:
        self.consumer = consumer_of(transport)
        self.conf = SimpleNamespace(datadir=folder)
        self._module = module
        self._agents: list[Any] = []

    def topic(self, *names: str) -> None: ...

    def agent(self, *_: Any, **__: Any) -> Callable[[Any], None]:
        return self._agents.append

    async def serve(self, stage: Any) -> None:
        async def events() -> Any:
            yield SimpleNamespace(message=SimpleNamespace(tp=A, value=batch(0, 9)))

        self._module.serve(self, ["events"], stage, "intake")
        await self._agents[0](SimpleNamespace(events=events))


async def a_bug_ends_the_process_before_its_batch_is_done(module: ModuleType, path: Path) -> None:
    serving = Serving(module, path)

    class Stage:
        async def handle(self, tp: TP, batch: Any) -> None:
            raise RuntimeError("a bug")

    def crash(what: str) -> None:
        raise EndedError

    vars(module).update(crash=crash, consumer_of=lambda app: app.consumer)
    ended = False
    try:
        await serving.serve(Stage())
    except EndedError:
        ended = True
    await serving.consumer.force_commit()
    assert ended
    assert serving.consumer.commits == []
    assert InHand(path).deaths(A, batch(0, 9)) == 1


async def everybody_waits_for_every_delivery(module: ModuleType, __: Path) -> None:
    arrives: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def send(*_: Any) -> asyncio.Future[None]:
        return arrives

    outbox = module.Outbox(SimpleNamespace(producer=SimpleNamespace(send=send), conf=CONF))
    await outbox.send("sightings", None, b"")
    waiting = [asyncio.ensure_future(outbox.delivered()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # who no longer waits takes nothing from who does
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting[1].done()
    assert not arrives.cancelled()
    arrives.set_exception(RuntimeError("refused"))
    with pytest.raises(RuntimeError):
        await waiting[1]


async def a_request_is_checked_when_it_is_written(module: ModuleType, __: Path) -> None:
    written: list[Any] = []

    async def send(node: int, request: Any, **_: Any) -> None:
        written.append(request)

    client = SimpleNamespace(send=send)
    producer = SimpleNamespace(_producer=SimpleNamespace(client=client))

    def check() -> None:
        raise EndedError

    for _ in range(2):
        module.before_each_produce(SimpleNamespace(producer=producer), check)
    await client.send(0, "metadata")
    ended = False
    try:
        await client.send(0, ProduceRequest.__new__(ProduceRequest))
    except EndedError:
        ended = True
    assert ended
    assert written == ["metadata"]


# ── hazards ─────────────────────────────────────────────────────────────────────────────────────


class Hazard(NamedTuple):
    module: ModuleType
    ours: str
    theirs: str
    check: Check


HAZARDS = {
    "done in a finally": Hazard(
        app,
        """\
                await stage.handle(tp, batch)
""",
        """\
                try:
                    await stage.handle(tp, batch)
                finally:
                    consumer_of(app).done(tp, batch)
""",
        a_bug_ends_the_process_before_its_batch_is_done,
    ),
    "an agent goes on after a bug": Hazard(
        app,
        'crash(f"{name}: a batch of {tp} failed")',
        "continue",
        a_bug_ends_the_process_before_its_batch_is_done,
    ),
    "an ack is done": Hazard(
        transport,
        "        message.acked = True\n",
        "        message.acked = True\n        self._done[message.tp] = message.offset + 1\n",
        what_is_fetched_and_acked_is_not_done,
    ),
    "a commit past an unacked head": Hazard(
        transport,
        "        last = batch[-1]\n",
        "        last = batch[-1]\n        self._done[tp] = last.offset + 1\n",
        what_is_fetched_and_acked_is_not_done,
    ),
    "a failed commit noted as done": Hazard(
        transport,
        "not await self._commit(noted)",
        "await self._commit(noted) is None",
        a_failed_commit_is_tried_again,
    ),
    "what it led to is not made durable first": Hazard(
        transport,
        "not await self.before_commit()",
        "await self.before_commit() is None",
        what_is_not_durable_is_not_committed,
    ),
    "what was done meanwhile is committed with it": Hazard(
        transport,
        "        assigned = self.assignment()\n        noted = {tp: offset for tp, offset in noted.items() if tp in assigned}\n",
        "        noted = dict(self._done)\n",
        what_is_not_durable_is_not_committed,
    ),
    "an unawaited delivery": Hazard(
        app,
        "            arrived, _ = await asyncio.wait(waiting)\n            for one in arrived:\n                one.result()\n",
        "            arrived = set(waiting)\n",
        everybody_waits_for_every_delivery,
    ),
    "a delivery that failed is not noticed": Hazard(
        app,
        "                one.result()\n",
        "                pass\n",
        everybody_waits_for_every_delivery,
    ),
    "only the first to ask waits for a delivery": Hazard(
        app,
        "waiting = list(self._waiting)",
        "waiting, self._waiting = self._waiting, []",
        everybody_waits_for_every_delivery,
    ),
    "who stops waiting cancels the delivery": Hazard(
        app,
        "            arrived, _ = await asyncio.wait(waiting)\n",
        "            await asyncio.gather(*waiting)\n            arrived = set(waiting)\n",
        everybody_waits_for_every_delivery,
    ),
    "asked only when it is handed to the producer": Hazard(
        app,
        "            check()\n",
        "            pass\n",
        a_request_is_checked_when_it_is_written,
    ),
}


def copy_of(module: ModuleType, ours: str = "", theirs: str = "") -> ModuleType:
    source = inspect.getsource(module)
    assert source.count(ours) == 1 or not ours, f"{module.__name__} no longer says {ours!r}"
    copied = ModuleType(module.__name__)
    code = compile(source.replace(ours, theirs) if ours else source, module.__file__ or "", "exec")
    exec(code, vars(copied))  # noqa: S102 - our own source
    return copied


@pytest.mark.parametrize("name", HAZARDS)
async def test_the_code_is_without_it(name: str, tmp_path: Path) -> None:
    hazard = HAZARDS[name]
    await hazard.check(copy_of(hazard.module), tmp_path)


@pytest.mark.parametrize("name", HAZARDS)
async def test_put_back_it_is_found(name: str, tmp_path: Path) -> None:
    hazard = HAZARDS[name]
    with pytest.raises((AssertionError, pytest.fail.Exception, asyncio.CancelledError)):
        await hazard.check(copy_of(hazard.module, hazard.ours, hazard.theirs), tmp_path)
