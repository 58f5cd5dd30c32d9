"""What `sightline score` reads: campaigns that were told, the truth, ids of alerts.

Pure: lines in, values and problems out; a line is never partly used. Source: the contract,
"Campaign". Attributes that are not named here may be there and are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec
from msgspec import Struct

from pipeline.event import Name
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.problem import Problem, did_you_mean, quoted
from pipeline.world.truth import Marked, Truth

MERGED = "merged"


class Told(Struct, frozen=True):
    """A campaign, its newest revision.

    `first_told` is the event time, in ms, of the latest sighting that was known when the campaign
    was first published: what the stage had to wait for before it could speak. It is optional.
    """

    id: Name
    indicators: tuple[Marked, ...]
    status: str = "open"
    merged_into: str | None = None
    alerts: tuple[str, ...] = ()
    first_told: int | None = None


class _FindingInfo(Struct):
    uid: Name


class _Alert(Struct):
    finding_info: _FindingInfo


T = TypeVar("T")


def read_told(lines: Iterable[bytes], where: str) -> tuple[list[Told], list[Problem]]:
    """The campaigns of a file, one JSON object a line, and what is wrong with it."""
    told, problems = _read(lines, where, Told, lambda one: one.id, _types)
    known = {one.id for one in told}
    for one in told:
        into = one.merged_into
        if not problems and one.status == MERGED and into is not None and into not in known:
            message = f"campaign {quoted(one.id)} is merged into {quoted(into)}, which is not there"
            problems.append(Problem(where, None, message))
    return told, problems


def read_truths(lines: Iterable[bytes], where: str) -> tuple[list[Truth], list[Problem]]:
    """The true campaigns of a file, one JSON object a line, and what is wrong with it."""
    return _read(lines, where, Truth, lambda one: one.campaign, _types)


def read_alerts(lines: Iterable[bytes], where: str) -> tuple[int, list[Problem]]:
    """How many alerts there are: each id once, whatever its revisions."""
    ids: set[str] = set()
    problems: list[Problem] = []
    decode = msgspec.json.Decoder(_Alert).decode
    for number, line in enumerate(lines, 1):
        if line.strip():
            alert = _decoded(decode, line)
            if isinstance(alert, str):
                problems.append(Problem(where, number, alert))
            else:
                ids.add(alert.finding_info.uid)
    return len(ids), problems


def _read(
    lines: Iterable[bytes],
    where: str,
    kind: type[T],
    name: Callable[[T], str],
    wrong: Callable[[T], str | None],
) -> tuple[list[T], list[Problem]]:
    found: list[T] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    decode = msgspec.json.Decoder(kind).decode
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        one = _decoded(decode, line)
        if isinstance(one, str):
            problems.append(Problem(where, number, one))
        elif (before := first.setdefault(name(one), number)) != number:
            message = f"campaign {quoted(name(one))} is there twice, first on line {before}"
            problems.append(Problem(where, number, message))
        elif (message := wrong(one) or "") != "":
            problems.append(Problem(where, number, message))
        else:
            found.append(one)
    return found, problems


def _decoded(decode: Callable[[bytes], T], line: bytes) -> T | str:
    try:
        return decode(line)
    except msgspec.ValidationError as error:
        return str(error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"not JSON: {error}"
    except RecursionError:
        return "not JSON that can be read: nested too deep"


def _types(one: Told | Truth) -> str | None:
    named = (*one.indicators, *(one.fringe if isinstance(one, Truth) else ()))
    for marked in named:
        if marked.type not in INDICATOR_TYPES:
            hint = did_you_mean(marked.type, INDICATOR_TYPES)
            return f"{quoted(marked.type)} is no type of indicator{hint}"
    return None
