"""A process that serves one TAXII store on loopback: STORE READER=COLLECTION…, each with a password
that is the reader's name backwards.
"""

from __future__ import annotations

import asyncio
import sys
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request

from pipeline.shell.ports import free_port
from pipeline.shell.processes import exit_with_parent
from pipeline.shell.taxii.routes import Collection, routes
from pipeline.shell.taxii.store import TaxiiStore


def main(path: str, *readers: str) -> None:
    exit_with_parent()
    of = dict(one.split("=") for one in readers)

    def readable(request: Request) -> Sequence[Collection] | None:
        kind, _, told = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        name, _, password = b64decode(told).decode().partition(":")
        if name not in of or password != name[::-1]:
            return None
        return [Collection(of[name], f"For {name}", "Campaigns")]

    app = Starlette(routes=routes(TaxiiStore(Path(path)), readable))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", access_log=False))

    async def serve() -> None:
        serving = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        print(f"ready http://127.0.0.1:{port}", flush=True)
        await serving

    asyncio.run(serve())


if __name__ == "__main__":
    main(*sys.argv[1:])
