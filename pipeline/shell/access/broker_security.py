"""What `sightline broker --secure` adds: TLS, logins, and an authorizer that allows nothing unsaid.

Clients log in by SCRAM-SHA-512 over TLS. The broker's own traffic, with itself and its controller,
goes over listeners of its own that ask for the broker's certificate: whoever has none, though on
the same machine, is turned away. In the broker's directory, which is its owner's alone:

    tls/authority.key, tls/broker.pem   private
    tls/ca.pem                          for clients
    admin/                              the first principal's hand-over: it may do everything
"""

from __future__ import annotations

from pathlib import Path

from pipeline.shell.access.certificates import Certified, make_authority, make_broker
from pipeline.shell.access.handover import (
    AUTHORITY,
    CONFIG,
    PASSWORD,
    new_password,
    write_handover,
    write_private,
)
from pipeline.shell.kafka_install import BrokerFailed
from pipeline.shell.settings import Settings, load

ADMIN = "admin"
BROKER = "sightline-broker"

SECURED = f"""\
listener.security.protocol.map=SASL_SSL:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL
inter.broker.listener.name=INTERNAL
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=tls/ca.pem
ssl.enabled.protocols=TLSv1.3,TLSv1.2
listener.name.internal.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:CN={BROKER};User:{ADMIN}
"""
"""Lines of server.properties that are the same for every node; paths are its folder's."""


def is_secure(directory: Path) -> bool:
    """Whether the broker of this directory was made with `--secure`."""
    return (directory / "admin" / PASSWORD).exists()


def refuse_a_change(directory: Path, *, secure: bool, formatted: bool) -> None:
    """A broker stays what it was made as: else its data would be open to all, or to nobody."""
    if formatted and secure and not is_secure(directory):
        raise BrokerFailed(f"{directory} was made without --secure: take another --dir")
    if is_secure(directory) and not secure:
        raise BrokerFailed(f"{directory} was made with --secure: start it with --secure")


def prepare(directory: Path, host: str, port: int) -> None:
    """Certificates and the admin's hand-over: the authority and the password once, the broker's
    certificate at each start.
    """
    directory.chmod(0o700)
    tls = directory / "tls"
    tls.mkdir(mode=0o700, exist_ok=True)
    key, certificate = tls / "authority.key", tls / AUTHORITY
    if not (key.exists() and certificate.exists()):
        made = make_authority()
        write_private(key, made.key)
        write_private(certificate, made.certificate)
    authority = Certified(key.read_bytes(), certificate.read_bytes())
    broker = make_broker(authority, BROKER, [host, "localhost"])
    write_private(tls / "broker.pem", broker.key + broker.certificate)
    password = directory / "admin" / PASSWORD
    secret = password.read_text("utf-8").strip() if password.exists() else new_password()
    settings = Settings(
        broker=f"{host}:{port}", security_protocol="SASL_SSL", ssl_ca_file=str(certificate)
    )
    write_handover(directory / "admin", settings, ADMIN, secret)


def properties(host: str, port: int, internal: int, controller: int) -> str:
    """Lines of server.properties."""
    return (
        f"{SECURED}"
        f"listeners=SASL_SSL://{host}:{port},INTERNAL://{host}:{internal},"
        f"CONTROLLER://{host}:{controller}\n"
        f"advertised.listeners=SASL_SSL://{host}:{port},INTERNAL://{host}:{internal}\n"
    )


def format_arguments(directory: Path) -> Path:
    """A file of arguments for `StorageTool format`: an argument itself would be seen by all."""
    password = (directory / "admin" / PASSWORD).read_text("utf-8").strip()
    path = directory / "admin" / "format"
    write_private(path, f"--add-scram\nSCRAM-SHA-512=[name={ADMIN},password={password}]\n".encode())
    return path


def forget_arguments(directory: Path) -> None:
    (directory / "admin" / "format").unlink(missing_ok=True)


def admin_settings(directory: Path) -> Settings:
    """How the admin reaches this broker."""
    return load(directory / "admin" / CONFIG, {})
