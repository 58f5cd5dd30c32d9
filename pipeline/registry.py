"""Organisations, their sensors, the parties these make, and the topics parties speak on.

Pure: the text of `sensors.toml` in, a registry or everything that is wrong with it out. tomllib
knows no line numbers past the syntax, so `lines_of` finds them again in the text.
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.country import country_problem
from pipeline.problem import Problem, did_you_mean, has_control, in_order, quoted
from pipeline.share.terms import COMMUNITY, KEYS, PUBLIC, Conditions, Terms, read_conditions

TOPIC_LENGTH: Final = 249  # of a Kafka topic's name, in characters
TEXT_LENGTH: Final = 256  # of an id or a name, in characters
OUTSIDE: Final = -1  # of any organisation, of any sensor: a place of a file

_ID: Final = re.compile(r"[a-z0-9-]+")
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]+")
_ORGANISATION_KEYS: Final = (
    *("id", "country", "name", "sector", "contact", "trust"),
    *(*KEYS, "sensor"),
)
_SENSOR_KEYS: Final = ("id", "country")
_TOML_LINE: Final = re.compile(r" \((?:at line (\d+), column \d+|at end of document)\)$")


class Party(NamedTuple):
    """The unit that counts: an organisation's id and the country its sensors stand in."""

    organisation: str
    country: str


class Sensor(msgspec.Struct, frozen=True):
    """A sensor, by the id it gives as `device.uid`, and the party it speaks for."""

    id: str
    party: Party


class Organisation(msgspec.Struct, frozen=True):
    """One `[[organisation]]`; `country` is its home, an upper-case ISO 3166-1 alpha-2 code."""

    id: str
    country: str
    name: str
    sector: str | None
    contact: str | None
    sensors: tuple[Sensor, ...]
    trust: float | None = None
    """How far what it says is believed where campaigns are judged, 0 … 1, if anybody said."""
    conditions: Conditions = Conditions()
    """On what terms it shares what it saw: its labels, and to whom it may be released."""

    @property
    def parties(self) -> tuple[Party, ...]:
        """Its parties, sorted: those of its sensors, or its home while it has no sensor."""
        home = Party(self.id, self.country)
        return tuple(sorted({sensor.party for sensor in self.sensors} or {home}))


class Registry(msgspec.Struct, frozen=True, dict=True):
    """All organisations, in the order of the file. What is derived is computed once."""

    organisations: tuple[Organisation, ...]

    @cached_property
    def sensors(self) -> dict[str, Party]:
        """Every sensor's party, by the sensor's id. Read it only: it is shared."""
        return {s.id: s.party for organisation in self.organisations for s in organisation.sensors}

    @cached_property
    def terms(self) -> Terms:
        """The terms of all that see anything."""
        return Terms(
            {
                of.id: msgspec.structs.replace(of.conditions, trust=of.trust, country=of.country)
                for of in self.organisations
            }
        )

    @cached_property
    def parties(self) -> tuple[Party, ...]:
        """All parties, sorted by organisation, then country."""
        return tuple(sorted(p for organisation in self.organisations for p in organisation.parties))

    def topics(self, prefix: str = "") -> dict[str, Party]:
        """The party that speaks on each topic, by the topic's full name, in order of parties."""
        return {topic_name(party, prefix): party for party in self.parties}


def topic_name(party: Party, prefix: str = "") -> str:
    """The topic of a party's events: `<prefix>events.<country>.<organisation>`, lower case."""
    return f"{prefix}events.{party.country.lower()}.{party.organisation}"


def topic_problem(topic: str) -> str | None:
    """Why Kafka would refuse a topic of this name; None when it would not."""
    if len(topic) > TOPIC_LENGTH:
        return f"topic {quoted(topic)} is {len(topic)} characters long, Kafka allows {TOPIC_LENGTH}"
    if not _TOPIC.fullmatch(topic):
        return f"topic {quoted(topic)} may hold only letters, digits, '.', '_' and '-'"
    return None


