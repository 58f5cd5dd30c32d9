"""Live updates: server-sent events, straight from the read store.

A viewer has no queue: it has a revision that it has seen, and is sent what the store says has
changed since, as fast as it takes it. One that is slow, or was away, is sent each row's newest
revision once; it costs the server no more than the piece that is on its way. Viewers who are at the
same revision, as all are who keep up, share what is encoded.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import msgspec
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.shell.serve.rows import Kind, Row
from pipeline.shell.serve.store import Store
from pipeline.view import line
from pipeline.view.line import Gone, Line

MOST_VIEWERS = 500
ROWS_A_PIECE = 250
"""So that one piece is some 200 KB at most."""
TICK_S = 0.25
"""What changes within it travels together."""
SEND_WITHIN_S = 30.0
"""Who does not take a piece in that time is let go, and may come again."""
_KEPT = 64  # pieces that viewers share, some 13 MB
_PING_S = 10


def line_of(row: Row) -> Line | Gone:
    """What a queue shows of a row."""
    if row.body is None:
        return Gone(row.id, row.kind, row.revision)
    if row.kind == "alerts":
        return line.of_alert(row.alert, row.facets, row.revision, row.label)
    return line.of_campaign(row.campaign, row.facets, row.revision, row.label)


class Piece(NamedTuple):
    """An event with rows, the last one's revision, and whether more may follow at once."""

    data: bytes
    last: int
    full: bool


class Hub:
    """Wakes viewers, and encodes for them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pieces: OrderedDict[tuple[Kind, int], asyncio.Task[Piece]] = OrderedDict()
        self._changed: dict[Kind, asyncio.Event] = {
            "alerts": asyncio.Event(),
            "campaigns": asyncio.Event(),
        }
        self._newest: dict[Kind, int] = {"alerts": 0, "campaigns": 0}
        self._told = 0.0
        self.viewers = 0

    def changed(self, rows: Sequence[Row]) -> None:
        """Tell viewers that there is something new; called with what the store has just kept."""
        for row in rows:
            self._newest[row.kind] = max(self._newest[row.kind], row.revision)
        for kind in {row.kind for row in rows}:
            woken, self._changed[kind] = self._changed[kind], asyncio.Event()
            woken.set()

    async def pieces(self, kind: Kind, after: int) -> AsyncIterator[bytes]:
        """Everything that changes after a revision, for ever."""
        while True:
            changed = self._changed[kind]
            piece = await self._piece(kind, after)
            if piece.data:
                yield piece.data
                after = piece.last
            else:
                await changed.wait()
            if piece.full:
                continue  # there is more: who is behind is not held back
            # All who keep up ask at the same time, for the same piece.
            now = asyncio.get_running_loop().time()
            await asyncio.sleep(TICK_S - now % TICK_S)

    async def _piece(self, kind: Kind, after: int) -> Piece:
        if self._newest[kind] and after >= self._newest[kind]:
            return Piece(b"", after, full=False)
        key = kind, after
        task = self._pieces.get(key)
        # One that was encoded stays right: what has changed since comes after it. An empty one not.
        if task is None or (task.done() and (task.exception() or not task.result().data)):
            task = asyncio.create_task(asyncio.to_thread(self._encode, kind, after))
            self._pieces[key] = task
            while len(self._pieces) > _KEPT:
                self._pieces.popitem(last=False)
        return await asyncio.shield(task)

    def _encode(self, kind: Kind, after: int) -> Piece:
        rows = self._store.changes(kind, after, ROWS_A_PIECE)
        if not rows:
            return Piece(b"", after, full=False)
        last = rows[-1].revision
        lines = msgspec.json.encode([line_of(row) for row in rows])
        data = b"id: %d\nevent: rows\ndata: %b\n\n" % (last, lines)
        return Piece(data, last, full=len(rows) == ROWS_A_PIECE)


def routes(hub_of: Callable[[Request], Hub]) -> list[Route]:
    """`hub_of` says who tells whoever asks."""

    async def events(request: Request) -> Response:
        """`?of=campaigns&after=REVISION`; `Last-Event-ID` goes before it."""
        kind = request.query_params.get("of", "campaigns")
        said = request.headers.get("last-event-id") or request.query_params.get("after", "")
        if kind not in ("alerts", "campaigns"):
            raise HTTPException(400, "of: alerts or campaigns")
        if not (said.isdecimal() and len(said) < 20):
            raise HTTPException(400, "after: the revision that was seen last, a number")
        hub = hub_of(request)
        if hub.viewers >= MOST_VIEWERS:
            raise HTTPException(503, "too many viewers", {"Retry-After": "30"})
        return EventSourceResponse(
            _counted(hub, hub.pieces(kind, int(said))),  # type: ignore[arg-type]
            ping=_PING_S,
            ping_message_factory=_ping,
            send_timeout=SEND_WITHIN_S,
        )

    return [Route("/events", events)]


def _ping() -> ServerSentEvent:
    """That the stream lives: a page cannot see comments."""
    return ServerSentEvent(event="ping", data="here")


async def _counted(hub: Hub, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    hub.viewers += 1
    try:
        yield b": here\n\n"
        async for piece in pieces:
            yield piece
    finally:
        hub.viewers -= 1
