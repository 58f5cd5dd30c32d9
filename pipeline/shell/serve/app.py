"""The web application: what it is made of, and what a request passes first."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from pipeline.shell.serve import api, pages, stream
from pipeline.shell.serve.guard import Guard
from pipeline.shell.serve.measuring import Measured
from pipeline.shell.serve.site import Site, view_of
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import Hub
from pipeline.shell.settings import Settings


def application(
    store: Store,
    settings: Settings,
    extra_routes: Sequence[BaseRoute] = (),
    site: Site | None = None,
) -> Starlette:
    """The whole of it. `extra_routes` are others' endpoints: they find who asks in
    `request.scope["user"]`, a `people.Person`. `site` is what surrounds the store; by default
    nobody logs in and nobody can label.
    """
    site = site or Site(store, settings, Hub(store))
    of_live_rows = stream.routes(lambda request: view_of(request).hub)
    app = Starlette(
        routes=[*pages.routes(), *of_live_rows, *api.routes(), *extra_routes],
        middleware=[
            Middleware(Measured),
            Middleware(Guard, users=site.users, local=site.local),
        ],
    )
    app.state.site = site
    return app
