"""TAXII 2.1's endpoints. Nothing is written here: intelligence comes in by `sightline intel`.

/taxii2/                                              discovery
/taxii2/<root>/                                       the API root
/taxii2/<root>/status/<id>/                           of what was written: nothing ever is
/taxii2/<root>/collections/                           those that whoever asks may read
/taxii2/<root>/collections/<id>/                      one of them; any other is not found
/taxii2/<root>/collections/<id>/manifest/             what is in it
/taxii2/<root>/collections/<id>/objects/              the objects
/taxii2/<root>/collections/<id>/objects/<id>/         one of them
/taxii2/<root>/collections/<id>/objects/<id>/versions/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.shell.taxii.query import (
    MEDIA_TYPE,
    BadQueryError,
    Query,
    acceptable,
    query_of,
    timestamp,
)
from pipeline.shell.taxii.store import Page, TaxiiStore, manifest_record

MAX_CONTENT_LENGTH = 1
"""Nothing may be written; TAXII wants a number from 1."""


class Collection(Struct, frozen=True):
    """What a client may read. `id` is a UUID."""

    id: str
    title: str
    description: str


class Root(Struct, frozen=True):
    """An API root; `name` is its part of the URL."""

    name: str = "sightline"
    title: str = "Sightline"
    description: str = "Campaigns seen in several countries"


Readable = Callable[[Request], Sequence[Collection] | None]
"""Which collections whoever sends a request may read; None: it is not known who that is."""


class _RefusedError(Exception):
    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status


def routes(store: TaxiiStore, readable: Readable, root: Root | None = None) -> list[Route]:
    """The endpoints, for an application to mount."""
    here = root or Root()
    server = _Server(store, readable, here)
    collection = f"/taxii2/{here.name}/collections/{{collection}}/"
    reading: list[tuple[str, _Handler]] = [
        ("/taxii2/", server.discovery),
        (f"/taxii2/{here.name}/", server.api_root),
        (f"/taxii2/{here.name}/status/{{status}}/", server.status),
        (f"/taxii2/{here.name}/collections/", server.collections),
        (collection, server.collection),
        (f"{collection}manifest/", server.manifest),
        (f"{collection}objects/", server.objects),
        (f"{collection}objects/{{object}}/", server.object),
        (f"{collection}objects/{{object}}/versions/", server.versions),
    ]
    writing = [
        Route(f"{collection}objects/", _answering(server.refuse), methods=["POST"]),
        Route(f"{collection}objects/{{object}}/", _answering(server.refuse), methods=["DELETE"]),
    ]
    return [Route(path, _answering(handler)) for path, handler in reading] + writing


_Handler = Callable[[Request, Sequence[Collection]], Response]


class _Server:
    def __init__(self, store: TaxiiStore, readable: Readable, root: Root) -> None:
        self._store = store
        self.readable = readable
        self._root = root

    def discovery(self, request: Request, _: Sequence[Collection]) -> Response:
        at = f"{request.scope.get('root_path', '')}/taxii2/{self._root.name}/"
        return _json({"title": self._root.title, "description": self._root.description,
                      "default": at, "api_roots": [at]})  # fmt: skip

    def api_root(self, _request: Request, _: Sequence[Collection]) -> Response:
        return _json({"title": self._root.title, "description": self._root.description,
                      "versions": [MEDIA_TYPE],
                      "max_content_length": MAX_CONTENT_LENGTH})  # fmt: skip

    def status(self, _request: Request, _: Sequence[Collection]) -> Response:
        raise _RefusedError(404, "there is no such status: nothing is written here")

    def collections(self, _request: Request, readable: Sequence[Collection]) -> Response:
        return _json({"collections": [_described(one) for one in readable]} if readable else {})

    def collection(self, request: Request, readable: Sequence[Collection]) -> Response:
        return _json(_described(_asked(request, readable)))

    def manifest(self, request: Request, readable: Sequence[Collection]) -> Response:
        page = self._page(request, readable, query_of(request.query_params.multi_items()))
        rows = [msgspec.json.encode(manifest_record(row)) for row in page.rows]
        return _envelope(page, "objects", rows)

    def objects(self, request: Request, readable: Sequence[Collection]) -> Response:
        page = self._page(request, readable, query_of(request.query_params.multi_items()))
        return _envelope(page, "objects", [row.object for row in page.rows])

    def object(self, request: Request, readable: Sequence[Collection]) -> Response:
        page = self._of_one(request, readable)
        return _envelope(page, "objects", [row.object for row in page.rows])

    def versions(self, request: Request, readable: Sequence[Collection]) -> Response:
        page = self._of_one(request, readable, which=("all",), versions=())
        rows = [msgspec.json.encode(timestamp(row.version)) for row in page.rows]
        return _envelope(page, "versions", rows)

    def refuse(self, request: Request, readable: Sequence[Collection]) -> Response:
        _asked(request, readable)
        raise _RefusedError(403, "nothing is written here: intelligence comes in by another way")

    def _of_one(self, request: Request, readable: Sequence[Collection], **fixed: Any) -> Page:
        identity = request.path_params["object"]
        query = query_of(request.query_params.multi_items())
        query = msgspec.structs.replace(query, ids=(identity,), types=(), **fixed)
        page = self._page(request, readable, query)
        if not page.rows and not self._store.has(_asked(request, readable).id, identity):
            raise _RefusedError(404, "there is no such object")
        return page

    def _page(self, request: Request, readable: Sequence[Collection], query: Query) -> Page:
        return self._store.page(_asked(request, readable).id, query)


def _asked(request: Request, readable: Sequence[Collection]) -> Collection:
    """The collection in the URL. Of one that is another's nobody learns that it is there."""
    identity = request.path_params["collection"].lower()
    for one in readable:
        if one.id == identity:
            return one
    raise _RefusedError(404, "there is no such collection")


def _described(one: Collection) -> dict[str, Any]:
    return {"id": one.id, "title": one.title, "description": one.description, "can_read": True,
            "can_write": False, "media_types": ["application/stix+json;version=2.1"]}  # fmt: skip


def _answering(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    server: _Server = handler.__self__  # type: ignore[attr-defined]

    def answer(request: Request) -> Response:
        readable = server.readable(request)
        if readable is None:
            return _refused(401, "say who you are")
        if not acceptable(request.headers.get("accept", "")):
            return _refused(406, f"there is only {MEDIA_TYPE}")
        try:
            return handler(request, readable)
        except BadQueryError as error:
            return _refused(400, str(error))
        except _RefusedError as error:
            return _refused(error.status, str(error))

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(answer, request)

    return endpoint


def _refused(status: int, title: str) -> Response:
    answer = _json({"title": title, "http_status": str(status)}, status)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="sightline", charset="UTF-8"'
    return answer


def _envelope(page: Page, name: str, rows: Sequence[bytes]) -> Response:
    """The rows are JSON: they are put in as they are."""
    fields = [b'"more":' + (b"true" if page.next else b"false")]
    if page.next:
        fields.append(b'"next":' + msgspec.json.encode(page.next))
    headers = {}
    if rows:
        fields.append(b'"%b":[%b]' % (name.encode(), b",".join(rows)))
        headers["X-TAXII-Date-Added-First"] = timestamp(page.rows[0].added)
        headers["X-TAXII-Date-Added-Last"] = timestamp(page.rows[-1].added)
    return _response(b"{%b}" % b",".join(fields), 200, headers)


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return _response(msgspec.json.encode(body), status, {})


def _response(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    return Response(
        body,
        status,
        headers={
            **headers,
            "Content-Type": MEDIA_TYPE,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
