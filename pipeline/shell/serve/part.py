"""What those are shown who do not see everything: campaigns, each as it is released to them.

Whom some user sees as has a read store of its own, made of the views that `pipeline.share.release`
leaves and of nothing else. Pages, live rows, searches and counts are answered from it as they are
from the whole: what is not in it they cannot tell. It has no alerts, which are counted from what
everybody saw, and no labels, which say who gave them. It is made anew with each start.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from pipeline.campaign import campaign as campaigns
from pipeline.registry import Registry
from pipeline.share.outward import outward
from pipeline.share.release import Recipient
from pipeline.share.terms import Terms
from pipeline.share.views import Standing
from pipeline.shell.serve.following import follow_campaigns
from pipeline.shell.serve.rows import Record, Row
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import Hub


class View(NamedTuple):
    """What somebody is shown, and what tells of its changes."""

    store: Store
    hub: Hub


class Part:
    """One recipient's."""

    def __init__(self, view: View, terms: Terms, recipient: Recipient, delay_ms: int = 0) -> None:
        self.view = view
        self._of = terms, recipient, delay_ms
        self._standing = Standing(*self._of)

    def begin(self) -> None:
        """All of it is heard once more."""
        shown = self._standing.shown
        self._standing = Standing(*self._of)
        self._standing.shown = shown

    def hear(self, row: Row) -> None:
        if row.body is None:
            self._standing.drop(row.id)
        else:
            self._standing.hear(row.campaign, row.revision // 1000, row.revision)

    def look(self, now_ms: int) -> list[Row]:
        """Put into its store what is to be shown now; the rows that changed."""
        changed, gone = self._standing.look(now_ms)
        records = [
            Record("campaigns", one.id.encode(), campaigns.encode(outward(one)), now_ms)
            for one in changed
        ]
        records += [Record("campaigns", name.encode(), None, now_ms) for name in gone]
        return self.view.store.apply(records, {}) if records else []


class Parts:
    """All of them, by whom they are of."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self.views = {name: part.view for name, part in parts.items()}

    def begin(self) -> None:
        for one in self._parts.values():
            one.begin()

    def hear(self, row: Row) -> None:
        for one in self._parts.values():
            one.hear(row)

    async def keep(self, read: Store) -> None:
        """For ever: what is new in the read store of the whole."""
        loop = asyncio.get_running_loop()

        def look(now_ms: int) -> None:
            for one in self._parts.values():
                loop.call_soon_threadsafe(one.view.hub.changed, one.look(now_ms))

        await follow_campaigns(read, self.hear, look, self.begin)


def folder_of(store: str) -> Path:
    """Where they lie, of a read store of the whole in `store`."""
    return Path(f"{store}.parts")


@contextmanager
def parts(
    store: str, registry: Registry, exercise: str, shown_to: Iterable[tuple[str, Recipient, int]]
) -> Iterator[Parts]:
    """For each a name, who it is, and how much later it may know, ms."""
    folder = folder_of(store)
    sectors = {of.id: of.sector for of in registry.organisations if of.sector}
    shutil.rmtree(folder, ignore_errors=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = {}
        for name, recipient, delay_ms in shown_to:
            path = folder / f"{sha256(name.encode()).hexdigest()[:32]}.sqlite"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            of = Store(path, sectors, exercise=exercise)
            stack.callback(of.close)
            made[name] = Part(View(of, Hub(of)), registry.terms, recipient, delay_ms)
        yield Parts(made)
