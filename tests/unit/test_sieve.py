"""Copies of the process die of a batch until it is known which records it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.shell import rehearsal
from pipeline.shell.in_hand import InHand
from pipeline.shell.rehearsal import Work, first_poison, killed_by
from pipeline.shell.sieve import TooManyError, sifted
from pipeline.shell.transport import BatchConsumer, Sifted

TP0 = TP("events", 0)


def numbers(records: Sequence[int]) -> None:
    """13 raises, 7 is killed, 3 ends the process without a word."""
    for record in records:
        if record == 13:
            raise ValueError("thirteen")
        if record == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        if record == 3:
            os._exit(4)


async def test_who_lives_dies_of_nothing() -> None:
    assert await killed_by([1, 2], numbers) is None
    assert await first_poison([1, 2], numbers) is None
    assert await first_poison([], numbers) is None


@pytest.mark.parametrize("at", [0, 1, 5, 63, 99])
async def test_the_first_record_that_kills_is_found(at: int) -> None:
    records = [0] * at + [13] + [0] * (99 - at) + [7]
    found = await first_poison(records, numbers)
    assert found is not None
    assert found[0] == at
    assert "ValueError: thirteen" in found[1]
    assert "Traceback" in found[1]


async def test_a_signal_and_a_silent_end_are_told() -> None:
    assert await first_poison([0, 7], numbers) == (1, "ended by SIGKILL")
    assert await first_poison([3], numbers) == (0, "")


async def test_what_kills_only_after_others_is_found() -> None:
    def second(records: Sequence[int]) -> None:
        assert records.count(5) < 2

    found = await first_poison([5, 0, 0, 5, 0], second)
    assert found is not None
    assert found[0] == 3


async def test_what_hangs_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "WITHIN_S", 0.1)
    assert await killed_by([1], lambda _: signal.pause()) is None


async def test_the_rehearsal_touches_nothing_here() -> None:
    state: list[int] = []
    assert await killed_by([1, 2], state.extend) is None
    assert state == []


class Stage:
    def __init__(self) -> None:
        self.aside: list[tuple[int, str]] = []

    async def handle(self, tp: TP, batch: Sequence[Any]) -> None:
        raise NotImplementedError

    async def rehearsal(self, tp: TP) -> Work | None:
        return lambda records: numbers([record.offset for record in records])

    async def set_aside(self, tp: TP, record: Any, why: str) -> None:
        self.aside.append((record.offset, why))


def batch(first: int, last: int) -> list[Any]:
    return [SimpleNamespace(offset=offset, timestamp=0) for offset in range(first, last + 1)]


def die(folder: Path) -> None:
    InHand(folder).take(TP0, batch(0, 20))


async def test_a_batch_is_sifted_after_two_deaths(tmp_path: Path) -> None:
    stage, all_of_it = Stage(), batch(0, 13)
    for _ in range(2):
        assert await sifted(TP0, all_of_it, InHand(tmp_path), stage) is all_of_it
        die(tmp_path)
    rest = await sifted(TP0, all_of_it, InHand(tmp_path), stage)
    assert [record.offset for record in rest] == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12]
    assert [offset for offset, _ in stage.aside] == [3, 7, 13]
    # The last was set aside: the batch is done to there all the same.
    assert isinstance(rest, Sifted)
    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer._done = {}
    consumer._caught_up_at = {}
    consumer.done(TP0, rest)
    assert consumer._done == {TP0: 14}


async def test_a_batch_without_fault_is_left_as_it_is(tmp_path: Path) -> None:
    die(tmp_path)
    die(tmp_path)
    clean = batch(14, 20)
    assert await sifted(TP0, clean, InHand(tmp_path), Stage()) is clean


async def test_where_everything_fails_nothing_is_set_aside(tmp_path: Path) -> None:
    """It is the code then: a batch of good records must not be emptied into dead letters."""

    class Broken(Stage):
        async def rehearsal(self, tp: TP) -> Work | None:
            def work(records: Sequence[Any]) -> None:
                raise ZeroDivisionError if records else AssertionError

            return work

    die(tmp_path)
    die(tmp_path)
    stage = Broken()
    with pytest.raises(TooManyError, match="more than 10 records"):
        await sifted(TP0, batch(0, 20), InHand(tmp_path), stage)
    assert stage.aside == []
