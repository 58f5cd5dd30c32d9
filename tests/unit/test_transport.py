"""The ground that the batch transport stands on, and what it does on it."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.shell import transport
from pipeline.shell.transport import BatchConsumer, BatchTransport

# What was read when the overrides were written. Where one of these differs, read Faust's code
# again, see that the override still does what the module says, and only then write the new sum.
READ = {
    "getmany": "4b168d84882a70d6",
    "_new_offset": "1d2c7ea89a7ad4f1",
    "_add_gap": "4df2573ded7c1c2c",
    "ack": "5fcf41cf45153475",
    "force_commit": "cc094614d22c70fb",
    "on_partitions_assigned": "29ce96596f05a18c",
    "on_partitions_revoked": "d04b7ae72c6fc206",
    "_drain_messages": "44a2500309e83c63",
    "_wait_next_records": "6218e1969a636b3f",
    "commit": "a354437baaa08bf8",
    "_should_commit": "5ce941793947ad42",
    "wait_empty": "e4662fe24f094819",
}
A, B = TP("events", 0), TP("events", 1)


def digest(name: str) -> str:
    source = inspect.getsource(getattr(Consumer, name))
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def test_faust_is_the_version_that_was_read() -> None:
    assert faust.__version__.split(".")[:2] == ["0", "15"]


@pytest.mark.parametrize("name", READ)
def test_what_is_overridden_or_relied_on_is_as_it_was_read(name: str) -> None:
    assert digest(name) == READ[name]


@pytest.mark.parametrize("name", [n for n in READ if n in vars(BatchConsumer)])
def test_overrides_take_what_faust_gives(name: str) -> None:
    theirs = inspect.signature(getattr(driver.Consumer, name)).parameters
    ours = inspect.signature(getattr(BatchConsumer, name)).parameters
    assert list(ours) == list(theirs)


class Recording(BatchConsumer):
    """The consumer without a broker: what it would commit is noted."""

    def __init__(self) -> None:
        self._done = {}
        self._committed_offset = dict.fromkeys((A, B))
        self._unacked_messages: set[Any] = set()
        self._waiting_for_ack = None
        self.before_commit = None
        self._giving_up = asyncio.Event()
        self.ends = 100
        self._caught_up_at = {}
        self.app = SimpleNamespace(conf=SimpleNamespace(id="x.sightline-intake"))
        self.commits: list[dict[TP, int]] = []
        self.fails = False

    def assignment(self) -> set[TP]:
        return {A, B}

    def highwater(self, tp: TP) -> int:
        return self.ends

    async def _commit(self, offsets: Any) -> bool:
        if self.fails:
            return False
        self.commits.append(dict(offsets))
        return True


AT_MS = 1_800_000_000_000


def batch(last: int) -> list[Any]:
    return [SimpleNamespace(offset=offset, timestamp=AT_MS) for offset in (last - 1, last)]


@pytest.mark.parametrize("during", ["the fetch", "the hand-over"])
async def test_what_was_fetched_in_a_rebalance_is_fetched_again(during: str) -> None:
    """aiokafka has moved on behind what was fetched. If nobody moves it back, and the rebalance's
    own seek was before, the records that are not handed on are lost: they were, one run in many.
    """
    consumer = Recording()
    sought: list[str] = []

    async def fetched(timeout: float) -> Any:
        consumer.flow_active = during != "the fetch"
        return {A: batch(9), B: batch(5)}, {A, B}

    async def perform_seek() -> None:
        sought.append("committed")

    consumer.app = SimpleNamespace(consumer_generation_id=1)
    consumer.flow_active = True
    consumer._stopped = SimpleNamespace(is_set=lambda: False)
    consumer._crashed = SimpleNamespace(is_set=lambda: False)
    consumer._wait_next_records = fetched
    consumer.__dict__["perform_seek"] = perform_seek
    consumer.__dict__["_batch_message"] = lambda tp, batch: (tp, batch[-1].offset)
    handed: list[TP] = []
    async for tp, _ in consumer.getmany(1.0):
        handed.append(tp)
        if during == "the hand-over":
            consumer.app.consumer_generation_id = 2
    assert handed == ([] if during == "the fetch" else [A])
    assert sought == ["committed"]


async def test_only_what_is_done_is_committed() -> None:
    consumer = Recording()
    assert not await consumer.force_commit()
    consumer.done(A, batch(9))
    assert await consumer.force_commit()
    assert consumer.commits == [{A: 10}]
    assert not await consumer.force_commit()
    assert consumer.commits == [{A: 10}]


async def test_nothing_is_committed_before_it_is_durable() -> None:
    consumer = Recording()
    consumer.done(A, batch(9))

    async def no() -> bool:
        consumer.done(A, batch(19))  # done meanwhile: not part of what was made durable
        return False

    async def yes() -> bool:
        consumer.done(A, batch(29))
        return True

    consumer.before_commit = no
    assert not await consumer.force_commit()
    assert consumer.commits == []
    consumer.before_commit = yes
    assert await consumer.force_commit()
    assert consumer.commits == [{A: 20}]


async def test_what_is_forgotten_is_not_committed() -> None:
    consumer = Recording()
    consumer.done(A, batch(9))
    consumer.forget(A)
    consumer.forget(B)
    assert not await consumer.force_commit()
    assert consumer.commits == []


async def test_a_commit_that_failed_is_not_noted_as_committed() -> None:
    consumer = Recording()
    consumer.done(A, batch(9))
    consumer.fails = True
    assert not await consumer.force_commit()
    consumer.fails = False
    assert await consumer.force_commit()
    assert consumer.commits == [{A: 10}]


async def test_only_the_topics_asked_for() -> None:
    consumer = Recording()
    consumer.done(A, batch(9))
    consumer.done(B, batch(5))
    assert await consumer.force_commit({B})
    assert consumer.commits == [{B: 6}]


async def test_nobody_waits_for_work_on_what_is_to_be_given_up() -> None:
    consumer = Recording()
    ends = asyncio.Event()

    async def work() -> str:
        await ends.wait()
        return "done"

    waiting = asyncio.ensure_future(consumer.unless_given_up(work()))
    await asyncio.sleep(0)
    assert not waiting.done()
    consumer._giving_up.set()
    assert await waiting is None
    consumer._giving_up.clear()
    ends.set()
    assert await consumer.unless_given_up(work()) == "done"


async def test_what_fails_fails_for_who_waits_for_it() -> None:
    async def work() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Recording().unless_given_up(work())


def test_an_ack_ends_the_waiting_and_commits_nothing() -> None:
    consumer = Recording()

    class Message:
        acked, tp, offset = False, A, 9

    message = Message()
    consumer._unacked_messages.add(message)
    assert consumer.ack(message)
    assert not consumer.ack(message)
    assert not consumer._unacked_messages
    assert consumer._new_offset(A) is None


def test_lag_counts_what_is_not_done() -> None:
    consumer = Recording()
    assert consumer.lag(A) == 100
    consumer._committed_offset[A] = 40
    assert consumer.lag(A) == 60
    consumer.done(A, batch(89))
    assert consumer.lag(A) == 10


def test_what_is_not_done_waits_since_what_was_done_came(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Recording()
    now = AT_MS / 1000 + 5
    monkeypatch.setattr(transport, "time", lambda: now)
    assert consumer.waited(A) == 0  # nothing is known of it yet
    now += 7
    assert consumer.waited(A) == 7
    consumer.done(A, batch(89))
    assert consumer.waited(A) == 12
    consumer.done(A, batch(99))
    now += 3600
    assert consumer.waited(A) == 0  # at its end, be that long ago
    consumer.ends = 101
    now += 1
    assert consumer.waited(A) == 1


def test_the_transport_is_aiokafkas_with_our_consumer() -> None:
    assert issubclass(BatchTransport, driver.Transport)
    assert BatchTransport.Consumer is BatchConsumer


def test_the_partitions_of_a_topic_are_known_to_every_member() -> None:
    """Only the leader of the group has what Faust asks. Without it no source is expected, and to a
    correlator that was just started time stands still."""
    consumer = Recording()
    consumer._thread = SimpleNamespace(_consumer=None)
    assert consumer.topic_partitions("events") is None
    coordinator = SimpleNamespace(_metadata_snapshot={})
    known = {"events": {0, 1, 2}}
    consumer._thread._consumer = SimpleNamespace(
        _coordinator=coordinator, partitions_for_topic=known.get
    )
    assert consumer.topic_partitions("events") == 3
    assert consumer.topic_partitions("other") is None


def test_a_member_with_a_name_leaves_only_when_it_is_told_to() -> None:
    """aiokafka sends no farewell for one: its partitions would be kept for it for the session."""
    consumer = Recording()
    consumer._thread = SimpleNamespace(_consumer=None)
    consumer.leave_for_good()
    coordinator = SimpleNamespace(_group_instance_id="correlate-1")
    consumer._thread._consumer = SimpleNamespace(_coordinator=coordinator)
    consumer.leave_for_good()
    assert coordinator._group_instance_id is None


async def test_a_heartbeat_is_heard_when_it_was_answered() -> None:
    consumer = Recording()
    answers = iter([True, False])

    class Coordinator:
        async def _do_heartbeat(self) -> bool:
            return next(answers)

    coordinator = Coordinator()
    consumer._thread = SimpleNamespace(_consumer=SimpleNamespace(_coordinator=coordinator))
    consumer._listening_to = None
    consumer._listen()
    consumer._heard_at = 0.0
    assert await coordinator._do_heartbeat()
    heard = consumer._heard_at
    assert heard > 0.0
    assert not await coordinator._do_heartbeat()
    assert consumer._heard_at == heard
    wrapped = coordinator._do_heartbeat
    consumer._listen()
    assert coordinator._do_heartbeat is wrapped
