"""What a small Kafka cluster with TLS and logins begins with.

`python -m pipeline.shell.access.cluster DIR --node kafka-1 --node kafka-2 --node kafka-3`: for the
compose file, and for whoever has no cluster and no authority. In a directory, made once and then
left as it is:

    authority/      the authority's key; keep it somewhere else once all is made
    kafka-1/ …      a node's: server.properties, tls/, and `format`, what its storage begins with
    admin/          the first principal's hand-over: it may do everything

It is what `sightline broker --secure` is for one node.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.shell.access.broker_security import ADMIN, BROKER, SECURED
from pipeline.shell.access.certificates import Certified, make_authority, make_broker
from pipeline.shell.access.handover import (
    AUTHORITY,
    new_password,
    write_handover,
    write_private,
)
from pipeline.shell.printable import printable_lines
from pipeline.shell.settings import FailedError, Settings, WrongUseError

PORT = 9092


class Node(NamedTuple):
    """Where clients reach a node; the two ports above are the brokers' own."""

    host: str
    port: int


def node_of(text: str) -> Node:
    """`HOST` or `HOST:PORT`."""
    host, _, port = text.partition(":")
    if not host or (port and not port.isdecimal()):
        raise WrongUseError(f"{text!r}: write HOST or HOST:PORT")
    return Node(host, int(port or PORT))


def prepare(directory: Path, nodes: Sequence[Node], data: str) -> bool:
    """Make everything, unless it is there; whether it was made. `data`: where nodes keep theirs."""
    if (directory / "admin" / "sightline.toml").exists():
        return False
    authority = make_authority()
    for folder in (directory, directory / "authority"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(directory / "authority" / "authority.key", authority.key)
    write_private(directory / "authority" / AUTHORITY, authority.certificate)
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
    secret = new_password()
    for number in range(1, len(nodes) + 1):
        folder = directory / f"kafka-{number}"
        _write_node(folder, number, nodes, authority, data)
        begin = f"-t\n{cluster}\n--add-scram\nSCRAM-SHA-512=[name={ADMIN},password={secret}]\n"
        write_private(folder / "format", begin.encode())
    settings = Settings(
        broker=",".join(f"{node.host}:{node.port}" for node in nodes),
        security_protocol="SASL_SSL",
        ssl_ca_file=str(directory / "authority" / AUTHORITY),
    )
    write_handover(directory / "admin", settings, ADMIN, secret)
    return True


def _write_node(
    folder: Path, number: int, nodes: Sequence[Node], authority: Certified, data: str
) -> None:
    tls = folder / "tls"
    tls.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = make_broker(authority, BROKER, [nodes[number - 1].host, "localhost"])
    write_private(tls / "broker.pem", own.key + own.certificate)
    write_private(tls / AUTHORITY, authority.certificate)
    (folder / "server.properties").write_text(properties(number, nodes, data), "utf-8")


def properties(number: int, nodes: Sequence[Node], data: str) -> str:
    """A node's server.properties: a broker that is a controller, too. Paths are its folder's."""
    host, port = nodes[number - 1]
    copies = min(len(nodes), 3)
    in_sync = max(copies - 1, 1)
    voters = ",".join(f"{n}@{node.host}:{node.port + 2}" for n, node in enumerate(nodes, 1))
    return f"""\
{SECURED}process.roles=broker,controller
node.id={number}
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
listeners=SASL_SSL://{host}:{port},INTERNAL://{host}:{port + 1},CONTROLLER://{host}:{port + 2}
advertised.listeners=SASL_SSL://{host}:{port},INTERNAL://{host}:{port + 1}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
message.max.bytes=4194304
replica.fetch.max.bytes=4194304
replica.fetch.response.max.bytes=10485760
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="pipeline.shell.access.cluster", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--node", action="append", required=True, metavar="HOST[:PORT]")
    parser.add_argument("--data", default="data", help="where a node keeps its data")
    asked = parser.parse_args(arguments)
    try:
        made = prepare(asked.directory, [node_of(text) for text in asked.node], asked.data)
    except (WrongUseError, FailedError) as error:
        print(printable_lines(f"sightline: {error}"), file=sys.stderr)
        return 2 if isinstance(error, WrongUseError) else 1
    print(f"{asked.directory}: {'made' if made else 'is there already'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
