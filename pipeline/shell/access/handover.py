"""What somebody is handed to reach the broker: a folder with settings, a password, an authority.

The settings are a `--config` for Sightline, and say to any other Kafka client what it must know.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from pipeline.shell.settings import FailedError, Settings

CONFIG, PASSWORD, AUTHORITY = "sightline.toml", "password", "ca.pem"
PASSWORD_BYTES = 32  # of randomness: no dictionary has it, so SCRAM's iterations do not matter


def new_password() -> str:
    """A password that nobody need remember; of letters that no format must escape."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def write_handover(folder: Path, settings: Settings, user: str, password: str) -> Path:
    """Write the folder for `user`, over what was there; its settings file.

    `settings` are those of whoever writes it: broker, protocol and authority are the same for all.
    """
    said = {
        "broker": settings.broker,
        "security_protocol": settings.security_protocol,
        "ssl_ca_file": AUTHORITY if settings.ssl_ca_file else "",
        "sasl_username": user,
        "sasl_password_file": PASSWORD,
        "topic_prefix": settings.topic_prefix,
        "lane": settings.lane if settings.exercise else "",
    }
    text = f"# How {user} reaches the broker; the password is in a file of its own beside this.\n"
    text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in said.items() if value)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings.ssl_ca_file:
            write_private(folder / AUTHORITY, Path(settings.ssl_ca_file).read_bytes())
        write_private(folder / PASSWORD, f"{password}\n".encode())
        write_private(folder / CONFIG, text.encode())
    except OSError as error:
        raise FailedError(f"{error.filename or folder}: {error.strerror}") from None
    return folder / CONFIG


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read: from the first byte on, and never by half."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)
