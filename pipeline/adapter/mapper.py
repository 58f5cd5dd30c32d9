"""Records to events, by their table: the engine. Hot code is plain code.

Many records of one table are mapped at once, a column after another: to go from row to row for each
record costs several times what the rows do. What can be known of a row before a record comes is
worked out once, in a `Mapper`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from pipeline.adapter.column import Column, Read, ReadTimes, reading, reading_times
from pipeline.adapter.instant import Clock
from pipeline.adapter.outline import outline
from pipeline.adapter.required import needs
from pipeline.adapter.table import Fields, Problem, Row, Shape, Table, attribute
from pipeline.problem import quoted

_USER_INFO = re.compile(r"://[^/?#]*@")
_json = msgspec.json.Encoder().encode
_OWN_ID = "metadata.uid"


class Mapped(Struct, frozen=True):
    """What came of some records of one table, by their place among them."""

    events: Sequence[Any]
    """Their attributes; of one that is a problem, nothing of use."""
    names: Column | None
    """The ids that they have of their own, where any has one."""
    problems: dict[int, Problem]
    lacking: frozenset[int]
    """Those that have not what their class requires."""
    undated: frozenset[int]


class _Step(Struct, frozen=True):
    """A row of one field, made ready."""

    row: Row
    source: str
    read: Read
    target: str
    many: bool


class Mapper:
    """A table, made ready for the records of a shape."""

    def __init__(self, table: Table, shape: Shape) -> None:
        self.table = table
        self._shape = shape
        self._times = [row for row in table.rows if row.target == "time"]
        self._getters = [tuple(map(shape.getter, row.sources)) for row in self._times]
        first = self._times[0] if self._times else None
        self._read_times: ReadTimes | None = (
            reading_times(first.read) if first is not None and len(first.sources) == 1 else None
        )
        others = [row for row in table.rows if row.target != "time"]
        self._wanted = _wanted(table.rows, shape)
        self._steps = _in_order(
            [
                _Step(row, row.sources[0], reading(row.read), *_target(row))
                for row in others
                if len(row.sources) == 1
            ],
            shape,
        )
        self._joint = [row for row in others if len(row.sources) > 1]
        targets = ["time", *(step.target for step in self._steps)]
        targets += [_target(row)[0] for row in self._joint]
        if table.undated:
            within = any(target.startswith("unmapped.") for target in targets)
            targets.insert(len(targets) if within else 1, "unmapped.undated")
        self._outline = outline(
            [target for target in dict.fromkeys(targets) if target != _OWN_ID],
            last=("severity_id", "activity_id", "type_uid"),
        )
        places = {name: at for at, name in enumerate(self._outline.names())}
        self._needed = [
            [attrgetter(name) for name in any_of if name in places]
            for any_of in needs(table.class_uid)
        ]

    def build(self, records: Sequence[Fields], clock: Clock) -> Mapped:
        """The events of records, as far as their rows say it."""
        problems: dict[int, Problem] = {}
        raws = self._columns(records)
        columns, undated = self._dated(records, raws, clock, problems)
        for step in self._steps:
            raw = raws.get(step.source)
            if raw is None:
                continue
            values = step.read(raw)
            if step.row.needed:
                _note_unreadable(step.row, raw, values, problems)
            _put(columns, step.target, values, many=step.many)
        for row in self._joint:
            given = [raws.get(source) or repeat(None, len(records)) for source in row.sources]
            read = row.read
            target, many = _target(row)
            _put(columns, target, [read(*of) for of in zip(*given, strict=True)], many=many)
        names = columns.pop(_OWN_ID, None)
        self._say_what(columns, len(records))
        events = self._outline.objects(columns, len(records)) or ()
        return Mapped(events, names, problems, self._lacking(events), undated)

    def _columns(self, records: Sequence[Fields]) -> dict[str, Column]:
        """Field by field, as written; one that no record has is left out."""
        raws: dict[str, Column] = {}
        objects: dict[tuple[str, ...], dict[str, Column]] = {}
        for path, wanted, names in self._wanted:
            found = objects[path[:-1]].get(path[-1]) if path else records
            objects[path] = at = _fields(_all_there(found), names) if found else {}
            for source, name in wanted if at else ():
                raw = at[name]
                if any(raw) or not all(one is None for one in raw):
                    raws[source] = raw
        return raws

    def _dated(
        self,
        records: Sequence[Fields],
        raws: dict[str, Column],
        clock: Clock,
        problems: dict[int, Problem],
    ) -> tuple[dict[str, Column], frozenset[int]]:
        """The column of times, and of what has none."""
        times: list[Any] = [None] * len(records)
        if self._read_times is not None:
            raw = raws.get(self._times[0].sources[0])
            if raw is not None:
                times = [*self._read_times(raw, clock)]
        undated: set[int] = set()
        if not all(times):
            for at, ms in enumerate(times):
                if ms is None:
                    told = self._time(records[at], clock)
                    if isinstance(told, Problem):
                        problems[at] = told
                    elif told is None:
                        times[at] = clock.reference_ms
                        undated.add(at)
                    else:
                        times[at] = told
        columns: dict[str, Column] = {"time": times}
        if undated:
            columns["unmapped.undated"] = [
                True if at in undated else None for at in range(len(records))
            ]
        return columns, frozenset(undated)

    def _time(self, record: Fields, clock: Clock) -> int | Problem | None:
        """A record's time; None of one that names none, and may."""
        wrong: Problem | None = None
        for row, getters in zip(self._times, self._getters, strict=True):
            raws = [get(record) for get in getters]
            if all(raw is None for raw in raws):
                continue
            ms: int | None = row.read(*raws, clock)
            if ms is not None:
                return ms
            wrong = wrong or _unreadable(row, raws[0])
        if wrong is None and self.table.undated:
            return None
        named = " or ".join(row.sources[0] for row in self._times)
        return wrong or Problem(f"no time: it has no {named}")

    def _say_what(self, columns: dict[str, Column], records: int) -> None:
        """How grave it is, and what was done, where no row has said it."""
        table = self.table
        gravity = columns.get("severity_id")
        columns["severity_id"] = (
            [table.severity_id] * records
            if gravity is None
            else [table.severity_id if one is None else one for one in gravity]
        )
        of_class = table.class_uid * 100
        done = columns.get("activity_id")
        if done is None:
            columns["activity_id"] = [table.activity_id] * records
            columns["type_uid"] = [of_class + table.activity_id] * records
        else:
            done = [table.activity_id if one is None else one for one in done]
            columns["activity_id"] = done
            columns["type_uid"] = [of_class + one for one in done]

    def _lacking(self, events: Sequence[Any]) -> frozenset[int]:
        found: set[int] = set()
        for any_of in self._needed:
            there = [[*map(get, events)] for get in any_of]
            if not there:
                return frozenset(range(len(events)))
            if not any(map(all, there)):
                nothing = (None,) * len(there)
                found.update(n for n, has in enumerate(zip(*there, strict=True)) if has == nothing)
        return frozenset(found)

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


