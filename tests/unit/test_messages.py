"""What the playground says: each language is one file, and English stands in for what it lacks."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

from pipeline.shell.play.messages import (
    ENGLISH,
    Messages,
    language_of,
    languages,
    missing,
    texts,
)
from pipeline.shell.play.tasks import TASKS
from pipeline.shell.settings import WrongUseError

COMPLETE = ("en", "es", "fr")
"""Languages that say everything. Another may be added with less: `missing` lists what it lacks."""


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", languages())
def test_a_language_says_nothing_that_english_does_not_and_of_the_same(language: str) -> None:
    english = texts(ENGLISH)
    for key, text in texts(language).items():
        assert key in english, f"{language}: {key} is said nowhere else"
        assert fields(text) == fields(english[key]), f"{language}: {key}"
        assert text


def test_what_is_missing_is_listed() -> None:
    """A new language may leave things out; this one test names them all, and these three may not."""
    lacking = {language: missing(language) for language in languages()}
    assert {language: lacking.pop(language) for language in COMPLETE} == {
        language: [] for language in COMPLETE
    }
    for language, keys in lacking.items():
        print(f"{language} says {len(keys)} things in English: {', '.join(keys)}")


def test_another_language_is_one_file_more(tmp_path: Path) -> None:
    (tmp_path / "sw.toml").write_text('ready = "Tayari."\n[task.liar]\ntitle = "Tafuta mwongo"\n')
    say = Messages("sw", tmp_path)
    assert say("ready") == "Tayari."
    assert say("task.liar.title") == "Tafuta mwongo"
    assert say("bye", done=1, of=9) == Messages("en")("bye", done=1, of=9)
    assert "bye" in missing("sw", tmp_path)
    assert "ready" not in missing("sw", tmp_path)


def test_every_task_is_told() -> None:
    for task in TASKS:
        for part in ("title", "text", "hint", "done"):
            assert Messages("en")(f"task.{task.name}.{part}")


def test_the_language_is_the_terminals_if_there_is_one() -> None:
    assert language_of({"LANG": "fr_FR.UTF-8"}) == "fr"
    assert language_of({"LC_ALL": "es", "LANG": "fr_FR.UTF-8"}) == "es"
    assert language_of({"LANG": "xx_XX"}) == "en"
    assert language_of({}) == "en"
    with pytest.raises(WrongUseError, match="none of en, es, fr"):
        Messages("xx")


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "xx.toml").write_text("ready = ")
    with pytest.raises(WrongUseError, match=r"xx\.toml"):
        Messages("xx", tmp_path)
