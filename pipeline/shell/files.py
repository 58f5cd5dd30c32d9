"""The files that a run is made from: registry, rules, GeoIP databases, data that is carried."""

from __future__ import annotations

import gzip
import json
import os
import sys
import zlib
from collections.abc import Collection, Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import IO, cast

from pipeline.benign import Benign
from pipeline.geo import Geo
from pipeline.problem import Problem
from pipeline.registry import Registry, read_registry
from pipeline.rule import Rule
from pipeline.rule_file import check_unique, read_rules
from pipeline.shell.geodb import open_counted
from pipeline.shell.printable import printable
from pipeline.shell.settings import Settings, WrongUseError
from pipeline.warninglist import decode as decode_cut

MAX_BYTES = 64 << 20
RULES = (".yml", ".yaml")
_SHOWN = 20
_GZIP = b"\x1f\x8b"


def carried(*parts: str) -> Path:
    """A file that the project carries: in the package, or, in a checkout, under `deploy/`."""
    packaged = Path(str(files("pipeline"))) / "data" / Path(*parts)
    if packaged.exists():
        return packaged
    return Path(str(files("pipeline"))).parent / "deploy" / Path(*parts)


def state_folder() -> Path:
    """XDG's place for what a program keeps between its runs."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "sightline"


def read_text(path: Path) -> str:
    """A text file; a `WrongUseError` says why it cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WrongUseError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise WrongUseError(f"{path}: not UTF-8") from None
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None


def open_events(path: str) -> IO[bytes]:
    """A file of events, also compressed by gzip, or stdin (`-`); a `WrongUseError` if it is none.

    What it holds is read by `events_in`.
    """
    if path == "-":
        return sys.stdin.buffer
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - whoever asked closes it
        if file.peek(2)[:2] != _GZIP:
            return file
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None


def events_in(file: Iterable[bytes], path: str) -> Iterator[bytes]:
    """Its lines; a `WrongUseError` where it cannot be read to its end."""
    try:
        yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise WrongUseError(f"{path}: {error}") from None


def in_folder(folder: Path, endings: Collection[str]) -> list[Path]:
    """The files below a folder that end so, in capitals or not, but for hidden ones: Kubernetes
    keeps what a volume had before in hidden folders of it, and editors their copies.
    """
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in endings
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    ]


def registry_of(path: Path, prefix: str = "") -> Registry:
    """The sensor registry; a `WrongUseError` names everything that is wrong with it."""
    if not path.exists():
        raise WrongUseError(f"{path}: no such file; SIGHTLINE_SENSORS names the sensor registry")
    registry, problems = read_registry(read_text(path), str(path), prefix)
    refuse(problems)
    assert registry is not None
    return registry


def rules_of(path: Path | None, settings: Settings | None = None) -> list[Rule]:
    """The rules of a file or a folder, by default the project's; `WrongUseError` as above.

    With `settings`, a rule that they do not allow to work is an error too.
    """
    at = path or carried("rules")
    sources = in_folder(at, RULES) if at.is_dir() else [at]
    found: list[tuple[str, Rule]] = []
    problems: list[Problem] = []
    for source in sources:
        rules, wrong = read_rules(read_text(source), str(source))
        found.extend((str(source), rule) for rule in rules)
        problems.extend(wrong)
    problems.extend(check_unique(found))
    refuse(problems)
    if not found:
        raise WrongUseError(f"{at}: no rules")
    if settings is not None and not (settings.geoip_asn_db or settings.geoip_db):
        for where, rule in found:
            if rule.field == "origin_as":  # the carried database knows countries only
                raise WrongUseError(f"{where}: {rule.title!r} counts origin_as: set geoip_asn_db")
    return [rule for _, rule in found]


def refuse(problems: list[Problem]) -> None:
    """A `WrongUseError` with the first of the problems, if there are any."""
    if problems:
        shown = [printable(str(problem)) for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            shown.append(f"and {len(problems) - _SHOWN} more")
        raise WrongUseError("\n".join(shown))


def geoip_path(settings: Settings) -> Path:
    """The database of countries."""
    return Path(settings.geoip_db or carried("geoip", "geo-whois-asn-country.mmdb"))


def warninglists_path(settings: Settings) -> Path:
    return Path(settings.warninglists or carried("warninglists", "lists.jsonl"))


def toml_text(text: str) -> str:
    """A text as TOML writes it: as JSON does, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def geo_of(settings: Settings) -> Geo:
    """The GeoIP databases: the carried one of countries where no other is set."""
    places = geoip_path(settings)
    networks = Path(settings.geoip_asn_db) if settings.geoip_asn_db else None
    return Geo(open_counted(places, "country"), open_counted(networks, "asn") if networks else None)


def benign_of(settings: Settings) -> Benign:
    """The lists of benign infrastructure: the carried cut where no other is set."""
    path = warninglists_path(settings)
    lists = decode_cut(read_text(path).encode())
    if isinstance(lists, str):
        raise WrongUseError(f"{path}: {lists}; `sightline warninglists` makes such a file")
    return Benign(lists, lowers=settings.known_benign == "lower")
