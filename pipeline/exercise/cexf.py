"""Scenarios in MISP's Common Exercise Format (CEXF): bytes in, a scenario or what is wrong out.
Never raises. No I/O here.

Source: MISP/cexf, "format description", and its sample, which says more than the description does:
where one of several is allowed, it stands alone or in a list; what is empty is a list or an object.
Types of payloads that are ours begin with `sightline_`; what is not named here is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from pipeline.problem import Problem, quoted

MOST_BYTES: Final = 16 << 20
MOST_SECONDS: Final = 90 * 86_400
_SECONDS: Final = re.compile(r"\d{1,9}")

Text = Annotated[str, Meta(max_length=4_096)]
Identity = Annotated[str, Meta(min_length=1, max_length=64)]


class Payload(Struct, frozen=True):
    """What an inject brings: `file`, `tcp_connection`, or one of ours."""

    uuid: Identity
    type: Text
    name: Text = ""
    parameters: dict[str, Any] = {}


class Check(Struct, frozen=True):
    """One condition on what was told: `alert.value` equals any of some values, say."""

    path: str
    comparison: str
    values: tuple[Any, ...]


class Evaluation(Struct, frozen=True):
    """What is looked for after an inject, and what it is worth: from `least` to `most`.

    `any_of`: one of the checks will do; else all of them count.
    """

    result: str
    least: float
    most: float
    checks: tuple[Check, ...]
    any_of: bool = False


class Inject(Struct, frozen=True):
    """Something that happens."""

    uuid: str
    name: str
    action: str
    target_tool: str
    payload: str
    evaluations: tuple[Evaluation, ...]


class Step(Struct, frozen=True):
    """When an inject happens: so many seconds after the start, or None: after those before it.

    `after`: injects that must have been done.
    """

    inject: str
    description: str
    at_s: int | None
    after: tuple[str, ...]


class Scenario(Struct, frozen=True):
    """A whole exercise. `duration_s` is how long it is meant to take."""

    uuid: str
    name: str
    description: str
    tags: tuple[str, ...]
    duration_s: int
    flow: tuple[Step, ...]
    payloads: dict[str, Payload]
    injects: dict[str, Inject]


class _Exercise(Struct):
    uuid: Identity
    name: Text
    description: Text = ""
    tags: list[Text] = []
    total_duration: Any = "0"


class _Step(Struct):
    inject_uuid: Identity
    description: Text = ""
    requirements: Any = None
    timing: Any = None


class _Inject(Struct):
    uuid: Identity
    name: Text = ""
    action: Text = ""
    target_tool: Text = ""
    action_payload_resource_uuid: Text = ""
    inject_evaluation: Any = None


class _Document(Struct):
    exercise: _Exercise
    inject_flow: list[_Step]
    inject_payloads: list[Payload]
    injects: list[_Inject]


_decode = msgspec.json.Decoder(_Document).decode


def read_scenario(raw: bytes, where: str) -> tuple[Scenario | None, list[Problem]]:
    """The scenario of a CEXF file, or None and what is wrong with it."""
    if len(raw) > MOST_BYTES:
        return None, [Problem(where, None, f"larger than {MOST_BYTES >> 20} MiB")]
    try:
        document = _decode(raw)
    except msgspec.ValidationError as error:
        return None, [Problem(where, None, f"not CEXF: {error}")]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return None, [Problem(where, None, f"not JSON: {error}")]
    problems = [Problem(where, None, wrong) for wrong in _wrong(document)]
    if problems:
        return None, problems
    about = document.exercise
    injects = {one.uuid: _inject(one) for one in document.injects}
    return (
        Scenario(
            about.uuid,
            about.name,
            about.description,
            tuple(about.tags),
            _seconds(about.total_duration) or 0,
            tuple(_step(one) for one in document.inject_flow),
            {one.uuid: one for one in document.inject_payloads},
            injects,
        ),
        [],
    )


def _wrong(document: _Document) -> Iterator[str]:
    payloads = {one.uuid for one in document.inject_payloads}
    injects = [one.uuid for one in document.injects]
    if not document.inject_flow:
        yield "inject_flow is empty: nothing happens"
    for uuid in sorted({one for one in injects if injects.count(one) > 1}):
        yield f"inject {quoted(uuid)} is there twice"
    for inject in document.injects:
        needed = inject.action_payload_resource_uuid
        if needed and needed not in payloads:
            yield f"inject {quoted(inject.uuid)}: there is no payload {quoted(needed)}"
    done: set[str] = set()
    for step in document.inject_flow:
        if step.inject_uuid not in injects:
            yield f"inject_flow: there is no inject {quoted(step.inject_uuid)}"
        for before in _required(step.requirements):
            if before not in done:
                yield f"inject_flow: {quoted(step.inject_uuid)} comes before what it requires"
        done.add(step.inject_uuid)
        timing = step.timing.get("triggered_at") if isinstance(step.timing, dict) else None
        if timing is not None and _seconds(timing) is None:
            yield f"inject_flow: triggered_at {quoted(str(timing))} is no number of seconds"


def _required(requirements: object) -> list[str]:
    found = requirements if isinstance(requirements, list) else [requirements]
    return [
        one["inject_uuid"]
        for one in found
        if isinstance(one, dict) and isinstance(one.get("inject_uuid"), str)
    ]


def _seconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return int(text) if _SECONDS.fullmatch(text) and int(text) <= MOST_SECONDS else None


def _step(step: _Step) -> Step:
    timing = step.timing if isinstance(step.timing, dict) else {}
    return Step(
        step.inject_uuid,
        step.description,
        _seconds(timing.get("triggered_at")),
        tuple(_required(step.requirements)),
    )


def _inject(inject: _Inject) -> Inject:
    given = inject.inject_evaluation
    several = given if isinstance(given, list) else [given]
    return Inject(
        inject.uuid,
        inject.name,
        inject.action,
        inject.target_tool,
        inject.action_payload_resource_uuid,
        tuple(_evaluation(one) for one in several if isinstance(one, dict)),
    )


def _evaluation(given: Mapping[str, Any]) -> Evaluation:
    span = given.get("score_range")
    numbers = [
        float(one)
        for one in (span if isinstance(span, list) else [])
        if isinstance(one, int | float) and not isinstance(one, bool)
    ]
    least, most = (numbers[0], numbers[-1]) if numbers else (0.0, 0.0)
    parameters = given.get("parameters")
    any_of = isinstance(parameters, dict) and isinstance(parameters.get("OR"), list)
    several = parameters["OR"] if any_of and isinstance(parameters, dict) else parameters
    listed = several if isinstance(several, list) else [several]
    checks = [
        Check(str(path), str(of.get("comparison", "")), tuple(_listed(of.get("values"))))
        for one in listed
        if isinstance(one, dict)
        for path, of in one.items()
        if isinstance(of, dict)
    ]
    return Evaluation(str(given.get("result", "")), least, most, tuple(checks), any_of)


def _listed(values: object) -> list[Any]:
    if values is None:
        return []
    return values if isinstance(values, list) else [values]
