"""A loopback port that is free, and stays so until whoever asked for it listens on it.

A port that the kernel chooses may be gone the moment after: it gives it to the next that asks, or
to any connection. So these lie below those that it chooses from, and are kept for a minute as the
end of a connection keeps its port (TIME_WAIT): whoever looks for a free one passes it by, and a
server, which binds with SO_REUSEADDR, may have it.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
# Linux chooses from 32768 on; below 10,000 is where services are that people know by number.
_FROM, _TO = 10_000, 32_768
_TRIES = 1_000


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on, nor is given within the next minute."""
    return free_ports(1)


def free_ports(many: int) -> int:
    """The first of so many in a row. `OSError` where there are none."""
    for _ in range(_TRIES):
        first = random.randrange(_FROM, _TO - many)
        with ExitStack() as stack:
            try:
                taken = [stack.enter_context(_bound(first + n)) for n in range(many)]
            except OSError:
                continue
            for server in taken:
                _keep(server)
            return first
    raise OSError(f"no {many} ports in a row are free on {HOST} from {_FROM} to {_TO}")


def _bound(port: int) -> socket.socket:
    """Alone on it: without SO_REUSEADDR, a port that is kept for another is refused."""
    server = socket.socket()
    try:
        server.bind((HOST, port))
    except OSError:
        server.close()
        raise
    return server


def _keep(server: socket.socket) -> None:
    """Connect to it and hang up on its side first, which is the side that remembers."""
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.listen(1)
    with socket.create_connection(server.getsockname()):
        server.accept()[0].close()
