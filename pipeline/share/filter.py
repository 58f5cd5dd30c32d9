"""What somebody wants to hear of: a condition on alerts and campaigns, as a text. No I/O here.

    severity >= high and (country in (CZ, KE) or organisations >= 5) and not benign ~ *

| field | of one alert or campaign |
|---|---|
| `country`, `organisation` | who saw it; each of several |
| `type`, `value` | of its indicators; each of several |
| `rule` | id or title of the rules that raised it, where they are known |
| `origin` | country in which the source's network is registered (alerts on an `ip`) |
| `benign` | names of lists of benign infrastructure (alerts) |
| `kind`, `id`, `status`, `tlp` | `alert` or `campaign`; its id; what it says of itself |
| `countries`, `organisations`, `indicators` | how many |
| `severity` | 0 … 6, or its name: `informational`, `low`, `medium`, `high`, `critical`, `fatal` |
| `confidence` | 0 … 100 (campaigns) |

A text field is compared with `=`, `!=`, `in (…)` and `~`, in which `*` stands for anything; case
makes no difference. Of several values one must fit; `!=` is the contrary of `=`. A number is
compared with `=`, `!=`, `<`, `<=`, `>`, `>=`, `in (…)`; a number that is not there fits nothing but
`!=`. `not` binds before `and`, `and` before `or`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec
from msgspec import Struct

from pipeline.problem import did_you_mean, quoted
from pipeline.share.subject import Subject

MOST_TEXT: Final = 4_096  # characters of a filter
MOST_DEPTH: Final = 32  # of parentheses and `not`
TEXTS: Final = (
    *("country", "organisation", "type", "value", "rule", "origin", "benign"),
    *("kind", "id", "status", "tlp"),
)
NUMBERS: Final = ("countries", "organisations", "indicators", "severity", "confidence")
SEVERITIES: Final = {
    name: number
    for number, name in enumerate(
        ("unknown", "informational", "low", "medium", "high", "critical", "fatal")
    )
}
_ORDERED: Final = ("<", "<=", ">", ">=")
_COMPARED: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<mark>[(),]|[<>]=?|!=|=|~)|"(?P<quoted>[^"]*)"|(?P<word>[^\s(),<>=!~"]+))"""
)
_WORDS: Final = frozenset({"and", "or", "not", "in"})

Op = Literal["=", "!=", "~", "<", "<=", ">", ">="]


class Text(Struct, frozen=True):
    """One comparison of a text field with any of some texts, in lower case."""

    field: str
    op: Literal["=", "~"]
    values: tuple[str, ...]

    def holds(self, subject: Subject) -> bool:
        found = subject.texts.get(self.field, frozenset())
        if self.op == "=":
            return not found.isdisjoint(self.values)
        return any(fits(pattern, text) for pattern in self.values for text in found)


class Number(Struct, frozen=True):
    """One comparison of a number with any of some numbers."""

    field: str
    op: Literal["=", "<", "<=", ">", ">="]
    values: tuple[float, ...]

    def holds(self, subject: Subject) -> bool:
        found = subject.numbers.get(self.field)
        if found is None:
            return False
        compare = _COMPARED[self.op]
        return any(compare(found, value) for value in self.values)


class Not(Struct, frozen=True):
    of: Condition

    def holds(self, subject: Subject) -> bool:
        return not self.of.holds(subject)


class All(Struct, frozen=True):
    """Everything, if there is nothing in it."""

    of: tuple[Condition, ...] = ()

    def holds(self, subject: Subject) -> bool:
        return all(one.holds(subject) for one in self.of)


class Some(Struct, frozen=True):
    """At least one of these."""

    of: tuple[Condition, ...]

    def holds(self, subject: Subject) -> bool:
        return any(one.holds(subject) for one in self.of)


Condition = Text | Number | Not | All | Some
EVERYTHING: Final = All()


class Fault(Struct, frozen=True):
    """Why a text is no filter; `at` counts its characters from 0."""

    at: int
    message: str

    def __str__(self) -> str:
        return f"at character {self.at + 1}: {self.message}"


def fits(pattern: str, text: str) -> bool:
    """Whether a text is a pattern in which `*` stands for anything; time is bounded by both.

    The first part begins it, the last ends it, and those between come in their order.
    """
    first, *between = pattern.split("*")
    if not between:
        return text == pattern
    last = between.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in between:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def parse(text: str) -> Condition | Fault:
    """The condition that a text is, or what is wrong with it. An empty one is everything."""
    if len(text) > MOST_TEXT:
        return Fault(0, f"it is {len(text)} characters long, {MOST_TEXT} at most")
    try:
        return _Reading(text).all() if text.strip() else EVERYTHING
    except _WrongError as wrong:
        return wrong.fault


