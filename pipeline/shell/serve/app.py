"""The web application: what it is made of, and in what order a request passes it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from pipeline.shell.serve import api
from pipeline.shell.serve.site import Site
from pipeline.shell.serve.store import Store
from pipeline.shell.settings import Settings


def application(
    store: Store,
    settings: Settings,
    extra_routes: Sequence[BaseRoute] = (),
    site: Site | None = None,
) -> Starlette:
    """The whole of it. `extra_routes` are others' endpoints; `site` is what surrounds the store,
    by default nothing: no live updates, no users, and nobody can label.
    """
    site = site or Site(store, settings)
    app = Starlette(routes=[*api.routes(), *extra_routes])
    app.state.site = site
    return app
