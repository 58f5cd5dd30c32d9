"""Webhooks: signed, to hosts that settings name, by TLS that is verified, and not on from there.

An answer of 2xx is a delivery. What the other side answers besides is not read: neither its body,
nor where it would send us.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Final

import httpx

from pipeline.share import letter as letters
from pipeline.share import signature
from pipeline.share.ledger import Failure
from pipeline.share.letter import Letter
from pipeline.share.subscriber import Webhooks, allowed
from pipeline.shell.settings import WrongUseError

WITHIN_S: Final = 15.0
_LATER: Final = {408, 425, 429}


class Webhook:
    """The client of all webhooks."""

    def __init__(self, settings: Webhooks, now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since the epoch."""
        self._hosts = settings.hosts
        self._now = now
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
        except (OSError, ssl.SSLError):
            raise WrongUseError(f"webhooks.ca_file {settings.ca_file}: no PEM") from None
        # Without the environment: a proxy in it would be another host.
        self._client = httpx.AsyncClient(
            verify=context, follow_redirects=False, timeout=WITHIN_S, trust_env=False
        )

    async def send(self, url: str, secret: bytes, one: Letter) -> Failure | None:
        """None if it has arrived."""
        if not allowed(url, self._hosts):
            return Failure.NOT_ALLOWED
        body = letters.encode(one)
        headers = signature.headers(secret, one.id, int(self._now()), body)
        headers["content-type"] = "application/json"
        try:
            async with (
                asyncio.timeout(WITHIN_S),
                self._client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                return _meant(answer.status_code)
        except httpx.ConnectError as error:
            return Failure.TLS if _is_tls(error) else Failure.UNREACHABLE
        except (httpx.HTTPError, OSError, TimeoutError):
            return Failure.UNREACHABLE

    async def close(self) -> None:
        await self._client.aclose()


def _meant(status: int) -> Failure | None:
    if 200 <= status < 300:
        return None
    return Failure.BUSY if status >= 500 or status in _LATER else Failure.REFUSED


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
