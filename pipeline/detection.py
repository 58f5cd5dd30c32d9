"""Which events a base rule selects: a Sigma detection compiled to plain functions. No I/O here.

What pySigma made of a rule's `detection` is a tree of and, or, not and field-equals-value. Each
node becomes a function of an event once, when rules are read; none is looked at again per event.

A field is a path of OCSF attributes, as `dst_endpoint.port`. A list on the way stands for each of
its elements: the field matches when one of its values does. Text is compared as Sigma says, without
regard to case and with the wildcards * and ?; a number also equals its own text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec
import yaml
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from pipeline.problem import quoted
from pipeline.rule import Looked, Matches, Selection
from pipeline.yaml_node import Reading

_Test = Callable[[Any], bool]

_LONGEST_ADDRESS: Final = 64
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")
_COMPARE: Final[dict[CompareOperators, Callable[[float, float], bool]]] = {
    CompareOperators.LT: lambda value, bound: value < bound,
    CompareOperators.LTE: lambda value, bound: value <= bound,
    CompareOperators.GT: lambda value, bound: value > bound,
    CompareOperators.GTE: lambda value, bound: value >= bound,
    CompareOperators.NEQ: lambda value, bound: value != bound,
}


class UnsupportedError(Exception):
    """Something of Sigma that is not taken; the message says what, and what to do."""


def read_detection(reading: Reading, node: yaml.Node, name: str) -> Selection | None:
    """The selection that a rule's `detection` is; or None, and `reading` has noted why not."""
    if not isinstance(node, yaml.MappingNode):
        reading.wrong(node, "detection must be a mapping: searches by name, and a condition")
        return None
    before = len(reading.problems)
    searches: dict[str, SigmaDetection] = {}
    said: dict[str, Any] = {}
    condition: tuple[yaml.Node, str] | None = None
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            reading.wrong(key, "a key of detection must be a plain word")
        elif key.value == "condition":
            text = reading.text(value, "detection.condition")
            condition = None if text is None else (value, text)
        elif (plain := _plain(reading, value)) is not None:
            said[key.value] = plain
            if (search := _search(reading, value, plain)) is not None:
                searches[key.value] = search
    if not any(key.value == "condition" for key, _ in node.value):
        reading.wrong(node, "detection.condition is missing: which of its searches must match")
    elif not said and len(reading.problems) == before:
        reading.wrong(node, "detection has no search beside its condition")
    if len(reading.problems) > before or condition is None:
        return None
    at, text = condition
    attributes: set[str] = set()
    try:
        tree = SigmaDetections(dict(searches), [text]).parsed_condition[0].parsed
        matches = _compiled(tree, attributes)
    except (SigmaError, UnsupportedError, RecursionError) as error:
        reading.wrong(at, f"detection.condition: {_first_line(error)}")
        return None
    meaning = msgspec.json.encode((said, text), order="sorted")
    digest = blake2b(meaning, digest_size=8, person=b"selection").hexdigest()
    return Selection(name, digest, tuple(sorted(attributes)), matches)


def _plain(reading: Reading, node: yaml.Node) -> Any:
    """A search as plain values; None, and noted, if it is neither a mapping nor a list of them."""
    if isinstance(node, yaml.MappingNode):
        found = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                reading.wrong(key, "a field must be a plain word")
            else:
                found[key.value] = _values_of(reading, value)
        return found
    if isinstance(node, yaml.SequenceNode) and all(
        isinstance(each, yaml.MappingNode) for each in node.value
    ):
        return [_plain(reading, each) for each in node.value]
    reading.wrong(node, "a search must be fields with their values, or a list of such")
    return None


def _values_of(reading: Reading, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_value(reading, each) for each in node.value]
    return _value(reading, node)


