"""What a sensor is handed to join: one file, with all that `sightline ship` must know.

It holds the sensor's password, so only its owner may read it. Other clients are told the same by
the folder that it lies in (`handover`).
"""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.shell.access.handover import write_private
from pipeline.shell.security import MECHANISM, password
from pipeline.shell.settings import FailedError, Settings, WrongUseError

JOIN = "join.toml"
MAX_BUNDLE = 256 * 1024


class Bundle(Struct, frozen=True, forbid_unknown_fields=True):
    """Who the sensor is, where its events go, how it gets there."""

    sensor: str
    topic: str
    broker: str
    security_protocol: str
    sasl_username: str
    password: str
    authority: str = ""
    """PEM of who may vouch for the broker; empty: the system's authorities."""

    def client(self) -> dict[str, Any]:
        """The configuration of any confluent-kafka client; it keeps silent on stderr."""
        options: dict[str, Any] = {
            "bootstrap.servers": self.broker,
            "security.protocol": self.security_protocol,
            "log_level": 0,
            "sasl.mechanism": MECHANISM,
            "sasl.username": self.sasl_username,
            "sasl.password": self.password,
        }
        if self.authority:
            options["ssl.ca.pem"] = self.authority
        return options


def write_bundle(handover: Path, settings: Settings, sensor: str, topic: str) -> Path:
    """Write the bundle beside what was handed over, whose settings are `settings`."""
    bundle = Bundle(
        sensor,
        topic,
        settings.broker,
        settings.security_protocol,
        settings.sasl_username,
        password(settings),
        Path(settings.ssl_ca_file).read_text("ascii") if settings.ssl_ca_file else "",
    )
    said = msgspec.structs.asdict(bundle)
    text = f"# All that sensor {sensor} needs to join: sightline ship --join {JOIN} FILE...\n"
    text += "# It holds a password.\n"
    text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in said.items() if value)
    try:
        write_private(handover / JOIN, text.encode())
    except OSError as error:
        raise FailedError(f"{error.filename or handover}: {error.strerror}") from None
    return handover / JOIN


def read_bundle(path: Path) -> tuple[Bundle, str]:
    """A bundle, and a warning where others can read it, or nothing."""
    try:
        with path.open("rb") as file:
            others = stat.S_IMODE(path.stat().st_mode) & 0o077
            text = file.read(MAX_BUNDLE).decode("utf-8")
        bundle = msgspec.convert(tomllib.loads(text), Bundle)
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):  # what it holds is not repeated: there is a password in it
        raise WrongUseError(
            f"{path}: not what `sightline sensor add` has written as {JOIN}"
        ) from None
    return bundle, f"{path}: others can read the password in it: chmod 600" if others else ""
