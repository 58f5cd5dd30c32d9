"""The pages themselves, what they are made of, the way in and out, and health."""

from __future__ import annotations

import time
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipeline.shell.serve.guard import COOKIE
from pipeline.shell.serve.people import SESSION_S
from pipeline.shell.serve.site import site_of

STATIC = Path(str(files("pipeline.shell.serve"))) / "static"
STALE_S = 20
_MOST_TYPED = 4_096  # bytes of the form
_TRIES = 5  # wrong passwords in a row, from anybody, before everybody waits a little
_PAUSE_S = 2.0


def routes() -> list[Route | Mount]:
    door = Door()
    return [
        Route("/", page),
        Route("/login", door.shown),
        Route("/login", door.enter, methods=["POST"]),
        Route("/logout", leave, methods=["POST"]),
        Route("/livez", alive),
        Route("/readyz", ready),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


def _filled(name: str, request: Request, **words: str) -> str:
    """A page with words of ours filled in: {{lane}} and others."""
    text = (STATIC / name).read_text("utf-8")
    for word, value in {"lane": site_of(request).settings.lane, **words}.items():
        text = text.replace("{{" + word + "}}", escape(value))
    return text


def page(request: Request) -> Response:
    return HTMLResponse(_filled("index.html", request))


class Door:
    """The form, and how often in a row it was wrong."""

    def __init__(self) -> None:
        self._wrong = 0
        self._not_before = 0.0

    def shown(self, request: Request) -> Response:
        if site_of(request).users is None:
            return RedirectResponse("/", 303)
        return HTMLResponse(_filled("login.html", request, said=""))

    async def enter(self, request: Request) -> Response:
        users = site_of(request).users
        if users is None:
            return RedirectResponse("/", 303)
        if time.monotonic() < self._not_before:
            return self._again(request, "Too many wrong passwords. Wait a few seconds.", 429)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _MOST_TYPED:
                raise HTTPException(413)
        typed = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4)
        name, password = (typed.get(field, [""])[0] for field in ("name", "password"))
        person = await to_thread.run_sync(users.by_password, name, password)
        if person is None:
            self._wrong += 1
            if self._wrong % _TRIES == 0:
                self._not_before = time.monotonic() + _PAUSE_S
            return self._again(request, "That name and password do not match.", 401)
        self._wrong = 0
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE, users.session(person), max_age=SESSION_S, httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    def _again(self, request: Request, said: str, status: int) -> Response:
        return HTMLResponse(_filled("login.html", request, said=said), status)


def leave(request: Request) -> Response:
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


def alive(request: Request) -> Response:
    """That it answers at all."""
    return PlainTextResponse("alive\n")


def ready(request: Request) -> Response:
    """Whether what it shows is what there is: the broker answers, and little is unread."""
    fresh = site_of(request).freshness
    if fresh.heard is None or time.monotonic() - fresh.heard > STALE_S:
        return PlainTextResponse("the broker does not answer\n", 503)
    if fresh.behind:
        return PlainTextResponse("behind\n", 200)  # anybody may ask: not by how much
    return PlainTextResponse("ready\n")
