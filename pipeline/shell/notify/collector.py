"""Syslog collectors: RFC 5424 messages over TLS, TCP or UDP.

TLS and TCP know that the other side's machine has taken it; UDP knows nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import Final

from pipeline.share.ledger import Failure
from pipeline.share.letter import Letter
from pipeline.share.subscriber import Syslog
from pipeline.share.syslog_line import framed, line
from pipeline.shell.settings import WrongUseError

WITHIN_S: Final = 10.0
MOST_BY_UDP: Final = 1_400
"""Bytes of a datagram: what is longer is cut, for no network carries more in one piece."""


class Collector:
    """One collector; a connection is kept until it breaks."""

    def __init__(self, settings: Syslog) -> None:
        self._settings = settings
        self._host = socket.gethostname()
        self._writer: asyncio.StreamWriter | None = None
        self._context: ssl.SSLContext | None = None
        if settings.by == "tls":
            try:
                self._context = ssl.create_default_context(cafile=settings.ca_file or None)
            except (OSError, ssl.SSLError):
                raise WrongUseError(f"syslog.ca_file {settings.ca_file}: no PEM") from None

    async def send(self, one: Letter) -> Failure | None:
        """None if it is on its way."""
        message = line(one, self._host, str(os.getpid()))
        try:
            async with asyncio.timeout(WITHIN_S):
                if self._settings.by == "udp":
                    await self._datagram(message[:MOST_BY_UDP])
                else:
                    await self._stream(framed(message))
        except ssl.SSLError:
            await self.close()
            return Failure.TLS
        except (OSError, TimeoutError):
            await self.close()
            return Failure.UNREACHABLE
        return None

    async def _datagram(self, message: bytes) -> None:
        where = (self._settings.host, self._settings.port)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=where
        )
        transport.sendto(message)
        transport.close()

    async def _stream(self, message: bytes) -> None:
        if self._writer is None or self._writer.is_closing():
            settings = self._settings
            reader, self._writer = await asyncio.open_connection(
                settings.host, settings.port, ssl=self._context
            )
            self._ended = asyncio.ensure_future(reader.read(1))
        elif self._ended.done():
            # A collector says nothing: that there is something to read is that it has gone.
            await self.close()
            await self._stream(message)
            return
        self._writer.write(message)
        await self._writer.drain()

    async def close(self) -> None:
        if self._writer is not None:
            self._ended.cancel()
            self._writer.close()
            self._writer = None
