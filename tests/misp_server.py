"""A MISP server as far as it is pushed to, over real HTTP: it keeps what arrives."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "s3cr3t-key-of-an-api"


class Misp:
    """A server with MISP's answers, as far as they are used: it keeps what arrives."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.keys: set[str] = set()
        self.fail: list[tuple[int, dict[str, str]]] = []
        self.published: list[str] = []

    def answer(self, method: str, path: str, key: str, body: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {path.rpartition('/')[0]}")
        self.keys.add(key)
        if key != KEY:
            return 403, {"name": "Authentication failed", "message": "no \x1b[31msuch key"}
        if self.fail:
            status, _ = self.fail.pop(0)
            return status, {"message": "later"}
        action, _, uuid = path.removeprefix("/events/").partition("/")
        match method, action:
            case "GET", "view":
                known = self.events.get(uuid)
                return (
                    (404, {"message": "Invalid event"})
                    if known is None
                    else (200, {"Event": known})
                )
            case "POST", "add":
                if body["uuid"] in self.events:
                    return 403, {"message": "Event already exists"}
                self.events[body["uuid"]] = body
            case "POST", "edit":
                if int(body["timestamp"]) <= int(self.events[uuid]["timestamp"]):
                    return 403, {"message": "Event in the request not newer than the local copy."}
                self.events[uuid] = self.events[uuid] | body
            case "DELETE", "delete":
                if self.events.pop(uuid, None) is None:
                    return 404, {"message": "Invalid event"}
            case "POST", "publish":
                self.published.append(uuid)
            case _:
                return 405, None
        return 200, {}


@contextmanager
def serving(server: Misp, context: ssl.SSLContext | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            extra = server.fail[0][1] if server.fail else {}
            status, said = server.answer(
                self.command, self.path, self.headers["Authorization"], body
            )
            answer = json.dumps(said).encode()
            self.send_response(status)
            for name, content in extra.items():
                self.send_header(name, content)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_DELETE = do_GET  # noqa: N815 - http.server calls them so

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        kind = "http" if context is None else "https"
        yield f"{kind}://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
