"""The HTTP API, in JSON: campaigns and alerts by facets, one with its evidence, labels."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, get_args

import msgspec
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.campaign.label import Verdict
from pipeline.share.defang import fanged
from pipeline.shell.labelling import label_for
from pipeline.shell.serve.rows import KINDS, Kind, Row
from pipeline.shell.serve.site import person_of, site_of, view_of
from pipeline.shell.serve.store import Order
from pipeline.shell.serve.stream import line_of
from pipeline.shell.settings import FailedError, WrongUseError
from pipeline.view.dossier import dossier
from pipeline.view.facet import DIMENSIONS, LIVE, SEVERITIES, SURPRISES, Wanted

_BESIDES = ("q", "order", "after", "limit")
_MOST_SAID = 8_192  # bytes of a label
_MOST_ALERTS = 200


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """A label as the page sends it."""

    id: Annotated[str, Meta(max_length=256)]
    verdict: Verdict
    basis: Annotated[str, Meta(max_length=2_000)] = ""
    confidence: Annotated[int, Meta(ge=0, le=100)] = 90


_decode_said = msgspec.json.Decoder(Said).decode


def routes() -> list[Route]:
    return [
        Route("/api/site", about),
        Route("/api/labels", label, methods=["POST"]),
        Route("/api/{kind}", listed),
        Route("/api/{kind}/facets", facets),
        Route("/api/{kind}/{identity}", one),
        Route("/api/campaigns/{identity}/evidence", evidence),
    ]


def json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def about(request: Request) -> Response:
    """Who is asking, and what this is."""
    site, person = site_of(request), person_of(request)
    heard, behind, kinds = site.freshness.heard, site.freshness.behind, KINDS
    organisations = {one.id: one for one in site.registry.organisations}
    if not person.is_of_the_house:
        # Who takes part, and how much comes in, is more than what is shown.
        facets = view_of(request).store.counts("campaigns")
        named = {one.removeprefix("organisation:") for one in facets} | {person.sees}
        organisations = {name: one for name, one in organisations.items() if name in named}
        behind, kinds = behind and 0, ("campaigns",)
    return json(
        {
            "person": {"name": person.name, "role": person.role, "sees": person.sees},
            "may_label": person.may_label and site.say is not None,
            "may_log_out": site.users is not None,
            "lane": site.settings.lane,
            "geoip": site.geo_name,
            "behind": behind,
            "heard_s_ago": None if heard is None else round(time.monotonic() - heard, 1),
            "kinds": kinds,
            "dimensions": DIMENSIONS,
            "severities": SEVERITIES,
            "surprises": SURPRISES,
            "live": LIVE,
            "organisations": {
                one.id: {"name": one.name, "country": one.country, "sector": one.sector}
                for one in organisations.values()
            },
        }
    )


def listed(request: Request) -> Response:
    """Some rows: `?country=CZ&country=KE&severity=5&q=&order=&after=&limit=`."""
    asked = request.query_params
    wanted, order = wanted_of(request), asked.get("order", "severity")
    if order not in get_args(Order):
        raise HTTPException(400, f"order: one of {', '.join(get_args(Order))}")
    try:
        page = view_of(request).store.page(
            _kind(request),
            wanted,
            text=fanged(asked.get("q", "").strip()),
            order=order,  # type: ignore[arg-type]
            after=asked.get("after"),
            limit=int(asked.get("limit", "50")),
        )
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    return json(
        {
            "rows": [line_of(row) for row in page.rows],
            "total": page.total,
            "next": page.next,
            "revision": str(page.revision),
            "cut": page.cut,
        }
    )


def one(request: Request) -> Response:
    """An alert or a campaign as the topic tells it, and what was said of it."""
    row = _row(request, _kind(request))
    return json(
        {
            "line": line_of(row),
            "body": msgspec.Raw(row.body or b"null"),
            "labels": view_of(request).store.labels_of(row.id),
        }
    )


def evidence(request: Request) -> Response:
    """A campaign as an analyst reads it."""
    site, store, row = site_of(request), view_of(request).store, _row(request, "campaigns")
    campaign = row.campaign
    found = (store.get("alerts", name) for name in campaign.alerts[:_MOST_ALERTS])
    alerts = [alert for alert in found if alert is not None]
    return json(
        {
            "line": line_of(row),
            "campaign": msgspec.Raw(row.body or b"null"),
            "dossier": dossier(
                campaign, [one.alert for one in alerts], site.geo.origin, site.benign.lists
            ),
            "alerts": [line_of(alert) for alert in alerts],
            "labels": store.labels_of(row.id),
            # Who was told, and what they say to that, is for those who see everything.
            "replies": site.answers.of(row.id) if person_of(request).is_of_the_house else [],
        }
    )


def facets(request: Request) -> Response:
    """How many rows have each facet that there is."""
    return json(view_of(request).store.counts(_kind(request)))


async def label(request: Request) -> Response:
    """An analyst's word: 202 when the broker has it; it shows when it has been read back."""
    site, person = site_of(request), person_of(request)
    if not person.may_label:
        raise HTTPException(403, "only an analyst who sees everything labels")
    if site.say is None:
        raise HTTPException(503, "labels cannot be written here")
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_SAID:
            raise HTTPException(413)
    try:
        said = _decode_said(bytes(body))
        row = await run_in_threadpool(_either, site.store.get, said.id)
        if row is None:
            raise HTTPException(404, "there is no such alert or campaign")
        found = row.alert if row.kind == "alerts" else row.campaign
        made = label_for(found, said.verdict, person.name, said.basis, said.confidence)
        await site.say(made)
    except (msgspec.DecodeError, WrongUseError) as error:
        raise HTTPException(400, str(error)) from None
    except FailedError as error:
        raise HTTPException(503, str(error)) from None
    return json(made, 202)


def _either(get: Callable[[Kind, str], Row | None], identity: str) -> Row | None:
    return get("campaigns", identity) or get("alerts", identity)


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


def _row(request: Request, kind: Kind) -> Row:
    row = view_of(request).store.get(kind, request.path_params["identity"])
    if row is None:
        raise HTTPException(404)
    return row