def _value(reading: Reading, node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        reading.wrong(node, "a field's value must be a single one, or a list of single ones")
        return None
    text = str(node.value)
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "bool":
            return text.lower() in {"true", "yes", "on"}
        case "int" if _WHOLE.fullmatch(text):
            return int(text)
        case "float" if _DECIMAL.fullmatch(text):
            return float(text)
        case "str" | "timestamp":
            return text
    reading.wrong(node, f"{quoted(text)}: write numbers in decimal, or put it in quotes")
    return None


def _search(reading: Reading, node: yaml.Node, plain: Any) -> SigmaDetection | None:
    """As pySigma understands it. Field by field, so that what is wrong is told with its line."""
    if isinstance(node, yaml.SequenceNode):
        parts = [_search(reading, each, of) for each, of in zip(node.value, plain, strict=True)]
        good = [part for part in parts if part is not None]
        if not parts:
            reading.wrong(node, "a search without fields selects nothing")
        return SigmaDetection(list(good)) if good else None
    items: list[SigmaDetectionItem | SigmaDetection] = []
    if not node.value:
        reading.wrong(node, "a search without fields selects nothing")
    for key, _ in node.value:
        try:
            item = SigmaDetectionItem.from_mapping(key.value, plain[key.value])
            _compiled(
                item.postprocess(SigmaDetections({"x": SigmaDetection([item])}, ["x"])), set()
            )
            items.append(item)
        except (SigmaError, UnsupportedError, re.error, ValueError, TypeError) as error:
            reading.wrong(key, f"{quoted(key.value)}: {_first_line(error)}")
    return SigmaDetection(items) if items else None


def _first_line(error: BaseException) -> str:
    said = str(error).strip().partition("\n")[0]
    return "".join(character if character.isprintable() else "?" for character in said)[:200]


def _compiled(node: Any, attributes: set[str]) -> Matches:
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _field(node, attributes)
    if isinstance(node, ConditionAND | ConditionOR | ConditionNOT):
        parts = tuple(_compiled(part, attributes) for part in node.args)
        if isinstance(node, ConditionNOT):
            (negated,) = parts
            return lambda event: not negated(event)
        if isinstance(node, ConditionAND):
            return lambda event: all(part(event) for part in parts)
        return lambda event: any(part(event) for part in parts)
    if node is None:  # pySigma's `1 of x*` where no search is called so
        raise UnsupportedError("no search has a name that it asks for")
    raise UnsupportedError("a value without a field is not supported: name the attribute it is in")


def _field(node: ConditionFieldEqualsValueExpression, attributes: set[str]) -> Matches:
    path = tuple(node.field.split("."))
    if not all(path):
        raise UnsupportedError(f"field {node.field!r} is no path of attributes, as tls.sni")
    attributes.add(path[0])
    values = _values(path)
    value = node.value
    if isinstance(value, SigmaNull):
        return lambda event: not values(event)
    if isinstance(value, SigmaExists):
        wanted = bool(value)
        return lambda event: bool(values(event)) is wanted
    test = _test(value)
    return lambda event: any(map(test, values(event)))


def _values(path: tuple[str, ...]) -> Callable[[Looked], list[Any]]:
    """All values at a path; null is none."""

    def values(event: Looked) -> list[Any]:
        at: list[Any] = [event]
        for step in path:
            following: list[Any] = []
            for node in at:
                child = node.get(step) if isinstance(node, dict) else None
                if isinstance(child, list):
                    following += [each for each in child if each is not None]
                elif child is not None:
                    following.append(child)
            at = following
        return at

    return values


def _test(value: Any) -> _Test:
    if isinstance(value, SigmaExpansion):
        tests = tuple(map(_test, value.values))
        return lambda found: any(test(found) for test in tests)
    if isinstance(value, SigmaString):
        return _text(value)
    if isinstance(value, SigmaBool):
        truth = bool(value)
        return lambda found: found is truth
    if isinstance(value, SigmaRegularExpression):
        flags = [value.sigma_to_python_flags[flag] for flag in value.flags]
        search = re.compile(str(value.regexp), sum(flags, re.RegexFlag(0))).search
        return lambda found: (text := _said(found)) is not None and search(text) is not None
    if isinstance(value, SigmaCIDRExpression):
        network = value.network
        return lambda found: isinstance(found, str) and _within(found, network)
    if isinstance(value, SigmaCompareExpression):
        compare, bound = _COMPARE[value.op], value.number.number
        return lambda found: _is_number(found) and compare(found, bound)
    if type(value) is SigmaNumber:
        number, written = value.number, str(value)
        return lambda found: found == (number if _is_number(found) else written)
    raise UnsupportedError("a value of this kind is not supported")


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _said(found: Any) -> str | None:
    """A single value as text, as JSON writes it."""
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, int | float) else None


def _text(value: SigmaString) -> _Test:
    cased = isinstance(value, SigmaCasedString)
    if not value.contains_special():
        plain = _joined(value.s) if cased else _joined(value.s).lower()
        if cased:
            return lambda found: _said(found) == plain
        return lambda found: (text := _said(found)) is not None and text.lower() == plain
    full = re.compile(_pattern(value.s), re.DOTALL | (0 if cased else re.IGNORECASE)).fullmatch
    return lambda found: (text := _said(found)) is not None and full(text) is not None


def _joined(parts: Iterable[Any]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def _pattern(parts: Iterable[Any]) -> str:
    """Wildcards as a pattern that cannot run away: what lies between two stars is looked for once,
    at its first place, as `fnmatch.translate` does.
    """
    stretches = [""]
    for part in parts:
        if part is SpecialChars.WILDCARD_MULTI:
            stretches.append("")
        elif part is SpecialChars.WILDCARD_SINGLE:
            stretches[-1] += "."
        elif isinstance(part, str):
            stretches[-1] += re.escape(part)
        else:
            raise UnsupportedError("placeholders (|expand) are not supported: write the values out")
    first, *rest = stretches
    if not rest:
        return first
    *between, last = rest
    return first + "".join(f"(?>.*?{stretch})" for stretch in between if stretch) + ".*" + last


@lru_cache(1 << 16)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _within(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    address = _address(text) if len(text) <= _LONGEST_ADDRESS else None
    return address is not None and address in network
