"""`sensors.toml` changed in place: what people wrote in it, comments too, stays as it is.

Lines are added and taken away, nothing else is touched. What comes of it is read again and must be
the registry that was asked for: a file that was not understood is left alone. (A TOML library that
keeps comments takes the one above a table for the end of the table before, and removes both.)
"""

from __future__ import annotations

import json
import os
from collections.abc import Container
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.registry import (
    OUTSIDE,
    Organisation,
    Party,
    Registry,
    Sensor,
    lines_of,
    read_registry,
    topic_name,
)
from pipeline.shell.files import read_text
from pipeline.shell.settings import FailedError, WrongUseError


class NewSensor(Struct, frozen=True):
    """A sensor as somebody asks for it; what is empty is made up, or its organisation's."""

    organisation: str
    country: str = ""
    sensor: str = ""
    name: str = ""
    """The organisation's, if it is new."""


class Change(Struct, frozen=True):
    """A registry's text as it will be, what it says, and the sensor that it is about."""

    text: str
    registry: Registry
    sensor: Sensor

    def topic(self, prefix: str) -> str:
        return topic_name(self.sensor.party, prefix)


def read(path: Path) -> str:
    """The registry's text; empty where there is no file yet."""
    return read_text(path) if path.exists() else ""


def with_sensor(
    text: str, new: NewSensor, where: str, prefix: str = "", taken: Container[str] = ()
) -> Change:
    """The registry with one sensor more; the same one, if the sensor is there already. An id that
    is made up is none of those `taken`: they were somebody's once.
    """
    before = _registry(text, where, prefix) if text.strip() else Registry(())
    index = next((i for i, o in enumerate(before.organisations) if o.id == new.organisation), None)
    home = new.country if index is None else before.organisations[index].country
    if not home:
        raise WrongUseError(f"organisation {new.organisation!r} is new: say where it is, --country")
    party = Party(new.organisation, new.country or home)
    id_ = new.sensor or _unused(before, new.organisation, taken)
    there = before.sensors.get(id_)
    if there is not None:
        if there.organisation != party.organisation or (new.country and there != party):
            raise WrongUseError(
                f"{where}: sensor {id_!r} is there, of {there.organisation} in {there.country}: "
                "ids are unique, and a sensor that moved is another sensor"
            )
        return Change(text, before, Sensor(id_, there))
    sensor = Sensor(id_, party)
    written = ["[[organisation.sensor]]", f"id = {_quoted(id_)}"]
    if index is None:
        name = new.name or new.organisation
        organisation = Organisation(new.organisation, home, name, None, None, (sensor,))
        expected = Registry((*before.organisations, organisation))
        changed = text.rstrip("\n") + "\n\n" if text.strip() else ""
        head = {"id": new.organisation, "country": home, "name": name}
        written[:0] = ["[[organisation]]", *(f"{k} = {_quoted(v)}" for k, v in head.items())]
        return _read_again(changed + "\n".join(written) + "\n", expected, sensor, where, prefix)
    if party.country != home:
        written.append(f"country = {_quoted(party.country)}")
    organisation = before.organisations[index]
    _refuse_inline(text, index, organisation, where)
    sensors = (*organisation.sensors, sensor)
    lines = _lines(text)
    end = _end(text, lines, index, len(organisation.sensors) - 1)
    lines[end:end] = written
    expected = _replaced(before, index, sensors)
    return _read_again("\n".join(lines), expected, sensor, where, prefix)


def without_sensor(text: str, id_: str, where: str, prefix: str = "") -> Change:
    """The registry with one sensor less. Its organisation stays, though it was its last."""
    before = _registry(text, where, prefix)
    if id_ not in before.sensors:
        raise WrongUseError(f"{where}: there is no sensor {id_!r}")
    sensor = Sensor(id_, before.sensors[id_])
    index = next(i for i, o in enumerate(before.organisations) if sensor in o.sensors)
    organisation = before.organisations[index]
    _refuse_inline(text, index, organisation, where)
    sensors = organisation.sensors
    number = sensors.index(sensor)
    lines = _lines(text)
    begin = lines_of(text)[index, number, ""] - 1
    end = _end(text, lines, index, number)
    if lines[begin - 1 : begin] == [""] and lines[end : end + 1] in ([""], []):
        begin -= 1
    del lines[begin:end]
    expected = _replaced(before, index, (*sensors[:number], *sensors[number + 1 :]))
    return _read_again("\n".join(lines), expected, sensor, where, prefix)


def write(path: Path, text: str) -> None:
    """Replace the file as a whole; its permissions stay."""
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, "utf-8")
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror}") from None


def _end(text: str, lines: list[str], organisation: int, sensor: int) -> int:
    """The index behind the last line of a table. Comments and empty lines that follow it are not
    its own: they are about what comes next.
    """
    places = lines_of(text)
    begin = places.get((organisation, sensor if sensor >= 0 else OUTSIDE, ""), 0)
    headers = [line for (_, _, key), line in places.items() if key == "" and line > begin]
    end = min(headers) - 1 if headers else len(lines)
    while end > begin and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _read_again(text: str, expected: Registry, sensor: Sensor, where: str, prefix: str) -> Change:
    registry, problems = read_registry(text, where, prefix)
    if registry == expected:
        return Change(text, expected, sensor)
    why = problems[0].message if problems else "this file is written in an unusual way"
    raise WrongUseError(f"{where} is left as it is, sensor {sensor.id!r} has no place in it: {why}")


def _refuse_inline(text: str, index: int, organisation: Organisation, where: str) -> None:
    places = lines_of(text)
    if any((index, number, "") not in places for number in range(len(organisation.sensors))):
        raise WrongUseError(
            f"{where}: the sensors of {organisation.id!r} are written in line: write each under a "
            "line [[organisation.sensor]], or change the file by hand"
        )


def _replaced(registry: Registry, index: int, sensors: tuple[Sensor, ...]) -> Registry:
    organisations = list(registry.organisations)
    organisations[index] = msgspec.structs.replace(organisations[index], sensors=sensors)
    return Registry(tuple(organisations))


def _registry(text: str, where: str, prefix: str) -> Registry:
    registry, problems = read_registry(text, where, prefix)
    if registry is None:
        raise WrongUseError("\n".join(str(problem) for problem in problems[:20]))
    return registry


def _unused(registry: Registry, organisation: str, taken: Container[str]) -> str:
    number = 1
    while (id_ := f"{organisation}-{number}") in registry.sensors or id_ in taken:
        number += 1
    return id_


def _lines(text: str) -> list[str]:
    return (text if text.endswith("\n") else text + "\n").split("\n")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a basic string of TOML, too
