"""Real servers on loopback that letters are sent to: a webhook's receiver, a mail server, syslog."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pysequoia
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.shell.access.certificates import make_authority, make_broker


def opened(armored: object, key: pysequoia.Cert) -> EmailMessage:
    """A message that was encrypted to a key."""
    assert isinstance(armored, bytes)
    assert key.secrets is not None
    read = pysequoia.decrypt(armored, decryptor=key.secrets.decryptor())
    assert read.bytes is not None
    message = email.message_from_bytes(read.bytes, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


@dataclass
class Authority:
    """Who vouches for the servers, as files."""

    folder: Path
    ca: Path
    key: Path
    certificate: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def authority(folder: Path, *addresses: str) -> Authority:
    """One that is known by nobody else; its server is reached at `addresses`, loopback by default."""
    made = make_authority()
    server = make_broker(made, "server", list(addresses or ("localhost", "127.0.0.1")))
    found = Authority(folder, folder / "ca.pem", folder / "server.key", folder / "server.pem")
    found.ca.write_bytes(made.certificate)
    found.key.write_bytes(server.key)
    found.certificate.write_bytes(server.certificate)
    return found


@contextmanager
def loop_beside() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """An event loop in a thread; what it gives runs a coroutine there, and waits for it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass
class Hooked:
    """What came to a webhook, and what is answered: the first status once, …, the last for ever."""

    port: int = 0
    answers: list[int] = field(default_factory=lambda: [204])
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def webhooks(by: Authority) -> Iterator[Hooked]:
    hooked = Hooked()

    async def receive(request: Request) -> Response:
        hooked.came.append((dict(request.headers), await request.body()))
        status = hooked.answers.pop(0) if len(hooked.answers) > 1 else hooked.answers[0]
        return Response(status_code=status, headers={"location": "https://localhost:1/elsewhere"})

    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=[Route("/hook", receive, methods=["POST"])]),
            host="127.0.0.1", port=0, log_level="error", lifespan="off",
            ssl_keyfile=str(by.key), ssl_certfile=str(by.certificate),
        )
    )  # fmt: skip
    ready = threading.Event()
    begin = server.startup

    async def startup(sockets: Any = None) -> None:
        await begin(sockets)
        hooked.port = server.servers[0].sockets[0].getsockname()[1]
        ready.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield hooked
    finally:
        server.should_exit = True
        thread.join(10)


@dataclass
class Mailed:
    """What came by mail: envelopes, and whether each came encrypted by TLS."""

    port: int = 0
    refuse: list[str] = field(default_factory=list)
    """Answers to the next recipients, instead of taking them."""
    offers_tls: bool = True
    came: list[tuple[list[str], EmailMessage, bool]] = field(default_factory=list)


@contextmanager
def mail_server(by: Authority) -> Iterator[Mailed]:
    """As much of SMTP (RFC 5321, RFC 3207) as a client that sends needs."""
    mailed = Mailed()
    context = by.server()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(*lines: str) -> None:
            writer.write("".join(f"{line}\r\n" for line in lines).encode())
            await writer.drain()

        to: list[str] = []
        safe = False
        await say("220 test ready")
        while line := (await reader.readline()).decode().strip():
            verb = line.upper()
            if verb.startswith("EHLO"):
                offer = ["250-STARTTLS"] if mailed.offers_tls and not safe else []
                await say("250-test", *offer, "250 8BITMIME")
            elif verb == "STARTTLS":
                await say("220 go on")
                await writer.start_tls(context)
                safe = True
            elif verb.startswith("RCPT"):
                if mailed.refuse:
                    await say(mailed.refuse.pop(0))
                    continue
                to.append(line[line.index("<") + 1 : line.index(">")])
                await say("250 ok")
            elif verb == "DATA":
                await say("354 go on")
                text = await reader.readuntil(b"\r\n.\r\n")
                body = text[:-3].replace(b"\r\n..", b"\r\n.")
                message = email.message_from_bytes(body, policy=email.policy.default)
                assert isinstance(message, EmailMessage)
                mailed.came.append((to, message, safe))
                to = []
                await say("250 taken")
            elif verb == "QUIT":
                await say("221 bye")
                break
            else:
                await say("250 ok")
        writer.close()

    with served(talk) as port:
        mailed.port = port
        yield mailed


@contextmanager
def syslog_tls(by: Authority) -> Iterator[tuple[int, list[bytes]]]:
    """A collector by TLS, RFC 5425: its port, and the messages that came, without framing."""
    came: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int((await reader.readuntil(b" ")).decode())
                came.append(await reader.readexactly(length))
        except asyncio.IncompleteReadError:
            writer.close()

    with served(talk, by.server()) as port:
        yield port, came


@contextmanager
def syslog_udp() -> Iterator[tuple[int, list[bytes]]]:
    came: list[bytes] = []

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            came.append(data)

    with loop_beside() as run:

        async def begin() -> asyncio.DatagramTransport:
            made, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                Receiver, local_addr=("127.0.0.1", 0)
            )
            return made

        async def end(transport: asyncio.DatagramTransport) -> None:
            transport.close()

        transport = run(begin())
        yield transport.get_extra_info("sockname")[1], came
        run(end(transport))


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def served(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server of streams on loopback; its port."""
    with loop_beside() as run:

        async def begin() -> asyncio.Server:
            return await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)

        async def end(server: asyncio.Server) -> None:
            server.close()

        server = run(begin())
        yield server.sockets[0].getsockname()[1]
        run(end(server))
