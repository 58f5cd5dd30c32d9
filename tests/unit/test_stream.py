"""A viewer is a revision: who is slow is told the newest once, and holds nothing in the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path

import msgspec
import pytest

from pipeline.shell.serve import stream
from pipeline.shell.serve.rows import Kind, Record
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import ROWS_A_PIECE, Hub
from tests.unit import told


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "TICK_S", 1e-6)


def change(store: Store, hub: Hub, *records: Record) -> None:
    hub.changed(store.apply(records, {}))


def an_alert(number: int, *countries: str) -> Record:
    return told.record(told.alert(f"a{number}", f"198.18.0.{number}", countries=countries))


class Viewer:
    def __init__(self, hub: Hub, after: int = 0) -> None:
        self.pieces = hub.pieces("alerts", after)
        self.known: dict[str, list[str] | None] = {}
        self.last = 0
        self.rows = 0

    async def take(self) -> None:
        """One piece."""
        piece = (await anext(self.pieces)).decode()
        identity, event, data, *_ = piece.split("\n")
        assert event == "event: rows"
        self.last = int(identity.removeprefix("id: "))
        for row in msgspec.json.decode(data.removeprefix("data: ")):
            self.rows += 1
            self.known[row["id"]] = None if row.get("gone") else row["countries"]

    async def take_until(self, revision: int) -> None:
        while self.last < revision:
            await self.take()


async def closed(*viewers: Viewer) -> None:
    for one in viewers:
        async with aclosing(one.pieces):  # type: ignore[type-var]
            pass


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Store, Hub]]:
    with closing(Store(tmp_path / "s.sqlite")) as store:
        yield store, Hub(store)


async def test_a_slow_viewer_is_told_the_newest_once(desk: tuple[Store, Hub]) -> None:
    store, hub = desk
    fast, slow = Viewer(hub), Viewer(hub)
    change(store, hub, an_alert(1, "CZ"))
    await fast.take()
    await slow.take()
    for turn in range(200):
        change(store, hub, *(an_alert(n, f"{chr(65 + turn % 26)}A") for n in (1, 2, 3)))
        await fast.take_until(store.revision)
    await slow.take_until(store.revision)
    assert slow.known == fast.known
    assert fast.rows == 1 + 200 * 3
    assert slow.rows == 1 + 3
    assert len(hub._pieces) <= stream._KEPT
    await closed(fast, slow)


async def test_those_who_keep_up_share_what_is_encoded(
    desk: tuple[Store, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, hub = desk
    encoded = 0
    encode = hub._encode

    def counted(kind: Kind, after: int) -> stream.Piece:
        nonlocal encoded
        encoded += 1
        return encode(kind, after)

    monkeypatch.setattr(hub, "_encode", counted)
    viewers = [Viewer(hub) for _ in range(20)]
    for turn in range(5):
        change(store, hub, an_alert(turn, "CZ"))
        for one in viewers:
            await one.take()
    assert encoded == 5
    await closed(*viewers)


async def test_who_comes_again_misses_nothing_and_hears_what_is_gone(
    desk: tuple[Store, Hub],
) -> None:
    store, hub = desk
    first = Viewer(hub)
    change(store, hub, an_alert(1, "CZ"), an_alert(2, "CZ"), an_alert(3, "CZ"))
    await first.take()
    await closed(first)
    change(store, hub, Record("alerts", b"a1", None, told.NOON), an_alert(2, "KE"))
    again = Viewer(Hub(store), first.last)  # the server was started again meanwhile
    await again.take_until(store.revision)
    assert first.known | again.known == {"a1": None, "a2": ["KE"], "a3": ["CZ"]}
    await closed(again)


async def test_a_piece_is_bounded(desk: tuple[Store, Hub]) -> None:
    store, hub = desk
    change(store, hub, *(an_alert(n, "CZ") for n in range(2 * ROWS_A_PIECE + 1)))
    viewer = Viewer(hub)
    sizes = []
    while viewer.last < store.revision:
        before = viewer.rows
        await viewer.take()
        sizes.append(viewer.rows - before)
    assert sizes == [ROWS_A_PIECE, ROWS_A_PIECE, 1]
    await closed(viewer)
