"""Records to events row by row: what `pipeline.adapter.mapper` does column by column, in the plainest
way. It is the oracle of the clever one.
"""

from __future__ import annotations

from typing import Any

from pipeline.adapter.instant import Clock
from pipeline.adapter.required import NAMED, TEMPLATES
from pipeline.adapter.table import Fields, Row, Shape, Table


def event(record: Fields, table: Table, shape: Shape, clock: Clock) -> dict[str, Any] | None:
    """The event's attributes; None of a record that is rejected."""
    out: dict[str, Any] = {}
    time = _time(record, table, shape, clock)
    if time is None:
        named = [row for row in table.rows if row.target == "time" and _given(record, row, shape)]
        if not table.undated or named:
            return None
        out = {"time": clock.reference_ms, "unmapped": {"undated": True}}
    else:
        out = {"time": time}
    for row in _in_order(table, shape):
        raws = [shape.value(record, source) for source in row.sources]
        if len(raws) == 1 and raws[0] is None:
            continue
        value = row.read(*raws)
        if value is not None:
            _put(out, row.target, value)
        elif row.needed and raws[0] != "":
            return None
    _complete(out)
    out.setdefault("severity_id", table.severity_id)
    out.setdefault("activity_id", table.activity_id)
    return out | {"type_uid": table.class_uid * 100 + out["activity_id"]}


def _given(record: Fields, row: Row, shape: Shape) -> bool:
    return any(shape.value(record, source) is not None for source in row.sources)


def _time(record: Fields, table: Table, shape: Shape, clock: Clock) -> int | None:
    for row in table.rows:
        if row.target == "time" and _given(record, row, shape):
            ms: int | None = row.read(*[shape.value(record, one) for one in row.sources], clock)
            if ms is not None:
                return ms
    return None


def _in_order(table: Table, shape: Shape) -> list[Row]:
    """Those of one field, an object of the record after another; then those of several."""
    rows = [row for row in table.rows if row.target != "time"]
    single = [row for row in rows if len(row.sources) == 1]
    objects = [shape.path(row.sources[0])[:-1] for row in single]
    single.sort(key=lambda row: objects.index(shape.path(row.sources[0])[:-1]))
    return [*single, *(row for row in rows if len(row.sources) > 1)]


def _put(out: dict[str, Any], target: str, value: Any) -> None:
    *above, last = target.removesuffix("[]").split(".")
    at = out
    for name in above:
        at = at.setdefault(name, dict(TEMPLATES.get(name, {})))
    if target.endswith("[]"):
        listed = at.setdefault(last, [])
        for one in value:
            if one not in listed:
                listed.append(one)
    else:
        at[last] = value


def _complete(out: dict[str, Any]) -> None:
    if "credential_uid" in out.get("user", {}):
        out["user"].setdefault("name", "")
    url = out.get("http_request", {}).get("url")
    if url is not None and "url_string" not in url:
        url.setdefault("path", "")
    for name, names in NAMED.items():
        if name in out and not out[name].keys() & set(names):
            del out[name]
