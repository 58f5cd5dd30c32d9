"""Records to events, by their table: the engine. Hot code is plain code.

What can be known of a row before a record comes is worked out once, in a `Mapper`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.adapter.instant import Clock
from pipeline.adapter.required import TEMPLATES, drop_unnamed
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table, attribute
from pipeline.problem import quoted

_USER_INFO = re.compile(r"://[^/?#]*@")
_json = msgspec.json.Encoder().encode


class _Step(Struct, frozen=True):
    """A row, made ready: what reads its fields, and where its value goes."""

    row: Row
    getters: tuple[Callable[[Fields], Any], ...]
    parent: tuple[str, ...]
    key: str
    many: bool


def _step(row: Row, shape: Shape) -> _Step:
    *parent, key = row.target.removesuffix("[]").split(".")
    getters = tuple(map(shape.getter, row.sources))
    return _Step(row, getters, tuple(parent), key, row.target.endswith("[]"))


class _Group(Struct, frozen=True):
    """The rows of single fields of one object, which are fetched together: this is hot code."""

    above: tuple[str, ...]
    fetch: Callable[[Any], tuple[Any, ...]]
    steps: tuple[tuple[Callable[..., Any], str | None, str, _Step | None, Row | None], ...]


def _groups(steps: Iterable[_Step], shape: Shape) -> Iterator[_Group]:
    by_object: dict[tuple[str, ...], list[tuple[str, _Step]]] = {}
    for step in steps:
        *above, last = map(attribute, shape.path(step.row.sources[0]))
        by_object.setdefault(tuple(above), []).append((last, step))
    for at, members in by_object.items():
        names = [name for name, _ in members]
        yield _Group(
            at,
            # Of one name alone, attrgetter gives no tuple.
            attrgetter(*names) if len(names) > 1 else attrgetter(names[0], names[0]),
            tuple(
                (
                    step.row.read,
                    step.parent[0] if step.parent else None,
                    step.key,
                    step if len(step.parent) > 1 or step.many else None,
                    step.row if step.row.needed else None,
                )
                for _, step in members
            ),
        )


class Mapper:
    """A table, made ready for the records of a shape."""

    def __init__(self, table: Table, shape: Shape) -> None:
        self.table = table
        self._shape = shape
        steps = [_step(row, shape) for row in table.rows]
        self._times = [step for step in steps if step.row.target == "time"]
        others = [step for step in steps if step.row.target != "time"]
        self._joint = [step for step in others if len(step.getters) > 1]
        self._groups = tuple(_groups((one for one in others if len(one.getters) == 1), shape))

    def build(self, record: Fields, clock: Clock) -> dict[str, Any] | Problem:
        """The event's attributes; of `metadata` its id, if it has one of its own."""
        out: dict[str, Any] = {}
        problem = self._time(record, clock, out)
        if problem is not None:
            return problem
        for group in self._groups:
            at = record
            for name in group.above:
                at = getattr(at, name)
                if at is None:
                    break
            if at is None:
                continue
            for raw, (read, parent, key, rarely, needed) in zip(
                group.fetch(at), group.steps, strict=False
            ):
                if raw is None:
                    continue
                value = read(raw)
                if value is None:
                    if needed is not None and raw != "":
                        return _unreadable(needed, raw)
                elif rarely is not None:
                    _put(out, rarely, value)
                elif parent is None:
                    out[key] = value
                else:
                    inner = out.get(parent)
                    if inner is None:
                        template = TEMPLATES.get(parent)
                        inner = out[parent] = template.copy() if template else {}
                    inner[key] = value
        for step in self._joint:
            value = step.row.read(*[get(record) for get in step.getters])
            if value is not None:
                _put(out, step, value)
        drop_unnamed(out)
        if "severity_id" not in out:
            out["severity_id"] = self.table.severity_id
        activity = out.setdefault("activity_id", self.table.activity_id)
        out["type_uid"] = self.table.class_uid * 100 + activity
        return out

    def _time(self, record: Fields, clock: Clock, out: dict[str, Any]) -> Problem | None:
        wrong: Problem | None = None
        for step in self._times:
            raws = [get(record) for get in step.getters]
            if raws[0] is None and all(raw is None for raw in raws):
                continue
            ms = step.row.read(*raws, clock)
            if ms is not None:
                out["time"] = ms
                return None
            wrong = wrong or _unreadable(step.row, raws[0])
        if wrong is None and self.table.undated:
            out["time"] = clock.reference_ms
            out["unmapped"] = {"undated": True}
            return None
        named = " or ".join(step.row.sources[0] for step in self._times)
        return wrong or Problem(f"no time: it has no {named}")

    def explain(self, record: Fields, clock: Clock) -> Iterator[tuple[str, str, str, str]]:
        """Row by row, of those whose fields are there: fields, value, attribute, value."""
        for row in self.table.rows:
            raws = [self._shape.value(record, source) for source in row.sources]
            if all(raw is None for raw in raws):
                continue
            value = row.read(*raws, clock) if row.target == "time" else row.read(*raws)
            given = "(not shown)" if row.secret else ", ".join(map(_shown, raws))
            read = "(cannot be read)" if value is None else _shown(value)
            yield " + ".join(row.sources), given, row.target, read


def _put(out: dict[str, Any], step: _Step, value: Any) -> None:
    at = out
    for name in step.parent:
        below = at.get(name)
        if below is None:
            template = TEMPLATES.get(name)
            below = at[name] = template.copy() if template else {}
        at = below
    if step.many:
        listed = at.setdefault(step.key, [])
        listed.extend(one for one in value if one not in listed)
    else:
        at[step.key] = value


def _unreadable(row: Row, raw: Any) -> Problem:
    source = row.sources[0]
    if row.secret:
        return Problem(f"{source}: cannot be read")
    wanted = (
        "a time" if row.target == "time" else "an address" if ".ip" in row.target else "a value"
    )
    return Problem(f"{source}: not {wanted}: {_shown(raw)}")


def _shown(value: Any) -> str:
    """A value in one short line, every control character escaped, no password of a URL's in it."""
    if isinstance(value, str):
        return quoted(_USER_INFO.sub("://", value) if "@" in value else value)
    try:
        return quoted(_json(value).decode("utf-8", "replace")).strip("'")
    except (ValueError, TypeError, RecursionError):
        return quoted(str(type(value).__name__))
