"""The rows of a table as one function: hot code, written by the table, as a dataclass's are.

A loop over rows asks of each what it is; here that is asked once. What is written is what one would
write by hand: fetch a field, read it, put the value where it goes. Names in it are our own tables'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from pipeline.adapter import value
from pipeline.adapter.required import TEMPLATES
from pipeline.adapter.table import Fields, Problem, Row
from pipeline.indicator import LAST_PORT

Put = Callable[[dict[str, Any], Any], None]
Unreadable = Callable[[Row, Any], Problem]
Build = Callable[[Fields, dict[str, Any]], Problem | None]

# Of the commonest readings what nearly every value is: it need not be called for.
_AT_ONCE: Mapping[Callable[..., Any], str] = {
    value.text: f"type(raw) is str and 0 < len(raw) <= {value.MAX_TEXT}",
    value.integer: f"type(raw) is int and 0 <= raw < {2**63}",
    value.port: f"type(raw) is int and 0 <= raw <= {LAST_PORT}",
}


class Step(Struct, frozen=True):
    """One row: the object its field is in, the field's attribute there, and where the value goes.

    `put` does that where it is not simply a key, of `parent` or of the event.
    """

    row: Row
    above: tuple[str, ...]
    name: str
    parent: str | None
    key: str
    put: Put | None


def compiled(steps: Iterable[Step], unreadable: Unreadable) -> Build:
    """A function that adds to an event what the rows say of a record, or says why it is none."""
    steps = list(steps)
    known: dict[str, Any] = {"unreadable": unreadable}
    parents = {
        name: f"parent_{number}"
        for number, name in enumerate({s.parent: None for s in steps if s.parent and not s.put})
    }
    lines = ["def build(record, out):", *(f"    {local} = None" for local in parents.values())]
    above: tuple[str, ...] | None = None
    deep = "    "
    for number, step in enumerate(steps):
        if step.above != above:
            above = step.above
            lines.append("    at = record")
            deep = "    "
            for name in above:
                lines += [f"{deep}at = at.{name}", f"{deep}if at is not None:"]
                deep += "    "
        known |= {f"read_{number}": step.row.read, f"row_{number}": step.row}
        read = f"read_{number}(raw)"
        if at_once := _AT_ONCE.get(step.row.read):
            read = f"raw if {at_once} else {read}"
        lines += [
            f"{deep}raw = at.{step.name}",
            f"{deep}if raw is not None:",
            f"{deep}    value = {read}",
            f"{deep}    if value is not None:",
        ]
        inner = f"{deep}        "
        if step.put is not None:
            known[f"put_{number}"] = step.put
            lines.append(f"{inner}put_{number}(out, value)")
        elif step.parent is None:
            lines.append(f"{inner}out[{step.key!r}] = value")
        else:
            local = parents[step.parent]
            template = TEMPLATES.get(step.parent, {})
            lines += [
                f"{inner}if {local} is None:",
                f"{inner}    {local} = out.get({step.parent!r})",
                f"{inner}    if {local} is None:",
                f"{inner}        {local} = out[{step.parent!r}] = {template!r}",
                f"{inner}{local}[{step.key!r}] = value",
            ]
        if step.row.needed:
            lines += [
                f'{deep}    elif raw != "":',
                f"{deep}        return unreadable(row_{number}, raw)",
            ]
    lines.append("    return None")
    exec("\n".join(lines), known)  # noqa: S102 - of our own tables alone
    build: Build = known["build"]
    return build
