"""A STIX pattern to the indicators that each by itself meets it. No I/O here.

Read are comparisons for equality, and alternatives of them. Of what must hold together only this:
the hashes of one file, any of which tells the file; what says only of what kind a value is; and a
file's name and size beside its hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stix2.exceptions import STIXError
from stix2.pattern_visitor import create_pattern_object
from stix2.patterns import (
    AndBooleanExpression,
    EqualityComparisonExpression,
    InComparisonExpression,
    ObservationExpression,
    OrBooleanExpression,
    OrObservationExpression,
    ParentheticalExpression,
    StringConstant,
)
from stix2patterns.exceptions import ParseException

from pipeline.canonical import CANONICAL
from pipeline.indicator import Indicator
from pipeline.indicator_type import (
    CREDENTIAL,
    CVE,
    DOMAIN,
    HASSH,
    IP,
    JA3,
    JA4,
    MD5,
    SHA1,
    SHA256,
    URL,
    USER_AGENT,
)
from pipeline.intel.reading import Why

MOST_CHARACTERS = 8_192
_PATHS: dict[str, tuple[str, ...]] = {
    "ipv4-addr:value": (IP,),
    "ipv6-addr:value": (IP,),
    "domain-name:value": (DOMAIN,),
    "url:value": (URL,),
    "network-traffic:src_ref.value": (IP, DOMAIN),
    "network-traffic:dst_ref.value": (IP, DOMAIN),
    "network-traffic:extensions.http-request-ext.request_header.User-Agent": (USER_AGENT,),
}
_HASHED = ("file", "artifact")
_HASHES = {"MD5": MD5, "SHA1": SHA1, "SHA256": SHA256}
_EXTENDED = {
    "network-traffic": {"ja3": JA3, "ja4": JA4, "hassh": HASSH},
    "user-account": {"credential": CREDENTIAL},
    "software": {"cve": CVE},
}
"""Properties of Sightline's own extension."""
_EXTENSION = re.compile(r"([a-z-]+):extensions\.extension-definition--[0-9a-f-]{36}\.([a-z0-9]+)")
_KIND = re.compile(r"network-traffic:(?:src|dst)_ref\.type")
_BESIDE_A_HASH = {"file:name", "file:size"}

Refused = tuple[Why, str]


class NotReadable(Exception):  # noqa: N818 - it is what it is
    """A pattern that cannot be read at all."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why = why


def read(pattern: str) -> tuple[list[Indicator], list[Refused]]:
    """The indicators in canonical form, and what of the pattern is none, with why.

    A `NotReadable` if it is no pattern.
    """
    if len(pattern) > MOST_CHARACTERS:
        raise NotReadable(Why.TOO_LONG, f"{len(pattern)} characters")
    try:
        whole = create_pattern_object(pattern, version="2.1")
    except (ParseException, STIXError, ValueError, RecursionError) as error:
        raise NotReadable(Why.SYNTAX, str(error)) from None
    found: dict[Indicator, None] = {}
    refused: list[Refused] = []
    for one in _alternatives(whole):
        kind, text = one
        if isinstance(kind, Why):
            refused.append((kind, text))
        else:
            found[kind, text] = None
    return list(found), refused


def _alternatives(part: object) -> Iterator[Indicator | Refused]:
    """What meets a part by itself: indicators, or, with a `Why` for a type, what is none."""
    match part:
        case ObservationExpression():
            yield from _alternatives(part.operand)
        case ParentheticalExpression():
            yield from _alternatives(part.expression)
        case OrObservationExpression() | OrBooleanExpression():
            for operand in part.operands:
                yield from _alternatives(operand)
        case AndBooleanExpression():
            yield from _together(part)
        case EqualityComparisonExpression() if not part.negated:
            yield _one(_path(part), part.rhs)
        case InComparisonExpression() if not part.negated:
            for value in part.rhs.value:
                yield _one(_path(part), value)
        case _:
            combined = not hasattr(part, "lhs")
            yield (Why.COMBINATION if combined else Why.OPERATOR), str(part)


def _together(part: AndBooleanExpression) -> Iterator[Indicator | Refused]:
    comparisons: list[EqualityComparisonExpression] = []
    waiting = list(reversed(part.operands))
    while waiting:
        operand = waiting.pop()
        if isinstance(operand, AndBooleanExpression):
            waiting += reversed(operand.operands)
        elif isinstance(operand, EqualityComparisonExpression) and not operand.negated:
            comparisons.append(operand)
        else:
            yield Why.COMBINATION, str(part)
            return
    telling = [one for one in comparisons if not _KIND.fullmatch(_path(one))]
    hashes = [one for one in telling if _hash(_path(one))]
    if hashes and all(one in hashes or _path(one) in _BESIDE_A_HASH for one in telling):
        telling = hashes
    elif len(telling) != 1:
        yield Why.COMBINATION, str(part)
        return
    for one in telling:
        yield _one(_path(one), one.rhs)


def _path(comparison: EqualityComparisonExpression) -> str:
    """Without the quotes, with which a step may be written."""
    return str(comparison.lhs).replace("'", "")


def _hash(path: str) -> str | None:
    kind, _, rest = path.partition(":hashes.")
    return _HASHES.get(rest.upper().replace("-", "")) if kind in _HASHED else None


def _types(path: str) -> tuple[str, ...]:
    if (of := _hash(path)) is not None:
        return (of,)
    if (extended := _EXTENSION.fullmatch(path)) is not None:
        kind = _EXTENDED.get(extended[1], {}).get(extended[2])
        return (kind,) if kind else ()
    return _PATHS.get(path, ())


def _one(path: str, constant: object) -> Indicator | Refused:
    types = _types(path)
    if not types or not isinstance(constant, StringConstant):
        return Why.NO_INDICATOR, path
    text = re.sub(r"\\(.)", r"\1", constant.value, flags=re.DOTALL)
    for kind in types:
        value = CANONICAL[kind](text)
        if value is not None:
            return kind, value
    return Why.NOT_CANONICAL, text
