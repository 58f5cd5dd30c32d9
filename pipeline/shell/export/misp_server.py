"""A MISP server, to which events are pushed by its API.

The server must prove its name (TLS), and the key goes to it alone: no redirection is followed. An
event that is there is left alone unless ours says something else; it is then made newer than that.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from pipeline.share import misp
from pipeline.share.misp import Event
from pipeline.shell.printable import cut, printable
from pipeline.shell.settings import FailedError, WrongUseError

TRIES = 4
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LIMIT_S = 30.0
_MOST_BYTES = 64 << 20
_AGAIN = frozenset({429, 500, 502, 503, 504})


class Outcome(StrEnum):
    """What came of an event."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    """What the JSON said; None if it was none."""


class MispServer:
    """One server, by its base URL, and who we are there, by the key of its API."""

    def __init__(
        self,
        url: str,
        key: str,
        authorities: Path | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._url = _checked(url)
        self._pause = pause
        self._client = httpx.Client(
            headers={"Authorization": key, "Accept": "application/json"},
            verify=_trust(authorities),
            timeout=_LIMIT_S,
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def push(self, event: Event, *, publish: bool = False) -> Outcome:
        """Bring one event there; a `FailedError` says why that cannot be done."""
        uuid = event["uuid"]
        there = self._ask("GET", f"/events/view/{uuid}", fine=(200, 404))
        if there.status == 404:
            self._ask("POST", "/events/add", event)
            outcome = Outcome.ADDED
        else:
            theirs = _event_in(there)
            if misp.stands(event, theirs):
                return Outcome.UNCHANGED
            self._ask("POST", f"/events/edit/{uuid}", misp.later(event, theirs))
            outcome = Outcome.CHANGED
        if publish:
            self._ask("POST", f"/events/publish/{uuid}", {})
        return outcome

    @property
    def name(self) -> str:
        """Its host."""
        return httpx.URL(self._url).host

    def remove(self, uuid: str) -> bool:
        """Have an event deleted there, if it is there: was it?"""
        return self._ask("DELETE", f"/events/delete/{uuid}", fine=(200, 404)).status == 200

    def _ask(
        self, method: str, path: str, body: Any = None, fine: tuple[int, ...] = (200,)
    ) -> Answer:
        content = None if body is None else msgspec.json.encode(body)
        kind = {} if content is None else {"Content-Type": "application/json"}
        for number in range(1, TRIES + 1):
            asked_to_wait = 0.0
            try:
                with self._client.stream(
                    method, self._url + path, content=content, headers=kind
                ) as response:
                    answer = Answer(response.status_code, _body(response))
                    asked_to_wait = _seconds(response.headers.get("Retry-After", ""))
            except httpx.TransportError as error:
                why = f"{type(error).__name__}: {error}"
            except httpx.HTTPError as error:
                raise FailedError(f"{self._url}: {error}") from None
            else:
                if answer.status in fine:
                    return answer
                why = f"{method} {path}: status {answer.status}{_said(answer)}"
                if answer.status not in _AGAIN:
                    raise FailedError(f"{self._url}: {why}")
            if number < TRIES:
                pause = max(_FIRST_PAUSE_S * 2 ** (number - 1), asked_to_wait)
                self._pause(min(pause, _LONGEST_PAUSE_S))
        raise FailedError(f"{self._url}: {why} ({TRIES} tries)")


def _checked(url: str) -> str:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        raise WrongUseError("that is no URL of a MISP server") from None
    if parts.userinfo or parts.query or parts.fragment:
        raise WrongUseError("a MISP server's URL has no user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(parts.host)):
        raise WrongUseError(f"{url}: it must be https://, or the key could be read on its way")
    return url.rstrip("/")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _trust(authorities: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities)
    except ssl.SSLError:
        raise WrongUseError(f"{authorities}: no PEM certificate") from None
    except OSError as error:
        raise WrongUseError(f"{authorities}: {error.strerror}") from None


def _body(response: httpx.Response) -> Any:
    read = bytearray()
    for part in response.iter_bytes():
        read += part
        if len(read) > _MOST_BYTES:
            raise FailedError(f"{response.url.host}: an answer of more than {_MOST_BYTES} bytes")
    try:
        return msgspec.json.decode(bytes(read))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _event_in(answer: Answer) -> Event:
    event = answer.body.get("Event") if isinstance(answer.body, dict) else None
    if not isinstance(event, dict):
        raise FailedError("the MISP server answered with no event where it should have")
    return event


def _said(answer: Answer) -> str:
    """What the server says is wrong, if it says it as MISP does."""
    body = answer.body if isinstance(answer.body, dict) else {}
    message = body.get("message") or body.get("name") or ""
    return f" ({printable(cut(str(message), 200))})" if message else ""


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
