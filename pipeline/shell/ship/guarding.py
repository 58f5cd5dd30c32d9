"""What of an event leaves: a policy applied between conversion and all that comes after it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pipeline.adapter.conversion import Conversion, Rejected
from pipeline.adapter.format import Format, Options
from pipeline.adapter.instant import Clock
from pipeline.adapter.record import Record
from pipeline.adapter.table import Problem
from pipeline.decode import Reason, Rejection
from pipeline.share.privacy import Guard, Policy, read_policy
from pipeline.share.pseudonym import MissingKey
from pipeline.shell import key_ring
from pipeline.shell.files import read_text
from pipeline.shell.printable import printable
from pipeline.shell.settings import FailedError, WrongUseError


def policy_of(path: Path) -> Policy:
    """The policy of a TOML file; a `WrongUseError` says what is wrong with it."""
    try:
        policy = read_policy(tomllib.loads(read_text(path)))
    except tomllib.TOMLDecodeError as error:
        raise WrongUseError(f"{path}: {error}") from None
    if isinstance(policy, str):
        raise WrongUseError(printable(f"{path}: {policy}"))
    return policy


class Gate:
    """A policy that is applied for months: keys come, and old ones are destroyed."""

    def __init__(self, path: Path) -> None:
        self._policy = policy_of(path)
        self._folder = path.parent / self._policy.keys if self._policy.keys else None
        self._guard = self._load()

    def _load(self) -> Guard:
        if self._folder is None:
            return Guard(self._policy, None)
        key_ring.destroy_old(self._folder)
        return Guard(self._policy, key_ring.read(self._folder))

    def pass_(self, raw: bytes, line: int) -> bytes | Rejected:
        """What may leave of an event. Where its key is missing, nothing does, and we stop: what is
        not read is not lost.
        """
        told = self._guard.apply(raw)
        if isinstance(told, MissingKey):
            self._guard = self._load()  # it may have been handed over meanwhile
            told = self._guard.apply(raw)
        if not isinstance(told, MissingKey):
            return told
        if told.gone:
            detail = f"there is no key of its epoch, {told.epoch}, any more"
            return Rejected(line, Rejection(Reason.TOO_LATE, detail, b""))
        raise FailedError(
            f"{self._folder}: there is no key of epoch {told.epoch}: nothing is sent without"
        )


class GuardedConversion(Conversion):
    """A conversion that gives only what may leave."""

    def __init__(
        self, format_: Format, sensor: str, clock: Clock, options: Options | None, gate: Gate
    ) -> None:
        super().__init__(format_, sensor, clock, options)
        self._gate = gate

    def _counted(
        self, out: Sequence[bytes | Rejected | Problem], places: Sequence[Record]
    ) -> list[bytes | Rejected]:
        pass_ = self._gate.pass_
        return super()._counted(
            [
                pass_(one, place[0]) if isinstance(one, bytes) else one
                for one, place in zip(out, places, strict=True)
            ],
            places,
        )
