"""What a format maps: rows of native field, OCSF attribute, reading. The rows are the code.

A `Table` is for one kind of record. `docs/formats.md` is made of the tables, `--explain` walks
them, and a `Shape` is the type that a record is decoded to: of the fields that a row names, and no
other, so that the rest of a line costs nothing.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.adapter import required

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

    `alert`: every record is somebody's judgement; `judged`: one may be. `undated`: a record may
    leave out its time, which is then the reference time, and the event says so.
    """

    name: str
    class_uid: int
    activity_id: int
    rows: tuple[Row, ...]
    severity_id: int = 1
    alert: bool = False
    judged: bool = False
    undated: bool = False

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

    def getter(self, source: str) -> Callable[[Fields], Any]:
        """What reads a field of a record; None where an object on the way is missing."""
        *above, last = map(attribute, self.path(source))
        if not above:
            return attrgetter(last)

        def read(record: Fields) -> Any:
            for step in above:
                record = getattr(record, step)
                if record is None:
                    return None
            return getattr(record, last)

        return read

    def value(self, record: Fields, source: str) -> Any:
        return self.getter(source)(record)


def _struct(name: str, tree: Mapping[str, Any]) -> Any:
    fields: list[tuple[str, Any, Any]] = []
    for key, below in tree.items():
        of = _struct(f"{name}_{attribute(key)}", below) | None if below else Any
        fields.append((attribute(key), of, None))
    rename = {attribute(key): key for key in tree}
    return msgspec.defstruct(name, fields, rename=rename, gc=False)
