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
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
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

from pipeline.rule import Looked, Matches

_Test = Callable[[Any], bool]

_LONGEST_ADDRESS: Final = 64
_CLASS: Final = "class_uid"
_PLACEHOLDER: Final = "placeholders (|expand) are not supported: write the values out"
_COMPARE: Final[dict[CompareOperators, Callable[[float, float], bool]]] = {
    CompareOperators.LT: lambda value, bound: value < bound,
    CompareOperators.LTE: lambda value, bound: value <= bound,
    CompareOperators.GT: lambda value, bound: value > bound,
    CompareOperators.GTE: lambda value, bound: value >= bound,
    CompareOperators.NEQ: lambda value, bound: value != bound,
}


class UnsupportedError(Exception):
    """Something of Sigma that is not taken; the message says what, and what to do."""


def compiled(node: Any, attributes: set[str]) -> Matches:
    """The function that pySigma's tree of a condition is; adds what it looks at to `attributes`.

    An `UnsupportedError` says what of it is not taken.
    """
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _field(node, attributes)
    if isinstance(node, ConditionAND | ConditionOR | ConditionNOT):
        parts = tuple(compiled(part, attributes) for part in node.args)
        if isinstance(node, ConditionNOT):
            (negated,) = parts
            return lambda event: not negated(event)
        if isinstance(node, ConditionAND):
            return _all_of(parts)
        return _one_of(node.args) or _any_of(parts)
    if node is None:  # pySigma's `1 of x*` where no search is called so
        raise UnsupportedError("no search has a name that it asks for")
    raise UnsupportedError("a value without a field is not supported: name the attribute it is in")


def _all_of(parts: Sequence[Matches]) -> Matches:
    def matches(event: Looked) -> bool:
        for part in parts:  # noqa: SIM110 - `all` takes twice as long
            if not part(event):
                return False
        return True

    return matches


def _any_of(parts: Sequence[Matches]) -> Matches:
    def matches(event: Looked) -> bool:
        for part in parts:  # noqa: SIM110
            if part(event):
                return True
        return False

    return matches


def _one_of(nodes: Sequence[Any]) -> Matches | None:
    """Many values of one field, which is then looked at once; None if it is something else."""
    first = nodes[0]
    if not isinstance(first, ConditionFieldEqualsValueExpression) or not all(
        isinstance(node, ConditionFieldEqualsValueExpression)
        and node.field == first.field
        and not isinstance(node.value, SigmaNull | SigmaExists)
        for node in nodes
    ):
        return None
    values = _values(tuple(first.field.split(".")))
    if all(type(node.value) is SigmaNumber for node in nodes):
        numbers = frozenset(node.value.number for node in nodes)
        written = frozenset(str(node.value) for node in nodes)
        tests: tuple[_Test, ...] = (
            lambda found: found in numbers if _is_number(found) else _said(found) in written,
        )
    else:
        tests = tuple(_test(node.value) for node in nodes)

    def matches(event: Looked) -> bool:
        for found in values(event):
            for test in tests:
                if test(found):
                    return True
        return False

    return matches


def only(node: Any) -> tuple[frozenset[int] | None, frozenset[str] | None]:
    """What a selection's `classes` and `needs` are. It need not find all that could be told."""
    if isinstance(node, ConditionFieldEqualsValueExpression):
        value = node.value
        if isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value):
            return None, None
        needs = frozenset((node.field.partition(".")[0],))
        if node.field == _CLASS and type(value) is SigmaNumber and isinstance(value.number, int):
            return frozenset((value.number,)), needs
        return None, needs
    if not isinstance(node, ConditionAND | ConditionOR):
        return None, None
    classes, needed = zip(*map(only, node.args), strict=True)
    known = [of for of in classes if of is not None]
    demanded = [of for of in needed if of is not None and of != {_CLASS}]
    if isinstance(node, ConditionAND):
        return (
            frozenset.intersection(*known) if known else None,
            min(demanded, key=len) if demanded else None,
        )
    return (
        frozenset.union(*known) if len(known) == len(classes) else None,
        frozenset.union(*demanded) if len(demanded) == len(needed) else None,
    )


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

    def matches(event: Looked) -> bool:
        for found in values(event):  # noqa: SIM110
            if test(found):
                return True
        return False

    return matches


def _values(path: tuple[str, ...]) -> Callable[[Looked], Sequence[Any]]:
    """All values at a path; null is none."""
    if len(path) > 2:
        return lambda event: _walked(event, path)
    name, below = path[0], path[1] if len(path) == 2 else None

    def values(event: Looked) -> Sequence[Any]:
        """As `_walked`; most paths are short and have no list on them."""
        value = event.get(name)
        if below is not None:
            if type(value) is not dict:
                return () if value is None else _walked(event, path)
            value = value.get(below)
        if type(value) is list:
            return _walked(event, path)
        return () if value is None else (value,)

    return values


def _walked(event: Looked, path: tuple[str, ...]) -> list[Any]:
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
    return type(found) is int or type(found) is float


def _said(found: Any) -> str | None:
    """A single value as text, as JSON writes it."""
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, int | float) else None


def _text(value: SigmaString) -> _Test:
    cased = isinstance(value, SigmaCasedString)
    if value.contains_placeholder():
        raise UnsupportedError(_PLACEHOLDER)
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
        else:
            stretches[-1] += re.escape(part)
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
