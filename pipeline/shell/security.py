"""How every client of ours reaches the broker: address, TLS, login.

There are aiokafka's clients, Faust's (which makes aiokafka's) and librdkafka's. The settings tell
all of them the same, and none of them is given a password in another way.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from pipeline.shell.settings import Settings, WrongUseError

MECHANISM = "SCRAM-SHA-512"
MAX_PASSWORD = 4096  # bytes of a password file: a wrong path is not read to its end


def for_aiokafka(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of any aiokafka client."""
    options: dict[str, Any] = {"bootstrap_servers": settings.broker}
    if settings.security_protocol != "PLAINTEXT":
        options["security_protocol"] = settings.security_protocol
        options["ssl_context"] = _context(settings)
    if settings.security_protocol == "SASL_SSL":
        options["sasl_mechanism"] = MECHANISM
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = password(settings)
    return options


def for_faust(settings: Settings) -> Any:
    """Faust's `broker_credentials`; None for none."""
    from faust.auth import SASLCredentials, SSLCredentials

    if settings.security_protocol == "PLAINTEXT":
        return None
    context = _context(settings)
    if settings.security_protocol == "SSL":
        return SSLCredentials(context)
    return SASLCredentials(
        username=settings.sasl_username,
        password=password(settings),
        ssl_context=context,
        mechanism=MECHANISM,
    )


def for_librdkafka(settings: Settings) -> dict[str, Any]:
    """The configuration of any confluent-kafka client; it keeps silent on stderr."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.broker,
        "security.protocol": settings.security_protocol,
        "log_level": 0,
    }
    if settings.ssl_ca_file:
        _context(settings)  # says in one line what librdkafka says in four
        options["ssl.ca.location"] = settings.ssl_ca_file
    if settings.security_protocol == "SASL_SSL":
        options["sasl.mechanism"] = MECHANISM
        options["sasl.username"] = settings.sasl_username
        options["sasl.password"] = password(settings)
    return options


def password(settings: Settings) -> str:
    """The password in `sasl_password_file`, without the line's end; else a `WrongUseError`."""
    return secret(Path(settings.sasl_password_file), "sasl_password_file")


def secret(path: Path, what: str) -> str:
    """What a file of one line holds: a password, a key. Else a `WrongUseError` that names `what`
    the file was given as, and nothing of its content.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_PASSWORD + 1).decode("utf-8")
    except OSError as error:
        raise WrongUseError(f"{what} {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WrongUseError(f"{what} {path}: not UTF-8") from None
    found = text.removesuffix("\n").removesuffix("\r")
    if not found or "\n" in found or len(text) > MAX_PASSWORD:
        raise WrongUseError(f"{what} {path}: it must hold one line, the secret itself")
    return found


def _context(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or newer; the broker must prove its name."""
    try:
        return ssl.create_default_context(cafile=settings.ssl_ca_file or None)
    except ssl.SSLError:
        raise WrongUseError(f"ssl_ca_file {settings.ssl_ca_file}: no PEM certificate") from None
    except OSError as error:
        raise WrongUseError(f"ssl_ca_file {settings.ssl_ca_file}: {error.strerror}") from None
