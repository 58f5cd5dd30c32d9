"""The fuzzer, for as many messages as a test may take; `make fuzz` goes on."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.property import fuzz
from tests.property.fuzz import CORPUS, Broken, check, corpus, mutants, run


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_what_was_found_once_stays_mended(path: Path) -> None:
    check(path.read_bytes())


def test_mutants_are_taken_or_rejected() -> None:
    tried, outcomes = run(1, lambda tried: tried == 4_000)
    assert tried == 4_000
    assert outcomes > 60  # it gets somewhere


def test_a_seed_is_a_run() -> None:
    first, again, other = (list(islice(mutants(seed, corpus()), 200)) for seed in (7, 7, 8))
    assert first == again != other


def test_what_breaks_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "split", lambda message: () if b"[" in message else [message])
    monkeypatch.setattr(fuzz, "corpus", lambda: [b"5", b"6"])
    with pytest.raises(Broken, match=r"seed 3, mutant \d+: b'") as broken:
        run(3, lambda tried: tried > 100_000)
    assert b"[" in broken.value.message
