"""What a format maps: rows of native field, OCSF attribute, reading. The rows are the code.

A `Table` is for one kind of record. `docs/formats.md` is made of the tables, `--explain` walks
them, and a `Shape` is the type that a record is decoded to: of the fields that a row names, and no
other, so that the rest of a line costs nothing.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.adapter import required
from pipeline.adapter.instant import Clock
from pipeline.adapter.required import TEMPLATES, drop_unnamed
from pipeline.problem import quoted

_USER_INFO = re.compile(r"://[^/?#]*@")

Fields = Any
"""A record: an instance of a `Shape`'s type."""


class Row(Struct, frozen=True):
    """One native field, or several that say something together, and what becomes of them.

    `target` is an attribute's path; with `[]` at its end, what is read is appended. A field that
    cannot be read is passed over, one that is `needed` rejects its record. The value of a `secret`
    one is shown nowhere. Times are read with the clock.
    """

    source: str | tuple[str, ...]
    target: str
    read: Callable[..., Any]
    needed: bool = False
    secret: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,) if isinstance(self.source, str) else self.source


class Table(Struct, frozen=True):
    """One kind of record: the OCSF class and activity it becomes, and the rows.

    `alert`: every record is somebody's judgement; `judged`: one may be.
    """

    name: str
    class_uid: int
    activity_id: int
    rows: tuple[Row, ...]
    severity_id: int = 1
    alert: bool = False
    judged: bool = False

    def head(self, product: Mapping[str, str], sensor: str) -> tuple[bytes, bytes]:
        """The JSON of what is the same in every event: before the id, and after it."""
        judged = (
            self.alert
            or self.judged
            or any(row.target.startswith(("firewall_rule.", "action_id")) for row in self.rows)
        )
        profiles = ["host", "security_control"] if judged else ["host"]
        metadata = {
            "version": "1.5.0",
            "profiles": profiles,
            "product": product,
            "log_name": self.name,
        }
        constants: dict[str, Any] = {
            "device": {"uid": sensor, "type_id": 0},
            "class_uid": self.class_uid,
            "category_uid": self.class_uid // 1000,
            **required.constants(self.class_uid, product),
        }
        if self.alert:
            constants["is_alert"] = True
        before = b'{"metadata":' + _json(metadata)[:-1] + b',"uid":'
        return before, b"}," + _json(constants)[1:-1] + b","


_json = msgspec.json.Encoder().encode


class Problem(Struct, frozen=True):
    """Why no event came of a record. `detail` is one line."""

    detail: str


def attribute(source: str) -> str:
    """A native field's name as an attribute's."""
    name = re.sub(r"\W", "_", source, flags=re.ASCII)
    if name[:1].isdigit():
        name = f"n{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


class Shape:
    """The type of a format's records, made of its tables. `nested`: a dot leads into an object."""

    def __init__(
        self, tables: Iterable[Table], more: Iterable[str] = (), *, nested: bool = True
    ) -> None:
        self._nested = nested
        sources = [source for table in tables for row in table.rows for source in row.sources]
        self.sources = tuple(dict.fromkeys([*sources, *more]))
        tree: dict[str, Any] = {}
        for source in self.sources:
            at = tree
            for step in self.path(source):
                at = at.setdefault(step, {})
        self.type: Any = _struct("Record", tree)
        self._attributes = {
            source: attribute(source) for source in self.sources if len(self.path(source)) == 1
        }

    def path(self, source: str) -> tuple[str, ...]:
        """`a[].b` is not in the line: an adapter gives it, one element after another."""
        return tuple(source.split(".")) if self._nested and "[]" not in source else (source,)

    def record(self, fields: Mapping[str, Any]) -> Fields:
        """A record of fields by native name; those that no row names are left out."""
        known = self._attributes
        return self.type(**{known[key]: of for key, of in fields.items() if key in known})

    def value(self, record: Fields, source: str) -> Any:
        for step in self.path(source):
            if record is None:
                return None
            record = getattr(record, attribute(step))
        return record


def _struct(name: str, tree: Mapping[str, Any]) -> Any:
    fields: list[tuple[str, Any, Any]] = []
    for key, below in tree.items():
        of = _struct(f"{name}_{attribute(key)}", below) | None if below else Any
        fields.append((attribute(key), of, None))
    rename = {attribute(key): key for key in tree}
    return msgspec.defstruct(name, fields, rename=rename, gc=False)


Step = tuple[tuple[str, ...], Callable[..., Any], Row, tuple[str, ...], str, bool]


class Mapper:
    """A table, made ready for the records of a shape."""

    def __init__(self, table: Table, shape: Shape) -> None:
        self.table = table
        self._shape = shape
        self._groups: dict[tuple[str, ...], list[tuple[str, Any, Row, Any, str, bool]]] = {}
        self._joint: list[Row] = []
        self._times = [row for row in table.rows if row.target == "time"]
        for row in table.rows:
            if row.target == "time":
                continue
            if len(row.sources) > 1:
                self._joint.append(row)
                continue
            *above, last = map(attribute, shape.path(row.sources[0]))
            at, key, many = _target(row.target)
            self._groups.setdefault(tuple(above), []).append((last, row.read, row, at, key, many))

    def build(self, record: Fields, clock: Clock) -> dict[str, Any] | Problem:
        """The event's attributes; of `metadata` its id, if it has one of its own."""
        out: dict[str, Any] = {}
        problem = self._time(record, clock, out)
        if problem is not None:
            return problem
        for above, rows in self._groups.items():
            at = record
            for step in above:
                at = getattr(at, step)
                if at is None:
                    break
            if at is None:
                continue
            for last, read, row, parent, key, many in rows:
                raw = getattr(at, last)
                if raw is None:
                    continue
                value = read(raw)
                if value is None:
                    if row.needed and raw != "":
                        return _unreadable(row, raw)
                    continue
                if parent is None and not many:
                    out[key] = value
                else:
                    _put(out, parent, key, value, many)
        for row in self._joint:
            raws = [self._shape.value(record, source) for source in row.sources]
            value = row.read(*raws)
            if value is not None:
                parent, key, many = _target(row.target)
                _put(out, parent, key, value, many)
        return self._whole(out)

    def _time(self, record: Fields, clock: Clock, out: dict[str, Any]) -> Problem | None:
        wrong: Problem | None = None
        for row in self._times:
            raws = [self._shape.value(record, source) for source in row.sources]
            if all(raw is None for raw in raws):
                continue
            ms = row.read(*raws, clock)
            if ms is not None:
                out["time"] = ms
                return None
            wrong = wrong or _unreadable(row, raws[0])
        named = " or ".join(row.sources[0] for row in self._times)
        return wrong or Problem(f"no time: it has no {named}")

    def _whole(self, out: dict[str, Any]) -> dict[str, Any]:
        drop_unnamed(out)
        table = self.table
        out.setdefault("severity_id", table.severity_id)
        activity = out.setdefault("activity_id", table.activity_id)
        out["type_uid"] = table.class_uid * 100 + activity
        return out

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


def _target(target: str) -> tuple[tuple[str, ...] | None, str, bool]:
    *above, key = target.removesuffix("[]").split(".")
    return tuple(above) or None, key, target.endswith("[]")


def _put(
    out: dict[str, Any], parent: tuple[str, ...] | None, key: str, value: Any, many: bool
) -> None:
    at = out
    for step in parent or ():
        below = at.get(step)
        if below is None:
            template = TEMPLATES.get(step)
            below = at[step] = template.copy() if template else {}
        at = below
    if many:
        listed = at.setdefault(key, [])
        listed.extend(one for one in value if one not in listed)
    else:
        at[key] = value


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