def read_registry(
    text: str, where: str = "sensors.toml", prefix: str = ""
) -> tuple[Registry | None, list[Problem]]:
    """The registry that `text` (TOML) describes, or None and all problems, in order of lines.

    `where` names the file in the problems. With a topic `prefix`, the topics' full names are held
    against Kafka's limits. Never raises. Source: the product's contract, "Sensor registry".
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except RecursionError:
        return None, [Problem(where, None, "not TOML: nested too deep")]
    except ValueError as error:  # TOMLDecodeError, or a number past Python's limits
        return None, [_syntax_problem(text, where, str(error))]
    reading = _Reading(where, prefix, lines_of(text))
    organisations = reading.document(document)
    reading.words(organisations)
    if reading.problems:
        return None, in_order(reading.problems)
    return Registry(organisations), []


def _syntax_problem(text: str, where: str, message: str) -> Problem:
    place = _TOML_LINE.search(message)
    if place is None:
        return Problem(where, None, f"not TOML: {message}")
    line = int(place[1]) if place[1] else text.count("\n") + 1
    return Problem(where, line, f"not TOML: {message[: place.start()]}")


# A place is (organisation, sensor, key): the indices of the tables it is in, counted from 0, or
# OUTSIDE where it is in none; key "" is the table's own header.
Place = tuple[int, int, str]

_BLANKED: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # multi-line strings, which may hold what looks like a header
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'  # single-line strings, matched only to find where comments begin
    r"|'[^'\n]*'"
    r"|#[^\n]*",
    re.DOTALL,
)
_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*")
_KEY: Final = re.compile(r"""\s*([A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')\s*[.=]""")


def lines_of(text: str) -> dict[Place, int]:
    """The line, from 1, of every table header and key of a text that is known to be TOML."""

    def blank(match: re.Match[str]) -> str:
        token = match[0]
        multi = token.startswith(('"""', "'''"))
        return "\n" * token.count("\n") if multi else "" if token[0] == "#" else token

    lines: dict[Place, int] = {}
    table: tuple[int, int] | None = (OUTSIDE, OUTSIDE)
    organisation = sensor = OUTSIDE
    for number, line in enumerate(_BLANKED.sub(blank, text).split("\n"), 1):
        if header := _HEADER.fullmatch(line):
            path = [part.strip().strip("\"'") for part in header[2].split(".")]
            if path == ["organisation"]:
                organisation, sensor = organisation + 1, OUTSIDE
                lines.setdefault((OUTSIDE, OUTSIDE, "organisation"), number)
                place = (organisation, sensor, "")
            elif path == ["organisation", "sensor"]:
                sensor += 1
                lines.setdefault((organisation, OUTSIDE, "sensor"), number)
                place = (organisation, sensor, "")
            elif path[0] != "organisation":
                place = (OUTSIDE, OUTSIDE, path[0])
            elif path[1] != "sensor":
                place = (organisation, OUTSIDE, path[1])
            else:
                place = (organisation, sensor, path[2])
            table = place[:2] if place[2] == "" else None
            lines.setdefault(place, number)
        elif table is not None and (key := _KEY.match(line)):
            lines.setdefault((*table, key[1].strip("\"'")), number)
    return lines


class _Reading:
    """One registry being read: what is wrong with it so far, and which ids are taken where."""

    def __init__(self, where: str, prefix: str, lines: dict[Place, int]) -> None:
        self.where = where
        self.prefix = prefix
        self.lines = lines
        self.problems: list[Problem] = []
        self.taken: dict[tuple[str, str], int | None] = {}

    def line(self, place: Place) -> int | None:
        organisation, sensor, _ = place
        nearest: list[Place] = [place, (organisation, sensor, "")]
        if sensor != OUTSIDE:  # written in line: sensor = [{ id = "…" }]
            nearest.append((organisation, OUTSIDE, "sensor"))
        nearest += [(organisation, OUTSIDE, ""), (OUTSIDE, OUTSIDE, "organisation")]
        return next((self.lines[near] for near in nearest if near in self.lines), None)

    def wrong(self, place: Place, message: str) -> None:
        self.problems.append(Problem(self.where, self.line(place), message))

    def document(self, document: dict[str, Any]) -> tuple[Organisation, ...]:
        top = (OUTSIDE, OUTSIDE)
        self.unknown_keys(top, document, ("organisation",))
        if document.get("organisation", []) == [] and not self.problems:
            self.wrong((*top, ""), "no [[organisation]] in it")
        tables = self.tables((*top, "organisation"), document, "[[organisation]]")
        return tuple(self.organisation(index, table) for index, table in enumerate(tables))

    def organisation(self, index: int, table: dict[str, Any]) -> Organisation:
        at = (index, OUTSIDE)
        self.unknown_keys(at, table, _ORGANISATION_KEYS)
        id_ = self.identity(at, table, "organisation") or ""
        if id_ and not _ID.fullmatch(id_):
            self.wrong(
                (*at, "id"),
                f"organisation id {quoted(id_)} may hold only a-z, 0-9 and '-'",
            )
        country = self.country(at, table)
        if country is None and "country" not in table:
            self.wrong((*at, "country"), "country is missing: an ISO 3166-1 alpha-2 code")
        name = self.string(at, table, "name")
        if name is None and "name" not in table:
            self.wrong((*at, "name"), "name is missing")
        sensors = self.tables((*at, "sensor"), table, "[[organisation.sensor]]")
        organisation = Organisation(
            id=id_,
            country=country or "",
            name=name or "",
            sector=self.string(at, table, "sector"),
            contact=self.string(at, table, "contact"),
            sensors=tuple(
                self.sensor((index, number), sensor, Party(id_, country or ""))
                for number, sensor in enumerate(sensors)
            ),
            trust=self.share(at, table, "trust"),
            conditions=self.conditions(at, table),
        )
        if id_ and _ID.fullmatch(id_):
            for topic in (topic_name(party, self.prefix) for party in organisation.parties):
                if problem := topic_problem(topic):
                    self.wrong((*at, "id"), problem)
                    break
        return organisation

    def words(self, organisations: Sequence[Organisation]) -> None:
        """An organisation must not be called what everybody is called in grants."""
        for index, one in enumerate(organisations):
            if one.id in {COMMUNITY, PUBLIC}:
                meant = f"releasable_to would mean everybody by {quoted(one.id)}"
                self.wrong((index, OUTSIDE, "id"), f"organisation id {quoted(one.id)}: {meant}")

    def sensor(self, at: tuple[int, int], table: dict[str, Any], home: Party) -> Sensor:
        self.unknown_keys(at, table, _SENSOR_KEYS)
        id_ = self.identity(at, table, "sensor")
        country = self.country(at, table)
        return Sensor(id_ or "", home._replace(country=country) if country else home)

    def unknown_keys(
        self, at: tuple[int, int], table: dict[str, Any], known: tuple[str, ...]
    ) -> None:
        for key in table:
            if key not in known:
                hint = did_you_mean(key, known) or f"; there are {', '.join(known)}"
                self.wrong((*at, key), f"unknown key {quoted(key)}{hint}")

    def tables(self, place: Place, table: dict[str, Any], header: str) -> list[dict[str, Any]]:
        found = table.get(place[2], [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.wrong(place, f"{place[2]} must be written as tables, each under {header}")
            return []
        return found

    def identity(self, at: tuple[int, int], table: dict[str, Any], kind: str) -> str | None:
        place = (*at, "id")
        id_ = self.string(at, table, "id")
        if id_ is None:
            if "id" not in table:
                self.wrong(place, f"{kind} without an id")
            return None
        if (kind, id_) in self.taken:
            first = self.taken[kind, id_]
            seen = f", first on line {first}" if first else ""
            self.wrong(place, f"{kind} id {quoted(id_)} is there twice{seen}: ids are unique")
        else:
            self.taken[kind, id_] = self.line(place)
        return id_

    def country(self, at: tuple[int, int], table: dict[str, Any]) -> str | None:
        code = self.string(at, table, "country")
        problem = None if code is None else country_problem(code)
        if problem:
            self.wrong((*at, "country"), f"country {problem}")
            return None
        return code

    def share(self, at: tuple[int, int], table: dict[str, Any], key: str) -> float | None:
        value = table.get(key)
        if value is None:
            return None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:
            self.wrong((*at, key), f"{key} must be a number from 0 to 1")
            return None
        return float(value)

    def conditions(self, at: tuple[int, int], table: dict[str, Any]) -> Conditions:
        conditions, problems = read_conditions(table)
        for key, message in problems:
            self.wrong((*at, key), message)
        return conditions

    def string(self, at: tuple[int, int], table: dict[str, Any], key: str) -> str | None:
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.wrong((*at, key), f"{key} must be text in quotes")
        elif not value.strip():
            self.wrong((*at, key), f"{key} is empty")
        elif len(value) > TEXT_LENGTH:
            self.wrong((*at, key), f"{key} is {len(value)} characters long, {TEXT_LENGTH} at most")
        elif has_control(value):
            self.wrong((*at, key), f"{key} {quoted(value)} holds a control character")
        else:
            return value
        return None
