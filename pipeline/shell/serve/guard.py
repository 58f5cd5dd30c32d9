"""What every request passes: whose name it was sent to, who sends it, from which page.

Plain ASGI: event streams run through it.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from http.cookies import CookieError, SimpleCookie

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.shell.serve.people import Person, Role, Users

COOKIE = "sightline"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
HEADERS = {
    # Nothing from outside, nothing inline, no text that becomes markup.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, our own forms would come from "null"
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_OPEN = ("/static/", "/login", "/livez", "/readyz")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Around an application. Without `users`, whoever reaches it on loopback is `local`."""

    def __init__(self, app: ASGIApp, users: Users | None, local: Person) -> None:
        self._app = app
        self._users = users
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = await self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        # A page of somebody else's whose name is made to lead here: its name betrays it.
        if self._users is None and _host(headers.get("host", "")) not in LOOPBACK:
            return PlainTextResponse("this server answers to localhost only", 421)
        if scope["method"] not in _SAFE and not _same_origin(scope, headers):
            return PlainTextResponse("from another page", 403)
        person = await self._person(headers) if self._users else self._local
        scope["user"] = person
        if person is not None and person.role is Role.PARTNER and not _is_partners(scope["path"]):
            return PlainTextResponse("not for partners", 403)
        if person is not None or scope["path"].startswith(_OPEN):
            return None
        if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            return RedirectResponse("/login", 303)
        # A browser that shows our page has a form of its own to ask with.
        asked_by_page = "sec-fetch-mode" in headers
        challenge = {} if asked_by_page else {"WWW-Authenticate": 'Basic realm="Sightline"'}
        return PlainTextResponse("log in", 401, challenge)

    async def _person(self, headers: Headers) -> Person | None:
        assert self._users is not None
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return None
        if morsel := cookies.get(COOKIE):
            return self._users.by_session(morsel.value)
        name, password = _basic(headers.get("authorization", ""))
        if not name:
            return None
        return await to_thread.run_sync(self._users.by_password, name, password)


def _is_partners(path: str) -> bool:
    """What a partner may ask for: pages and the API show everything, whoever it is of."""
    return path.startswith(("/taxii2/", *_OPEN)) or path == "/taxii2"


def _host(host: str) -> str:
    """Without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _same_origin(scope: Scope, headers: Headers) -> bool:
    """What no browser sent has neither header; every browser sends one with what changes things."""
    if (site := headers.get("sec-fetch-site")) is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _basic(header: str) -> tuple[str, str]:
    """Name and password; also as a bearer token, for clients that send nothing else."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() not in {"basic", "bearer"}:
        return "", ""
    try:
        name, _, password = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