def _target(row: Row) -> tuple[str, bool]:
    """An attribute's path, and whether what is read is appended there."""
    return row.target.removesuffix("[]"), row.target.endswith("[]")


def _in_order(steps: Sequence[_Step], shape: Shape) -> list[_Step]:
    """By the objects that hold their fields: the order in which events have always been written."""
    objects = list(dict.fromkeys(shape.path(step.source)[:-1] for step in steps))
    return sorted(steps, key=lambda step: objects.index(shape.path(step.source)[:-1]))


_Wanted = tuple[tuple[str, ...], list[tuple[str, str]], tuple[str, ...]]


def _wanted(rows: Iterable[Row], shape: Shape) -> list[_Wanted]:
    """By the object within a record that holds them, the outer first: fields and their names, and
    the names of all that is wanted of the object.
    """
    found: dict[tuple[str, ...], dict[str, str]] = {(): {}}
    for row in rows:
        for source in row.sources:
            *above, last = map(attribute, shape.path(source))
            for depth in range(len(above)):
                found.setdefault(tuple(above[: depth + 1]), {})
            found[tuple(above)][source] = last
    within = {path: [one[-1] for one in found if one[:-1] == path and one] for path in found}
    return [
        (path, list(of.items()), tuple(dict.fromkeys([*of.values(), *within[path]])))
        for path, of in sorted(found.items(), key=lambda one: len(one[0]))
    ]


def _fields(objects: Sequence[Any], names: Sequence[str]) -> dict[str, Column]:
    """Of objects of one type, by their fields' names a column each."""
    if not objects:
        return {}
    fields = type(objects[0]).__struct_fields__
    if len(names) * 2 > len(fields):
        return dict(zip(fields, zip(*map(astuple, objects), strict=True), strict=True))
    rows = [*map(astuple, objects)]
    return {name: [*map(itemgetter(fields.index(name)), rows)] for name in names}


def _all_there(objects: Column) -> Column:
    """One without fields for each that is missing; none at all if all are."""
    if all(objects):
        return objects
    there = next((one for one in objects if one is not None), None)
    if there is None:
        return ()
    empty = type(there)()
    return [empty if one is None else one for one in objects]


def _put(columns: dict[str, Column], target: str, values: Column, *, many: bool) -> None:
    before = columns.get(target)
    if many:
        columns[target] = [
            of if one is None else _joined(of, one)
            for of, one in zip(before or repeat(None), values, strict=False)
        ]
    elif before is None:
        columns[target] = values
    else:
        columns[target] = [
            of if one is None else one for of, one in zip(before, values, strict=True)
        ]


def _joined(listed: Sequence[Any] | None, more: Sequence[Any]) -> Sequence[Any]:
    """What comes twice is said once."""
    if listed is None and len(more) < 2:
        return more
    joined = [*(listed or ())]
    for one in more:
        if one not in joined:
            joined.append(one)
    return joined


def _note_unreadable(row: Row, raw: Column, values: Column, problems: dict[int, Problem]) -> None:
    if not all(values):
        for at, value in enumerate(values):
            if value is None and raw[at] is not None and raw[at] != "":
                problems.setdefault(at, _unreadable(row, raw[at]))


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
