"""`sightline ship` on the command line."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.lane import exercise_of_topic
from pipeline.registry import topic_name
from pipeline.shell import files
from pipeline.shell.access.join import read_bundle
from pipeline.shell.printable import printable
from pipeline.shell.settings import Settings, WrongUseError, load

_SIZE = re.compile(r"(\d+)(?:([KMG])iB)?")
_UNIT = {None: 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Compression(StrEnum):
    lz4 = "lz4"
    zstd = "zstd"
    gzip = "gzip"
    none = "none"


def ship(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE...]", help="Logs; none or - for stdin.")
    ] = None,
    sensor: Annotated[str, typer.Option("--sensor", help="Its id in the registry.")] = "",
    join: Annotated[
        Path | None, typer.Option(help="What `sightline sensor add` has written for it.")
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="See docs/formats.md; else told by the lines.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what is written, rotated or cut.")
    ] = False,
    state: Annotated[
        Path | None, typer.Option(help="Where it keeps how far it is; by default in your home.")
    ] = None,
    buffer: Annotated[
        str, typer.Option(help="On disk, of what is read while the broker is away.")
    ] = "256MiB",
    compression: Annotated[Compression, typer.Option(help="On the way.")] = Compression.lz4,
    rejects: Annotated[Path | None, typer.Option(help="What was rejected, one a line.")] = None,
    timezone: Annotated[
        str, typer.Option(help="Of times without one: UTC, +01:00, Africa/Nairobi.")
    ] = "UTC",
    reference: Annotated[
        str | None, typer.Option(help="Times without a year are before it; by default now.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="For CSV: TOML that says which column is which.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="TOML: what leaves in clear, as a pseudonym, not at all.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Send a sensor's native log, as events, to its organisation's topic."""
    from pipeline.shell.converting import clock_of, format_named, options_of
    from pipeline.shell.ship.guarding import Gate
    from pipeline.shell.ship.reader import Understanding
    from pipeline.shell.ship.shipping import Shipping, run

    client, topic, sensor = _joined(join, sensor) if join else _known(load(config), sensor)
    clock = clock_of(timezone, reference)
    how = Understanding(
        format_named(format_) if format_ is not None else None,
        sensor,
        clock.zone,
        clock.reference_ms if reference is not None else None,
        options_of(mapping),
        Gate(policy) if policy else None,
        exercise_of_topic(topic),
    )
    raise typer.Exit(
        run(
            Shipping(
                client,
                topic,
                sensor,
                names or [],
                follow,
                how,
                state or _state_of(sensor),
                _bytes(buffer),
                compression.value,
                rejects,
            )
        )
    )


def _joined(path: Path, sensor: str) -> tuple[dict[str, Any], str, str]:
    """How to reach the broker, the topic, and the sensor, by a bundle."""
    bundle, warning = read_bundle(path)
    if warning:
        print(printable(warning), file=sys.stderr)
    if sensor and sensor != bundle.sensor:
        raise WrongUseError(f"{path} is for sensor {bundle.sensor!r}, not {sensor!r}")
    return bundle.client(), bundle.topic, bundle.sensor


def _known(settings: Settings, sensor: str) -> tuple[dict[str, Any], str, str]:
    """The same by the settings and the registry."""
    from pipeline.shell.security import for_librdkafka

    if not sensor:
        raise WrongUseError("--join BUNDLE, or --sensor ID: whose log it is")
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    party = registry.sensors.get(sensor)
    if party is None:
        raise WrongUseError(f"{settings.sensors}: there is no sensor {sensor!r}")
    return for_librdkafka(settings), topic_name(party, settings.topic_prefix), sensor


def _state_of(sensor: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", sensor)
    return files.state_folder() / f"ship-{name}.json"


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise WrongUseError(f"--buffer: {text!r}: a number of bytes, or as 256MiB, 2GiB")
    return int(match[1]) * _UNIT[match[2]]
