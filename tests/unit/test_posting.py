"""Letters out on their ways: in turn, gathered, given up; one that kills stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.share.ledger import Entry, Failure, Ledger, State, Way
from pipeline.share.letter import Letter, Told, letter
from pipeline.share.subscriber import Delivery, Mail
from pipeline.shell.notify import posting
from pipeline.shell.notify.mail import Mailbox
from pipeline.shell.notify.posting import Posting
from pipeline.shell.notify.sources import Sources, Ways
from tests.receivers import authority, mail_server
from tests.unit.telling import campaign


def entry(about: str, to: str, *ways: str, at: int = 0) -> Entry:
    view = campaign("cz", id=about)
    return Entry(about, to, about, 1, "", letter(to, at, Told(about, 1, (), view)),
                 {way: Way(at=at) for way in ways})  # fmt: skip


class Sent:
    """A posting's ledger, what it published, and what it said of it."""

    def __init__(self, sources: Sources, *entries: Entry, poison: str = "") -> None:
        self.ledger = Ledger(entries)
        self.published: list[tuple[str, str]] = []
        self.settled: list[tuple[str, str, State, Failure | None]] = []
        self._poison = poison
        self.posting = Posting(sources, self._publish, self._settled, lambda: None)

    async def _publish(self, topic: str, one: Letter) -> None:
        if isinstance(one.body, Told) and one.body.thread == self._poison:
            raise RuntimeError("a bug of ours")
        self.published.append((topic, one.body.thread if isinstance(one.body, Told) else ""))

    async def _settled(self, of: Entry, name: str, way: Way) -> None:
        self.settled.append((of.about, name, way.state, way.why))

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(1_000):
            await self.posting.round(self.ledger)
            if condition():
                break
            await asyncio.sleep(0.005)
        await self.posting.close()
        assert condition()


TOPICS = Sources(ways={name: Ways(f"notify.{name}") for name in ("a", "b")})


async def test_those_of_one_destination_come_in_order_each_once() -> None:
    some = [entry(f"c-{n}", to, "topic", at=n) for n in range(5) for to in ("a", "b")]
    told = Sent(TOPICS, *some)
    await told.until(lambda: len(told.settled) == 10)
    for to in ("a", "b"):
        mine = [thread for topic, thread in told.published if topic == f"notify.{to}"]
        assert mine == [f"c-{n}" for n in range(5)]
    assert {state for _, _, state, _ in told.settled} == {State.DELIVERED}
    assert list(told.ledger.waiting()) == []


async def test_a_letter_that_kills_stops_no_other() -> None:
    told = Sent(TOPICS, entry("bad", "a", "topic"), entry("good", "a", "topic"), poison="bad")
    await told.until(lambda: len(told.settled) == 2)
    assert told.settled == [
        ("bad", "topic", State.FAILED, Failure.BUG),
        ("good", "topic", State.DELIVERED, None),
    ]


async def test_a_way_that_is_no_more_is_given_up() -> None:
    told = Sent(TOPICS, entry("c", "a", "webhook"), entry("c", "gone", "topic"))
    await told.until(lambda: len(told.settled) == 2)
    assert {why for _, _, _, why in told.settled} == {Failure.NOT_ALLOWED}


async def test_too_much_for_one_destination_is_given_up_the_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posting, "MOST_WAITING", 3)
    told = Sent(TOPICS, *(entry(f"c-{n}", "a", "topic", at=n) for n in range(6)))
    await told.until(lambda: len(told.settled) == 6)
    given_up = [about for about, _, state, _ in told.settled if state is State.FAILED]
    assert given_up == ["c-0", "c-1", "c-2"]
    assert [thread for _, thread in told.published] == ["c-3", "c-4", "c-5"]


async def test_a_digest_is_one_mail(tmp_path: Path) -> None:
    by = authority(tmp_path)
    with mail_server(by) as server:
        mail = Mail("localhost", "s@here.example", server.port, ca_file=str(by.ca))
        ways = Ways("feed.soc", mailbox=Mailbox("soc@here.example"), digest_ms=60_000)
        sources = Sources(delivery=Delivery(mail=mail), ways={"soc": ways})
        told = Sent(sources, *(entry(f"c-{n}", "soc", "email", at=n) for n in range(3)))
        await told.until(lambda: len(told.settled) == 3)
        ((_, message, _),) = server.came
        assert message["Subject"].endswith(" and 2 more")


async def test_a_digest_waits_until_it_is_time(tmp_path: Path) -> None:
    ways = Ways("feed.soc", mailbox=Mailbox("soc@here.example"), digest_ms=3_600_000)
    mail = Mail("localhost", "s@here.example", 1)
    told = Sent(Sources(delivery=Delivery(mail=mail), ways={"soc": ways}),
                 entry("c", "soc", "email", at=posting._now_ms()))  # fmt: skip
    await told.posting.round(told.ledger)
    assert told.posting._busy == {}
    await told.posting.close()
