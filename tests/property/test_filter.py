"""A filter's text means what its words say: parsed and held, it agrees with a naive reading."""

from __future__ import annotations

import fnmatch
import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.share.filter import (
    EVERYTHING,
    NUMBERS,
    TEXTS,
    All,
    Condition,
    Fault,
    Not,
    Number,
    Some,
    Text,
    fits,
    parse,
)
from pipeline.share.subject import Subject

VALUES = ("cz", "ke", "ip", "a b", "and", "x*y", "10.1", "*", "", "ab*", "*b")
texts = st.builds(
    Text,
    st.sampled_from(TEXTS),
    st.sampled_from(("=", "~")),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=1).map(tuple),
)
several = st.builds(
    Text,
    st.sampled_from(TEXTS),
    st.just("="),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=3).map(tuple),
)
numbers = st.builds(
    Number,
    st.sampled_from(NUMBERS),
    st.sampled_from(("=", "<", "<=", ">", ">=")),
    st.integers(0, 6).map(lambda number: (float(number),)),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    texts | several | numbers,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Some, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
subjects = st.builds(
    Subject,
    st.dictionaries(st.sampled_from(TEXTS), st.frozensets(st.sampled_from(VALUES), max_size=3)),
    st.dictionaries(st.sampled_from(NUMBERS), st.integers(0, 6).map(float)),
)


def written(condition: Condition) -> str:
    """As a person would write it, with more parentheses than are needed."""
    match condition:
        case Text(field, op, values) if len(values) == 1:
            return f'{field} {op} "{values[0]}"'
        case Text(field, _, values):
            listed = ", ".join(f'"{value}"' for value in values)
            return f"{field} in ({listed})"
        case Number(field, op, (value,)):
            return f"{field}{op}{value:g}"
        case Not(of):
            return f"not ({written(of)})"
        case All(of):
            return " and ".join(f"({written(one)})" for one in of)
        case Some(of):
            return " OR ".join(f"({written(one)})" for one in of)
    raise AssertionError(condition)


def naive(condition: Condition, subject: Subject) -> bool:
    """As Python would say it."""
    match condition:
        case Text(field, op, values):
            pairs = [(v, text) for v in values for text in subject.texts.get(field, ())]
            if op == "=":
                return any(value == text for value, text in pairs)
            literal = [(re.sub(r"([?\[])", r"[\1]", value), text) for value, text in pairs]
            return any(fnmatch.fnmatchcase(text, value) for value, text in literal)
        case Number(field, op, (value,)):
            if field not in subject.numbers:
                return False
            return bool(eval(f"{subject.numbers[field]} {'==' if op == '=' else op} {value}"))  # noqa: S307
        case Not(of):
            return not naive(of, subject)
        case All(of):
            return all(naive(one, subject) for one in of)
        case Some(of):
            return any(naive(one, subject) for one in of)
    raise AssertionError(condition)


@given(conditions, subjects)
def test_a_filter_means_what_it_says(condition: Condition, subject: Subject) -> None:
    read = parse(written(condition))
    assert not isinstance(read, Fault), read
    assert read.holds(subject) == naive(condition, subject)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_a_star_stands_for_anything(pattern: str, text: str) -> None:
    assert fits(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(st.text(max_size=60) | st.text('notand()in,="~!<> severitycountry\n', max_size=60))
def test_any_text_is_a_filter_or_says_where_it_is_none(text: str) -> None:
    read = parse(text)
    if isinstance(read, Fault):
        assert 0 <= read.at <= len(text)
        assert "\n" not in read.message
    else:
        read.holds(Subject({}, {}))


@given(subjects)
def test_nothing_said_is_everything(subject: Subject) -> None:
    assert parse(" ") is EVERYTHING
    assert EVERYTHING.holds(subject)
