"""A payload of a scenario to events at sensors, and to what is handed to people. No I/O here.

| type | does |
|---|---|
| `tcp_connection` | `source` connects to `port` of every sensor that `destination` names |
| `file` | a name that ends with `.jsonl`: events, one a line; any other is handed to the teams |
| `sightline_world` | a world of `generate`: `seed`, `days`, `events`, `campaigns`, `liars` |

`destination` is a sensor's id, an organisation's, a country's code, or anything else: everybody's.
Events are labelled as the exercise's, whatever the payload says.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.exercise.cexf import Payload
from pipeline.lane import labelled
from pipeline.registry import Party
from pipeline.world.dice import Dice
from pipeline.world.saying import connection, spoken
from pipeline.world.truth import Truth
from pipeline.world.world import Options, World, world

CONNECTION, FILE, WORLD = "tcp_connection", "file", "sightline_world"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Brought(Struct, frozen=True):
    """Events by sensor, in their order; and what is handed to people: a name, and its content."""

    events: tuple[tuple[str, bytes], ...] = ()
    handed: tuple[str, bytes] | None = None


class Fault(Struct, frozen=True):
    """Why a payload brings nothing."""

    message: str


def options_of(payload: Payload) -> Options | Fault:
    """The world that a payload asks for."""
    try:
        return msgspec.convert(payload.parameters, Options, strict=False)
    except msgspec.ValidationError as error:
        return Fault(f"payload {payload.name or payload.uuid}: {error}")


class Told(Struct, frozen=True):
    """A world as it is told in an exercise: its times moved, its events labelled."""

    events: tuple[tuple[str, bytes], ...]
    truths: tuple[Truth, ...]


def world_of(options: Options) -> World:
    """The world itself, registry and all."""
    return world(options)


def told(made: World, end_ms: int, exercise: str) -> Told:
    """The world, moved so that the last of it is just before `end_ms`."""
    events = [_decode(line) for line in made.lines]
    by = end_ms - 1 - max((event["time"] for event in events), default=0)
    moved = []
    for event in events:
        event["time"] += by
        raw = labelled(msgspec.json.encode(event), exercise)
        moved.append((str(event["device"]["uid"]), raw))
    truths = [
        msgspec.structs.replace(
            one,
            first_event=one.first_event + by,
            kth_country_event=None if one.kth_country_event is None else one.kth_country_event + by,
        )
        for one in made.truths
    ]
    return Told(tuple(moved), tuple(truths))


def bring(
    payload: Payload, sensors: Mapping[str, Party], now_ms: int, exercise: str
) -> Brought | Fault:
    """What a payload comes to at `now_ms`; a world is told by `told`."""
    name, parameters = payload.name or payload.uuid, payload.parameters
    if payload.type == CONNECTION:
        return _connect(name, payload.uuid, parameters, sensors, now_ms, exercise)
    if payload.type == FILE:
        return _file(name, parameters, sensors, exercise)
    return Fault(f"payload {name}: nothing here brings a {payload.type!r}")


def _connect(
    name: str,
    uuid: str,
    parameters: Mapping[str, Any],
    sensors: Mapping[str, Party],
    now_ms: int,
    exercise: str,
) -> Brought | Fault:
    source, port = str(parameters.get("source", "")), str(parameters.get("port", ""))
    if not source or not port.isdecimal() or int(port) > 65_535:
        return Fault(f"payload {name}: it takes a source, and a port up to 65535")
    dice = Dice(f"exercise {uuid}", 0)
    events = []
    for sensor in _named(str(parameters.get("destination", "")), sensors):
        body = connection(dice, source, int(port))
        raw = spoken(now_ms, f"{sensor}-{uuid}-{now_ms}", sensor, body)
        events.append((sensor, labelled(raw, exercise)))
    return Brought(tuple(events))


def _named(destination: str, sensors: Mapping[str, Party]) -> list[str]:
    found = [
        sensor
        for sensor, party in sorted(sensors.items())
        if destination in {sensor, party.organisation} or destination.upper() == party.country
    ]
    return found or sorted(sensors)


def _file(
    name: str, parameters: Mapping[str, Any], sensors: Mapping[str, Party], exercise: str
) -> Brought | Fault:
    filename, content = str(parameters.get("filename", name)), str(parameters.get("content", ""))
    try:
        raw = base64.b64decode(content, validate=True)
    except (ValueError, binascii.Error):
        return Fault(f"payload {name}: its content is no base64")
    if not filename.endswith(".jsonl"):
        return Brought(handed=(filename, raw))
    events = []
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            sensor = _decode(line)["device"]["uid"]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
            return Fault(f"payload {name}, line {number}: no event of a sensor")
        if sensor not in sensors:
            return Fault(f"payload {name}, line {number}: {sensor!r} is no sensor of the registry")
        events.append((str(sensor), labelled(line, exercise)))
    return Brought(tuple(events))
