"""A free port stays free until whoever asked for it listens on it."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.shell.ports import free_port, free_ports


def listens(port: int) -> socket.socket:
    """As servers do: Kafka's, uvicorn's, http.server's."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def below_outgoing() -> int:
    """The first port that this kernel gives to connections and to who asks for any."""
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])


class TestFreePort:
    def test_nobody_is_given_one_that_another_was_given(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            ports = list(pool.map(lambda _: free_port(), range(2_000)))
        assert len(set(ports)) == len(ports)

    def test_no_connection_takes_it_meanwhile(self) -> None:
        assert all(free_port() < below_outgoing() for _ in range(200))

    def test_one_can_listen_on_it(self) -> None:
        for _ in range(50):
            listens(free_port()).close()

    def test_several_in_a_row(self) -> None:
        rows = [free_ports(3) for _ in range(200)]
        assert len({port + n for port in rows for n in range(3)}) == 600
        for port in rows:
            for n in range(3):
                listens(port + n).close()
