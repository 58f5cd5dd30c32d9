"""The HTTP API, in JSON: campaigns and alerts by facets."""

from __future__ import annotations

from typing import get_args

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.shell.serve.rows import KINDS, Kind, Page, Row
from pipeline.shell.serve.site import site_of
from pipeline.shell.serve.store import Order
from pipeline.view.facet import DIMENSIONS, Wanted

_BESIDES = ("q", "order", "after", "limit")


def routes() -> list[Route]:
    return [
        Route("/api/facets/{kind}", facets),
        Route("/api/{kind}", listed),
        Route("/api/{kind}/{identity}", one),
    ]


def json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def listed(request: Request) -> Response:
    """Some rows: `?country=CZ&country=KE&severity=5&q=&order=&after=&limit=`."""
    asked = request.query_params
    wanted, order = wanted_of(request), asked.get("order", "severity")
    if order not in get_args(Order):
        raise HTTPException(400, f"order: one of {', '.join(get_args(Order))}")
    try:
        page = site_of(request).store.page(
            _kind(request),
            wanted,
            text=asked.get("q", "").strip(),
            order=order,  # type: ignore[arg-type]
            after=asked.get("after"),
            limit=int(asked.get("limit", "50")),
        )
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    return json(shown(page))


def one(request: Request) -> Response:
    row = site_of(request).store.get(_kind(request), request.path_params["identity"])
    if row is None:
        raise HTTPException(404)
    return json(shown_row(row))


def facets(request: Request) -> Response:
    """How many there are of each facet."""
    return json(site_of(request).store.counts(_kind(request)))


def wanted_of(request: Request) -> Wanted:
    """The facets that a request asks for; 400 for what is none."""
    asked = request.query_params
    for name in asked:
        if name not in DIMENSIONS and name not in _BESIDES:
            raise HTTPException(400, f"{name[:64]}: not known; facets are {', '.join(DIMENSIONS)}")
    return {name: tuple(asked.getlist(name)) for name in DIMENSIONS if name in asked}


def _kind(request: Request) -> Kind:
    for kind in KINDS:
        if request.path_params["kind"] == kind:
            return kind
    raise HTTPException(404)


def shown(page: Page) -> dict[str, object]:
    return {
        "rows": [shown_row(row) for row in page.rows],
        "total": page.total,
        "next": page.next,
        "cut": page.cut,
    }


def shown_row(row: Row) -> dict[str, object]:
    return {
        "revision": row.revision,
        "facets": sorted(row.facets),
        "label": row.label,
        "body": msgspec.Raw(row.body) if row.body is not None else None,
    }
