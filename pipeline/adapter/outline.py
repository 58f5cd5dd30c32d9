"""The objects of an event, made of columns: of many records at once, the innermost first.

A table's rows say which objects its events have. Each becomes a type whose fields stand in the
rows' order; what a record says nothing of is left out when it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.adapter.column import Column
from pipeline.adapter.required import COMPLETED, NAMED, TEMPLATES
from pipeline.adapter.table import attribute

Columns = Mapping[str, Column]
"""By an attribute's path, as `src_endpoint.ip`, what each record has there."""


class Outline(Struct, frozen=True):
    """An object: the type that it is made as, and its fields in order."""

    type: Any
    fields: tuple[str | Outline, ...]
    """An attribute's path, or an object within."""
    always: tuple[Any, ...]
    """What a field is where nothing is said of it."""
    told_by: tuple[int, ...]
    """The fields of which one is there, or the object says nothing."""
    complete: Callable[[Any], None] | None

    def objects(self, columns: Columns, records: int) -> Column | None:
        """For each record the object, or None; and None if no record has it."""
        within = [
            columns.get(field) if isinstance(field, str) else field.objects(columns, records)
            for field in self.fields
        ]
        telling = [column for at in self.told_by if (column := within[at]) is not None]
        if not telling:
            return None
        made = [*map(self.type, *map(_whole, within, self.always))]
        # What is true is there. A zero is too: where one may be, each is looked at.
        if not any(map(all, telling)):
            nothing = (None,) * len(telling)
            told = zip(*telling, strict=True)
            made = [None if it == nothing else one for one, it in zip(made, told, strict=True)]
        if self.complete is not None:
            for one in made:
                if one is not None:
                    self.complete(one)
        return made

    def names(self) -> Sequence[str]:
        fields: Sequence[str] = self.type.__struct_fields__
        return fields


def _whole(column: Column | None, always: Any) -> Iterable[Any]:
    if column is None:
        return repeat(always)
    return column if always is None else [always if one is None else one for one in column]


def outline(targets: Iterable[str], at: str = "", last: Sequence[str] = ()) -> Outline:
    """Of attributes' paths, in the order of their rows; `last` are fields behind them that are
    always there.
    """
    depth = len(at) + 1 if at else 0
    template = TEMPLATES.get(at.rpartition(".")[2], {})
    below: dict[str, list[str]] = {name: [] for name in template}
    for target in targets:
        below.setdefault(target[depth:].partition(".")[0], []).append(target)
    completed = COMPLETED.get(at)
    if completed is not None:
        below.setdefault(completed.field, [])
    for name in last:
        below.setdefault(name, [])
    paths = {name: f"{at}.{name}" if at else name for name in below}
    fields = tuple(
        outline(inside, paths[name]) if inside and inside != [paths[name]] else paths[name]
        for name, inside in below.items()
    )
    told = last or NAMED.get(at) or [name for name, inside in below.items() if inside]
    return Outline(
        msgspec.defstruct(
            "Event" if not at else at.replace(".", "_"),
            [(attribute(name), Any, None) for name in below],
            rename={attribute(name): name for name in below},
            omit_defaults=True,
            gc=False,
        ),
        fields,
        tuple(template.get(name) for name in below),
        tuple(n for n, name in enumerate(below) if name in told),
        completed.complete if completed is not None else None,
    )