def chosen(
    where: str = "",
    *,
    countries: Iterable[str] = (),
    min_severity: str = "",
    types: Iterable[str] = (),
    rules: Iterable[str] = (),
) -> Condition | Fault:
    """What options say, all of them together; of each the values are alternatives."""
    condition = parse(where)
    if isinstance(condition, Fault):
        return condition
    found: list[Condition] = []
    for field, values in (("country", countries), ("type", types), ("rule", rules)):
        if wanted := tuple(sorted(value.lower() for value in values)):
            found.append(Text(field, "=", wanted))
    if min_severity:
        least = _number("severity", min_severity)
        if least is None:
            return Fault(0, _no_number("severity", min_severity))
        found.append(Number("severity", ">=", (least,)))
    return All((*found, condition)) if found else condition


class _WrongError(Exception):
    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(at, message)


class _Token(Struct, frozen=True):
    at: int
    text: str
    literal: bool = False
    """It stood in quotes: no mark and no word of the language."""


class _Reading:
    """One text being read, by descent; a fault leaves it as an exception."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._end = _Token(len(text), "", literal=True)
        self._next = 0
        self._depth = 0

    def all(self) -> Condition:
        found = self._some()
        if self._next < len(self._tokens):
            extra = self._peek()
            raise _WrongError(extra.at, f"{quoted(extra.text)} is too much: `and` or `or` goes on")
        return found

    def _some(self) -> Condition:
        found = [self._every()]
        while self._accept("or"):
            found.append(self._every())
        return found[0] if len(found) == 1 else Some(tuple(found))

    def _every(self) -> Condition:
        found = [self._one()]
        while self._accept("and"):
            found.append(self._one())
        return found[0] if len(found) == 1 else All(tuple(found))

    def _one(self) -> Condition:
        at = self._peek().at
        if not self._accept("not", "("):
            return self._comparison()
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise _WrongError(at, f"nested deeper than {MOST_DEPTH} levels")
        if self._tokens[self._next - 1].text == "(":
            found = self._some()
            self._expect(")")
        else:
            found = Not(self._one())
        self._depth -= 1
        return found

    def _comparison(self) -> Condition:
        name = self._take("a field")
        field = name.text.lower()
        if name.literal or field not in {*TEXTS, *NUMBERS}:
            hint = did_you_mean(field, {*TEXTS, *NUMBERS})
            said = hint or f"; there are {', '.join(dict.fromkeys((*TEXTS, *NUMBERS)))}"
            raise _WrongError(name.at, f"there is no field {quoted(name.text)}{said}")
        if self._accept("in"):
            self._expect("(")
            values = [self._take("a value")]
            while self._accept(","):
                values.append(self._take("a value"))
            self._expect(")")
            op = "="
        else:
            mark = self._take("a comparison")
            op = mark.text
            if mark.literal or op not in {"=", "!=", "~", *_ORDERED}:
                raise _WrongError(mark.at, f"{quoted(op)} is no comparison: = != ~ < <= > >= in")
            values = [self._take("a value")]
        return self._compared(name, field, op, values)

    def _compared(self, name: _Token, field: str, op: str, values: list[_Token]) -> Condition:
        # `organisations` counts; what are texts are its singular.
        numeric = field in NUMBERS
        if op == "~" if numeric else op in _ORDERED:
            kind = "a number" if numeric else "a text"
            raise _WrongError(name.at, f"{field} is {kind}: it cannot be compared with {op}")
        found: Condition
        if numeric:
            numbers = []
            for value in values:
                number = _number(field, value.text)
                if number is None:
                    raise _WrongError(value.at, _no_number(field, value.text))
                numbers.append(number)
            ordered = "=" if op == "!=" else op
            found = msgspec.convert(
                {"field": field, "op": ordered, "values": tuple(numbers)}, Number
            )
        else:
            texts = tuple(value.text.lower() for value in values)
            found = Text(field, "~" if op == "~" else "=", texts)
        return Not(found) if op == "!=" else found

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else self._end

    def _accept(self, *texts: str) -> bool:
        token = self._peek()
        if token.literal or token.text.lower() not in texts:
            return False
        self._next += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise _WrongError(self._peek().at, f"here {quoted(text)} is missing")

    def _take(self, what: str) -> _Token:
        token = self._peek()
        word = not token.literal and (token.text in {"(", ")", ","} or token.text.lower() in _WORDS)
        if token is self._end or word:
            raise _WrongError(token.at, f"here {what} is missing")
        self._next += 1
        return token


def _tokens(text: str) -> Iterable[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at = end - len(text[at:end].lstrip())
            raise _WrongError(at, "a quotation mark or a ! stands alone here")
        literal = match["quoted"] is not None
        group = "quoted" if literal else (match.lastgroup or "word")
        yield _Token(match.start(group), match[group], literal)
        at = match.end()


def _number(field: str, text: str) -> float | None:
    if field == "severity" and text.lower() in SEVERITIES:
        return float(SEVERITIES[text.lower()])
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else None


def _no_number(field: str, text: str) -> str:
    names = f", or {', '.join(SEVERITIES)}" if field == "severity" else ""
    return f"{field} {quoted(text)} is no number{names}"
