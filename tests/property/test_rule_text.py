"""Whatever the text of a settings file, reading it returns, and what it returns keeps its word."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.registry import read_registry
from pipeline.rule_file import read_rules

RULES = [
    path.read_text("utf-8")
    for path in sorted((Path(__file__).parents[2] / "deploy" / "rules").glob("*.yml"))
]
SENSORS = """\
[[organisation]]
id = "a"
country = "CZ"
name = "A"
[[organisation.sensor]]
id = "s"
country = "SK"
"""
ANY = st.text(st.characters(exclude_categories=()), max_size=200)
SYNTAX = st.lists(
    st.sampled_from([
        "[", "]", "{", "}", ": ", ", ", "- ", "? ", "|", ">", "&a", "*a", "!!", "%YAML 1.", "'",
        '"', "'''", '"""', "\\U", "\\x", "FFFFFFFF", "---", "...", "#", "=", ".", "\n", "  ", "\t",
        "\r", "<<", "0", "~", "\x85", "\u2028", "\ufeff", "id", "title", "correlation", "condition",
        "[[organisation]]", "[[organisation.sensor]]", "organisation", "sensor", "country",
    ]),
    max_size=40,
).map("".join)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, texts: list[str]) -> str:
    """A good file with a stretch of it cut out and something else put in."""
    text = draw(st.sampled_from(texts))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 60)))
    return text[:start] + draw(SYNTAX | ANY) + text[end:]


@given(ANY | SYNTAX | damaged(RULES))
def test_any_text_is_read_to_rules_and_problems(text: str) -> None:
    rules, problems = read_rules(text, "r.yml")
    for rule in rules:
        assert rule.indicator_type in INDICATOR_TYPES
        assert 1000 <= rule.timespan_ms <= 30 * 86_400_000
        assert rule.gte >= 1
    for problem in problems:
        assert problem.line is None or problem.line >= 1
        assert problem.message


@given(ANY | SYNTAX | damaged([SENSORS]))
def test_any_text_is_read_to_a_registry_or_problems(text: str) -> None:
    registry, problems = read_registry(text)
    assert (registry is None) == bool(problems)
    for problem in problems:
        assert problem.line is None or 1 <= problem.line <= text.count("\n") + 1
        assert "\n" not in problem.message
