"""Campaigns from a file, as `sightline correlate --campaigns` writes it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pipeline.campaign.campaign import Campaign, decode, oldest_first
from pipeline.problem import Problem
from pipeline.shell.files import refuse
from pipeline.shell.settings import WrongUseError


def read_campaigns(path: Path) -> list[Campaign]:
    """The newest revision of each, the oldest campaign first; a later line is newer.

    A `WrongUseError` names the lines that are no campaigns.
    """
    newest: dict[str, Campaign] = {}
    problems: list[Problem] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    one = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    problems.append(Problem(str(path), number, f"no campaign: {error}"))
                else:
                    newest[one.id] = one
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    refuse(problems)
    return sorted(newest.values(), key=oldest_first)
